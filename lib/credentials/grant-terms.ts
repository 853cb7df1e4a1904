import { authDefaults, serviceAccountOf } from '../api/auth.ts';
import type { RoleGrant, RoleGrantSpec, Terms } from '../api/role-grant.ts';
import { fieldDenied } from './grant-messages.ts';
import { matchRegion, type NamedRegion } from './grant-regions.ts';
import type { GrantDecision, GrantRequest } from './grants.ts';

/** Terms of several grants together: field by field over those that set it. */
export function combine(grants: readonly RoleGrant[]): Terms {
  const of = <Field extends keyof RoleGrantSpec>(field: Field) => grants.flatMap(({ spec }) => setValues(spec[field]));
  const durations = of('maxDurationSeconds');
  const secretTypes = intersection(of('secretTypes'));
  const auth = intersection(of('auth'));
  const regions = of('regions');
  return {
    ...(durations.length === 0 ? {} : { maxDurationSeconds: Math.min(...durations) }),
    ...(secretTypes === undefined ? {} : { secretTypes }),
    ...(auth === undefined ? {} : { auth }),
    ...(regions.length === 0 ? {} : { regions }),
    sessionName: firstSet(['Derived', 'Any'], of('sessionName')) ?? 'Derived',
    sourceIdentity: firstSet(['Derived', 'Any', 'None'], of('sourceIdentity')) ?? 'None',
    tenantTagKeys: intersection(of('tenantTagKeys')) ?? [],
  };
}

/** The value as a list, empty where it is not set. A value that is a list itself is one item of it. */
function setValues<T>(value: T): NonNullable<T>[] {
  return value === undefined || value === null ? [] : [value];
}

/** What all lists hold, sorted; undefined where there is no list. */
function intersection<T extends string>(lists: readonly (readonly T[])[]): T[] | undefined {
  const [first, ...others] = lists;
  return first && [...new Set(first)].filter((item) => others.every((list) => list.includes(item))).sort();
}

/** The first of the `values` in an order from the strictest to the loosest. */
function firstSet<T>(order: readonly T[], values: readonly T[]): T | undefined {
  return order.find((value) => values.includes(value));
}

/** A field that the terms do not allow. */
interface Problem {
  /** As `spec.sessionTags`. */
  field: string;
  problem: string;
  fix: string;
  /** Whether a grant is the reason. Where none is, all that match are named. */
  isReason(spec: RoleGrantSpec): boolean;
}

type Check = (terms: Terms, request: GrantRequest) => Problem | undefined;

/**
 * Why a field of the object is not allowed; undefined where all are. What is not signed with the operator's identity is
 * bound by the auth types and by the Regions, whose hosts the operator connects to all the same.
 */
export function fieldProblem(
  matching: readonly RoleGrant[],
  terms: Terms,
  request: GrantRequest,
): GrantDecision | undefined {
  const ofSession: Check[] = [
    secretTypeProblem,
    sessionNameProblem,
    sourceIdentityProblem,
    tagProblem,
    inheritedTagProblem,
  ];
  for (const check of [authProblem, regionProblem, ...(isSignedByOperator(request.spec) ? ofSession : [])]) {
    const found = check(terms, request);
    if (found === undefined) continue;
    const reasons = matching.filter(({ spec }) => found.isReason(spec));
    return fieldDenied(request, reasons.length > 0 ? reasons : matching, found);
  }
  return undefined;
}

/** Whether the operator's own identity is used for the object. */
export function isSignedByOperator(spec: GrantRequest['spec']): boolean {
  return serviceAccountOf(spec) === undefined;
}

function authProblem(terms: Terms, { spec: { auth } }: GrantRequest): Problem | undefined {
  const type = auth?.type ?? authDefaults.type;
  if (terms.auth === undefined || terms.auth.includes(type)) return undefined;
  const accepted = terms.auth.join(', ') || 'no type that all of them allow';
  return {
    field: 'spec.auth.type',
    problem: `auth.type ${type} is not allowed`,
    fix: `use one of: ${accepted}; or widen spec.auth`,
    isReason: (spec) => spec.auth !== undefined,
  };
}

