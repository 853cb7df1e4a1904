/** Where the token of a registry comes from. */
export type Registry =
  | { kind: 'private'; accountId: string; region: string }
  /** public.ecr.aws: another API, in us-east-1. */
  | { kind: 'public' }
  /** A PrivateLink endpoint, a mirror: the host tells neither account nor Region. */
  | { kind: 'unknown' };

/** Of bounded length, since it becomes part of the host that signed requests go to. */
const REGION = '[a-z]{2,8}(?:-[a-z0-9]{1,12}){1,4}-[0-9]{1,2}';

/** Domain suffixes of registry hosts by the prefix of the Region; the last fits all Regions without an own one. */
const SUFFIXES: readonly { prefix: string; classic: string; dualStack?: string }[] = [
  { prefix: 'cn-', classic: 'amazonaws.com.cn', dualStack: 'on.amazonwebservices.com.cn' },
  { prefix: 'us-iso-', classic: 'c2s.ic.gov' },
  { prefix: 'us-isob-', classic: 'sc2s.sgov.gov' },
  { prefix: 'eu-isoe-', classic: 'cloud.adc-e.uk' },
  { prefix: 'us-isof-', classic: 'csp.hci.ic.gov' },
  { prefix: 'eusc-', classic: 'amazonaws.eu' },
  { prefix: '', classic: 'amazonaws.com', dualStack: 'on.aws' },
];

const anyOf = (names: readonly string[]) => names.map((name) => name.replaceAll('.', '\\.')).join('|');
const CLASSIC = `([0-9]{12})\\.dkr\\.ecr(?:-fips)?\\.(${REGION})\\.(?:${anyOf(SUFFIXES.map(({ classic }) => classic))})`;
const DUAL_STACK = `([0-9]{12})\\.dkr-ecr(?:-fips)?\\.(${REGION})\\.(?:${anyOf(SUFFIXES.flatMap(({ dualStack }) => dualStack ?? []))})`;

/** Hosts of ECR Public: the one that everybody knows, and the dual-stack one. */
export const PUBLIC_HOSTS = ['public.ecr.aws', 'ecr-public.aws.com'] as const;

/** The only Region in which ECR Public gives tokens. */
export const PUBLIC_REGION = 'us-east-1';

/** Matches the URL, in lower case, of a registry whose host tells where its token comes from. RE2 reads it alike. */
export const KNOWN_REGISTRY = `^(?:[a-z]+://)?(?:${CLASSIC}|${DUAL_STACK}|${anyOf(PUBLIC_HOSTS)})(?::[0-9]+)?(?:/|$)`;
const known = new RegExp(KNOWN_REGISTRY);

/** Reads a registry or repository URL, with or without scheme, port and path. Account and Region come from the host. */
export function parseRegistry(url: string): Registry {
  const match = known.exec(url.toLowerCase());
  if (match === null) return { kind: 'unknown' };
  const [, classicId, classicRegion, accountId = classicId, region = classicRegion] = match;
  return accountId === undefined || region === undefined ? { kind: 'public' } : { kind: 'private', accountId, region };
}

/** The hosts of a private registry: the classic one, and the dual-stack one where AWS has told its name. */
export function privateHosts(accountId: string, region: string): [string, ...string[]] {
  const { classic, dualStack } = SUFFIXES.find(({ prefix }) => region.startsWith(prefix)) ?? { classic: '' };
  const host = `${accountId}.dkr.ecr.${region}.${classic}`;
  return dualStack === undefined ? [host] : [host, `${accountId}.dkr-ecr.${region}.${dualStack}`];
}

/** The repository in a URL: its path without tag and digest; empty where the URL names the registry alone. */
export function repositoryIn(url: string): string {
  const path = url.replace(/^[a-z]+:\/\//i, '').replace(/^[^/]*\/?/, '');
  return path
    .replace(/@.*$/, '')
    .replace(/:[^/:]*$/, '')
    .replace(/\/+$/, '');
}
