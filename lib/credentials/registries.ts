import type { ResolvedSpec } from '../api/aws-assume-role.ts';
import type { EcrRegistry } from '../api/ecr.ts';
import { PUBLIC_HOSTS, parseRegistry, privateHosts } from '../api/ecr-host.ts';
import { accountOf } from '../api/role-arn.ts';
import { usedTokens } from '../api/tokens.ts';
import { RolevendError } from '../errors.ts';

/** Whose registries a token is for: those of an account in a Region, or ECR Public. */
export type TokenSource = { kind: 'private'; accountId: string; region: string } | { kind: 'public' };

/** An entry of an image pull Secret, and where its token comes from. */
export interface WantedLogin {
  url: string;
  source: TokenSource;
}

/** A token that templates call by a name, where it comes from and the host of its registry. */
export interface WantedToken {
  name: string;
  source: TokenSource;
  registry: string;
}

/** What a registry is where the object does not say: the role's own account, and the Region of the object. */
export interface Home {
  roleArn: string;
  region: string;
}

/** The text that tells one source from another: tokens of the same source are fetched once. */
export function sourceKey(source: TokenSource): string {
  return source.kind === 'public' ? 'public' : `${source.accountId}/${source.region}`;
}

/**
 * The logins that an object asks for, each URL once; the first entry that names it counts. None for other Secret types.
 * @throws RolevendError `InvalidSpec` for a host that does not tell account and Region where the entry does not either
 */
export function wantedLogins(
  spec: Pick<ResolvedSpec, 'secretType' | 'ecrRepositoryUrl' | 'ecr'>,
  home: Home,
): WantedLogin[] {
  if (spec.secretType !== 'EcrDockerConfigJson') return [];
  const legacy = spec.ecrRepositoryUrl ? [legacyLogin(spec.ecrRepositoryUrl, home)] : [];
  const all = [...legacy, ...(spec.ecr?.registries ?? []).flatMap((registry) => loginsOf(registry, home))];
  return all.filter(({ url }, at) => all.findIndex((other) => other.url === url) === at);
}

/** The tokens that the templates of an object name. */
export function wantedTokens(spec: Pick<ResolvedSpec, 'template' | 'tokens'>, home: Home): WantedToken[] {
  return usedTokens(spec).map(({ name, ecr }) => {
    const source = namedSource(ecr, home);
    return { name, source, registry: defaultHosts(source)[0] };
  });
}

/** A URL of unknown host has always been taken for one of the role's account. */
function legacyLogin(url: string, home: Home): WantedLogin {
  return { url, source: hostSource(url) ?? { kind: 'private', ...ownRegistry(home) } };
}

function loginsOf(registry: EcrRegistry, home: Home): WantedLogin[] {
  const named = namedSource(registry, home);
  if (registry.urls === undefined) return defaultHosts(named).map((url) => ({ url, source: named }));
  const isTold = registry.public === true || (registry.accountId !== undefined && registry.region !== undefined);
  return registry.urls.map((url) => ({ url, source: hostSource(url) ?? (isTold ? named : refuse(url)) }));
}

function namedSource(registry: Pick<EcrRegistry, 'accountId' | 'region' | 'public'>, home: Home): TokenSource {
  return registry.public ? { kind: 'public' } : { kind: 'private', ...ownRegistry(home, registry) };
}

function hostSource(url: string): TokenSource | undefined {
  const known = parseRegistry(url);
  return known.kind === 'unknown' ? undefined : known;
}

function ownRegistry({ roleArn, region }: Home, named: Pick<EcrRegistry, 'accountId' | 'region'> = {}) {
  return { accountId: named.accountId ?? accountOf(roleArn), region: named.region ?? region };
}

function defaultHosts(source: TokenSource): readonly [string, ...string[]] {
  return source.kind === 'public' ? PUBLIC_HOSTS : privateHosts(source.accountId, source.region);
}

function refuse(url: string): never {
  const message = `spec.ecr.registries has the URL ${url}, whose host tells neither account nor Region; set accountId and region`;
  throw new RolevendError(message, { code: 'InvalidSpec', consequence: 'stop' });
}
