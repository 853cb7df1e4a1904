import type { AWSAssumeRoleSpec } from '../api/aws-assume-role.ts';
import type { RoleGrant, Terms } from '../api/role-grant.ts';
import { evaluate, type GrantDecision, type GrantRequest, type InheritedTag } from './grants.ts';

/** Who asks for a role, and by which way. */
export interface ChainRequest extends Omit<GrantRequest, 'hop' | 'inheritedTags'> {
  spec: GrantRequest['spec'] & Pick<AWSAssumeRoleSpec, 'chain'>;
}

/** The answer for the whole way. A denial is that of the first role that is denied. */
export type ChainDecision =
  | {
      allowed: true;
      /** Of the role of the object. */
      terms: Terms;
      /** Of each hop, in the order of `spec.chain`. */
      hopTerms: Terms[];
      /** The grants that allow each role, the hops first; none where none is needed. */
      granted: { roleArn: string; grants: string[] }[];
    }
  | Extract<GrantDecision, { allowed: false }>;

/** As `evaluate`, for every hop of the chain and then for the role itself. */
export function evaluateChain(grants: Iterable<RoleGrant>, request: ChainRequest): ChainDecision {
  const all = [...grants];
  const chain = request.spec.chain ?? [];
  const hops = chain.map(({ roleArn, sessionTags }, hop): GrantRequest => {
    const { sessionTags: _, ...spec } = request.spec;
    const inheritedTags = handedOn(chain.slice(0, hop));
    const asked = { ...request, roleArn, hop, inheritedTags, regions: request.regions.slice(0, 1) };
    return { ...asked, spec: { ...spec, ...(sessionTags && { sessionTags }) } };
  });
  const hopTerms: Terms[] = [];
  const granted: { roleArn: string; grants: string[] }[] = [];
  for (const asked of hops) {
    const decision = evaluate(all, asked);
    if (!decision.allowed) return decision;
    hopTerms.push(decision.terms);
    granted.push({ roleArn: asked.roleArn, grants: decision.grants });
  }
  const decision = evaluate(all, { ...request, inheritedTags: handedOn(chain) });
  if (!decision.allowed) return decision;
  const { terms, grants: names } = decision;
  return { allowed: true, terms, hopTerms, granted: [...granted, { roleArn: request.roleArn, grants: names }] };
}

/** The tags that these hops give to every session after them. */
function handedOn(hops: NonNullable<AWSAssumeRoleSpec['chain']>): InheritedTag[] {
  return hops.flatMap(({ sessionTags = {}, transitiveTagKeys = [] }, hop) =>
    transitiveTagKeys.filter((key) => Object.hasOwn(sessionTags, key)).map((key) => ({ key, hop })),
  );
}
