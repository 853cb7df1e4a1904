import type { AWSAssumeRoleSpec } from '../api/aws-assume-role.ts';
import type { RoleGrant, Terms } from '../api/role-grant.ts';
import { denied } from './grant-messages.ts';
import type { NamedRegion } from './grant-regions.ts';
import { combine, fieldProblem, isSignedByOperator } from './grant-terms.ts';
import { matchSelector } from './label-selector.ts';
import { matchGlob, matchRole } from './role-pattern.ts';

/** A transitive tag of a session on the way. */
export interface InheritedTag {
  key: string;
  /** Index of the hop in `spec.chain` that sets it. */
  hop: number;
}

/** Who asks for which role, and what the object sets that grants may restrict. */
export interface GrantRequest {
  namespace: string;
  /** Labels of that namespace; undefined while they are not known, and then no selector matches. */
  namespaceLabels: Readonly<Record<string, string>> | undefined;
  /** Name of the AWSAssumeRole. */
  name: string;
  /** ARN of the role that is to be assumed; each hop of a chain is asked for on its own. */
  roleArn: string;
  /** Index of the hop in `spec.chain`; undefined for the role of the object itself. */
  hop?: number;
  /** Tags that earlier hops of the chain hand on to this session too. Default: none. */
  inheritedTags?: readonly InheritedTag[];
  /** The operator's own identity: what `self` in a pattern stands for. */
  self: { accountId: string; partition: string };
  /** The Regions whose hosts are to be called. */
  regions: readonly NamedRegion[];
  /** Whether a Region is one of the operator's partition, which may be named where no grant lists Regions. */
  isHome(region: string): boolean;
  /** The spec of the object, with the tags of the hop in place of its own; only the fields that terms restrict are read. */
  spec: Pick<AWSAssumeRoleSpec, 'auth' | 'secretType' | 'sessionName' | 'sourceIdentity' | 'sessionTags'>;
}

/** The answer. `field` is set where the role is granted but a field of the object is not, as `spec.sessionName`. */
export type GrantDecision =
  | {
      allowed: true;
      terms: Terms;
      /** Names of the grants that matched, sorted; none where none is needed. */
      grants: string[];
    }
  | { allowed: false; field?: string; message: string };

/**
 * May this namespace use this role, and on which terms? Denied unless a grant matches namespace and role. What is asked for
 * with another identity than the operator's needs no grant, but is bound by the auth types and Regions of those that match.
 * The result depends on the set of the grants alone, not on their order. A grant that is being deleted counts no more.
 */
export function evaluate(grants: Iterable<RoleGrant>, request: GrantRequest): GrantDecision {
  const all = [...grants];
  const matching = all.filter((grant) => matches(grant, request)).sort(byName);
  const isSigned = isSignedByOperator(request.spec);
  if (isSigned && matching.length === 0) return { allowed: false, message: denied(request, all) };
  const problem = fieldProblem(matching, combine(matching), request);
  if (problem !== undefined) return problem;
  return { allowed: true, terms: combine(isSigned ? matching : []), grants: isSigned ? matching.map(nameOf) : [] };
}

/** Whether a grant speaks of the namespace and the role of the request. */
export function matches(grant: RoleGrant, request: GrantRequest): boolean {
  if (grant.metadata.deletionTimestamp !== undefined) return false;
  if (!matchNamespace(grant, request)) return false;
  const context = { namespace: request.namespace, ...request.self };
  return grant.spec.roles.some((pattern) => matchRole(pattern, request.roleArn, context));
}

/** Whether a grant chooses its namespaces by their labels. */
export function selectsByLabel({ spec }: RoleGrant): boolean {
  return spec.namespaces.selector !== undefined;
}

/** Whether a grant speaks of the namespace, also one that is being deleted. */
export function matchNamespace(
  { spec }: Pick<RoleGrant, 'spec'>,
  request: Pick<GrantRequest, 'namespace' | 'namespaceLabels'>,
): boolean {
  const { names, selector } = spec.namespaces;
  // A stored grant with both or neither is malformed and opens nothing.
  if ((names === undefined) === (selector === undefined)) return false;
  if (names !== undefined) return names.some((glob) => matchGlob(glob, request.namespace));
  const { namespaceLabels } = request;
  return selector !== undefined && namespaceLabels !== undefined && matchSelector(selector, namespaceLabels);
}

function byName(a: RoleGrant, b: RoleGrant): number {
  return nameOf(a) < nameOf(b) ? -1 : 1;
}

function nameOf(grant: RoleGrant): string {
  return grant.metadata.name;
}
