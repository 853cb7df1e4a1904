import type { Hop } from '../api/chain.ts';
import type { Session } from '../api/credentials.ts';
import type { Terms } from '../api/role-grant.ts';
import { type CallerIdentity, ownerOf, type Signer } from '../aws/options.ts';
import { bucketName, type Payer } from '../aws/rate.ts';
import type { AssumeRoleInput } from '../aws/sts.ts';

/** Life of a hop's session in seconds: the shortest that STS grants, since it signs one request. */
const HOP_SECONDS = 900;

/** What is asked of STS for each hop. All are named `name`, which is also a source identity that the terms derive. */
export function hopRequests(
  chain: readonly Hop[],
  hopTerms: readonly Pick<Terms, 'sourceIdentity'>[],
  { name, region }: { name: string; region: string },
): AssumeRoleInput[] {
  return chain.map((hop, index) => ({
    ...hop,
    sessionName: name,
    durationSeconds: HOP_SECONDS,
    region,
    ...(hopTerms[index]?.sourceIdentity === 'Derived' && { sourceIdentity: name }),
    path: `spec.chain[${index}]`,
  }));
}

/** The session of a hop as the one that signs the next request. `before` is who asked for it, where that is known. */
export function signerOf(session: Session, hop: AssumeRoleInput, before: CallerIdentity | undefined): Signer {
  const { roleArn } = hop;
  const isTagging = (hop.transitiveTagKeys ?? []).length > 0;
  return {
    session,
    caller: {
      ...ownerOf(roleArn),
      arn: session.assumedRoleArn,
      role: roleNameOf(roleArn),
      roleArn,
      isSession: true,
      carriesTags: isTagging || (before?.carriesTags ?? false),
      carriesSourceIdentity: hop.sourceIdentity !== undefined || (before?.carriesSourceIdentity ?? false),
    },
  };
}

/** The rate bucket of what the session of a hop asks for. */
export function hopBucket({ roleArn }: Pick<Hop, 'roleArn'>, region: string): string {
  return bucketName(sessionPayer(roleArn), region, 'AssumeRole');
}

/** On whose limits counts what the sessions of a role sign. */
export function sessionPayer(roleArn: string): Payer {
  return { ...ownerOf(roleArn), arn: roleArn, role: roleNameOf(roleArn) };
}

function roleNameOf(roleArn: string): string {
  return roleArn.slice(roleArn.lastIndexOf('/') + 1);
}