function regionProblem({ regions }: Terms, request: GrantRequest): Problem | undefined {
  const fits = (list: readonly string[], region: string) => list.some((pattern) => matchRegion(pattern, region));
  const isAllowed = ({ region }: NamedRegion) => regions?.every((list) => fits(list, region)) ?? request.isHome(region);
  const found = request.regions.find((named) => !isAllowed(named));
  if (found === undefined) return undefined;
  const { field, region, isDefault } = found;
  const about = isDefault ? `the operator's own, since ${field} is not set` : `of ${field}`;
  const accepted =
    regions === undefined
      ? "one of the partition of the operator's Region"
      : `one that fits ${regions.map((list) => list.join(' or ')).join(', and ')}`;
  return {
    field,
    problem: `Region ${region} (${about}) is not allowed`,
    fix: `name ${accepted}; or add it to spec.regions`,
    isReason: (spec) => spec.regions !== undefined && !fits(spec.regions, region),
  };
}

function secretTypeProblem(terms: Terms, { spec: { secretType } }: GrantRequest): Problem | undefined {
  if (terms.secretTypes === undefined || terms.secretTypes.includes(secretType)) return undefined;
  const accepted = terms.secretTypes.join(', ') || 'no type that all of them allow';
  return {
    field: 'spec.secretType',
    problem: `secretType ${secretType} is not allowed`,
    fix: `use one of: ${accepted}; or widen spec.secretTypes`,
    isReason: ({ secretTypes }) => secretTypes !== undefined,
  };
}

/** The sessions of hops are named by the operator. */
function sessionNameProblem(terms: Terms, { spec: { sessionName }, hop }: GrantRequest): Problem | undefined {
  if (sessionName === undefined || hop !== undefined || terms.sessionName === 'Any') return undefined;
  return {
    field: 'spec.sessionName',
    problem: 'sessionName may not be set, the operator derives it',
    fix: 'remove sessionName, or set spec.sessionName: Any',
    isReason: (spec) => spec.sessionName === 'Derived',
  };
}

/** It is set in the last session alone, but cannot change what the operator derives for one before. */
function sourceIdentityProblem(terms: Terms, { spec: { sourceIdentity }, hop }: GrantRequest): Problem | undefined {
  const isDerived = terms.sourceIdentity === 'Derived';
  const isAllowed = hop === undefined ? terms.sourceIdentity === 'Any' : !isDerived;
  if (sourceIdentity === undefined || isAllowed) return undefined;
  return {
    field: 'spec.sourceIdentity',
    problem: `sourceIdentity may not be set${isDerived ? ', the operator derives it' : ''}`,
    fix: 'remove sourceIdentity, or set spec.sourceIdentity: Any',
    isReason: (spec) => isDerived && spec.sourceIdentity === 'Derived',
  };
}

function tagProblem(terms: Terms, { spec: { sessionTags = {} }, hop }: GrantRequest): Problem | undefined {
  const others = Object.keys(sessionTags).filter((key) => !terms.tenantTagKeys.includes(key));
  if (others.length === 0) return undefined;
  return {
    field: `${hop === undefined ? 'spec' : `spec.chain[${hop}]`}.sessionTags`,
    problem: `sessionTags may not set ${others.sort().join(', ')}`,
    fix: 'remove it, or add the key to spec.tenantTagKeys',
    isReason: ({ tenantTagKeys }) => others.some((key) => tenantTagKeys?.includes(key) === false),
  };
}

/** A tag of a hop that is handed on counts as one of every session after it. */
function inheritedTagProblem(terms: Terms, { inheritedTags = [] }: GrantRequest): Problem | undefined {
  const found = inheritedTags.find(({ key }) => !terms.tenantTagKeys.includes(key));
  if (found === undefined) return undefined;
  return {
    field: `spec.chain[${found.hop}].transitiveTagKeys`,
    problem: `transitiveTagKeys of chain[${found.hop}] may not hand on ${found.key}`,
    fix: 'remove it, or add the key to spec.tenantTagKeys',
    isReason: ({ tenantTagKeys }) => tenantTagKeys?.includes(found.key) === false,
  };
}
