import type { AWSAssumeRoleSpec } from '../api/aws-assume-role.ts';
import type { EcrRegistry } from '../api/ecr.ts';
import { PUBLIC_REGION, parseRegistry } from '../api/ecr-host.ts';
import { usedTokens } from '../api/tokens.ts';
import { matchGlob } from './role-pattern.ts';

/** A Region whose host the operator is to call, and the field of the object that names it. */
export interface NamedRegion {
  /** As `spec.ecr.registries[0].region`. */
  field: string;
  region: string;
  /** The field is not set, and the operator's own Region stands in. */
  isDefault?: boolean;
}

/** The fields that name Regions. */
export type RegionFields = Pick<
  AWSAssumeRoleSpec,
  'region' | 'secretType' | 'ecrRepositoryUrl' | 'ecr' | 'template' | 'tokens'
>;

/** Every Region that an object names, directly or by the host of a registry; first the one of STS. `own` is the operator's. */
export function namedRegions(spec: RegionFields, own: string): NamedRegion[] {
  const { region, ecrRepositoryUrl, ecr } = spec;
  const ofSts = region === undefined ? { region: own, isDefault: true } : { region };
  const isPulling = spec.secretType === 'EcrDockerConfigJson';
  return [
    { field: 'spec.region', ...ofSts },
    ...(isPulling && ecrRepositoryUrl ? ofUrl(ecrRepositoryUrl, 'spec.ecrRepositoryUrl') : []),
    ...(isPulling ? (ecr?.registries ?? []).flatMap(ofRegistry) : []),
    ...ofTokens(spec),
  ];
}

/**
 * Whether a Region fits a pattern, in which `*` stands for any run of characters within a part; parts stand between hyphens,
 * so that `us-*-*` has no Region of `us-gov-*-*`.
 */
export function matchRegion(pattern: string, region: string): boolean {
  const [globs, parts] = [pattern.split('-'), region.split('-')];
  return globs.length === parts.length && globs.every((glob, at) => matchGlob(glob, parts[at] ?? ''));
}

function ofRegistry(registry: EcrRegistry, at: number): NamedRegion[] {
  const field = `spec.ecr.registries[${at}]`;
  const urls = (registry.urls ?? []).flatMap((url, index) => ofUrl(url, `${field}.urls[${index}]`));
  return [...ofPlace(registry, field), ...urls];
}

function ofTokens(spec: RegionFields): NamedRegion[] {
  const used = new Set(usedTokens(spec));
  return (spec.tokens ?? []).flatMap((token, at) =>
    used.has(token) ? ofPlace(token.ecr, `spec.tokens[${at}].ecr`) : [],
  );
}

function ofPlace(place: Pick<EcrRegistry, 'region' | 'public'>, field: string): NamedRegion[] {
  if (place.public) return [{ field: `${field}.public`, region: PUBLIC_REGION }];
  return place.region === undefined ? [] : [{ field: `${field}.region`, region: place.region }];
}

function ofUrl(url: string, field: string): NamedRegion[] {
  const known = parseRegistry(url);
  if (known.kind === 'unknown') return [];
  return [{ field, region: known.kind === 'public' ? PUBLIC_REGION : known.region }];
}
