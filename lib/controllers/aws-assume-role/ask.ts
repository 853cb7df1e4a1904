import { type AWSAssumeRole, type ResolvedSpec, stoppingProblems } from '../../api/aws-assume-role.ts';
import { findCondition } from '../../api/conditions.ts';
import type { RoleGrant } from '../../api/role-grant.ts';
import { PROCESS_DURATION_SECONDS } from '../../api/secret-type.ts';
import { type CallerIdentity, ownerOf } from '../../aws/options.ts';
import { partitionOfRegion } from '../../aws/regions.ts';
import { bucketsOf } from '../../credentials/assume-role.ts';
import type { Clamp } from '../../credentials/duration.ts';
import { evaluateChain } from '../../credentials/grant-chain.ts';
import { namedRegions } from '../../credentials/grant-regions.ts';
import { selectsByLabel } from '../../credentials/grants.ts';
import { type IssueRequest, issueRequest, needsCaller, roleArnOf } from '../../credentials/request.ts';
import { RolevendError } from '../../errors.ts';

/** What an issue depends on beside the object itself. */
export interface Surroundings {
  /** The operator's own identity; undefined while it has none. */
  caller: CallerIdentity | undefined;
  /** Why it has none. */
  identityProblem: string | undefined;
  /** Region of the operator. */
  region: string;
  grants: Iterable<RoleGrant>;
  /** Labels of the object's namespace; undefined while it is not known. */
  namespaceLabels: Readonly<Record<string, string>> | undefined;
}

/** Why nothing can be issued, before anybody was asked. */
export interface Obstacle {
  code: 'InvalidSpec' | 'NoIdentity' | 'NamespaceUnknown' | 'GrantDenied';
  message: string;
  permanent: boolean;
}

/** What the object asks for, or why it cannot be asked for. */
export type Asked = {
  roleArn?: string;
  /** What the grants say; undefined where they could not be asked. */
  granted?: { allowed: boolean; message: string };
} & (
  | { obstacle: Obstacle; request?: undefined }
  | {
      obstacle?: undefined;
      request: IssueRequest;
      /** Names of the rate buckets to claim from, in this order. */
      buckets: readonly string[];
      /** Names and generations of the grants that allow it. */
      grantsKey?: string;
    }
);

/** Turns the object into one request, if its spec, the operator's identity and the grants allow one. Asks nobody. */
export function ask(
  object: AWSAssumeRole,
  spec: ResolvedSpec,
  { caller, identityProblem, region, grants, namespaceLabels }: Surroundings,
): Asked {
  const problems = stoppingProblems(object.spec);
  if (problems.length > 0) return obstacle('InvalidSpec', problems.join('; '));
  if (caller === undefined && needsCaller(spec)) {
    return obstacle('NoIdentity', identityProblem ?? 'the operator has no AWS identity', false);
  }
  const { name, namespace = '' } = object.metadata;
  const roleArn = roleArnOf(object.spec, caller);
  const all = [...grants];
  if (namespaceLabels === undefined && all.some(selectsByLabel)) return { ...unknownNamespace(namespace), roleArn };
  // Without an identity `self` stands for the account of the role, so that no limit is missed.
  const self = caller ?? ownerOf(roleArn);
  const regions = namedRegions(object.spec, region);
  const isHome = (other: string) => partitionOfRegion(other) === partitionOfRegion(region);
  const decision = evaluateChain(all, { namespace, namespaceLabels, name, roleArn, self, spec, regions, isHome });
  if (!decision.allowed) {
    return {
      ...obstacle('GrantDenied', decision.message),
      roleArn,
      granted: { allowed: false, message: decision.message },
    };
  }
  try {
    const request = issueRequest({
      object,
      terms: decision.terms,
      hopTerms: decision.hopTerms,
      caller,
      region,
      roleSeconds: learnedSeconds(object),
    });
    const granted = { allowed: true, message: decision.granted.map(whyGranted).join('; ') };
    const names = decision.granted.flatMap((one) => one.grants);
    const grantsKey = keyOfGrants(all, names);
    return { roleArn, granted, request, buckets: bucketsOf(request), grantsKey };
  } catch (error) {
    if (error instanceof RolevendError && error.code === 'InvalidSpec') return obstacle('InvalidSpec', error.message);
    throw error;
  }
}

/** What a new namespace may do is told by the watch that brings its labels. Until then it is neither denied nor allowed. */
function unknownNamespace(namespace: string): { obstacle: Obstacle } {
  const message = `the labels of namespace ${namespace} are not known yet, and grants select by them`;
  return obstacle('NamespaceUnknown', message, false);
}

/** Whether something is not known yet without which no request can be made, so that what was told of it before still counts. */
export function isUnknown(found: Obstacle | undefined): boolean {
  return found?.code === 'NoIdentity' || found?.code === 'NamespaceUnknown';
}

function whyGranted({ grants, roleArn }: { grants: readonly string[]; roleArn: string }): string {
  if (grants.length > 0) return `RoleGrant ${grants.join(', ')} allows ${roleArn}`;
  return `no RoleGrant is needed: IAM decides by the ServiceAccount whether it may use ${roleArn}`;
}

/** Changes with every change of a grant that matters here. */
function keyOfGrants(grants: readonly RoleGrant[], names: readonly string[]): string {
  const mine = grants.filter(({ metadata }) => names.includes(metadata.name));
  return mine
    .map(({ metadata }) => `${metadata.name}@${metadata.uid}/${metadata.generation}`)
    .sort()
    .join(' ');
}

function obstacle(code: Obstacle['code'], message: string, permanent = true): { obstacle: Obstacle } {
  return { obstacle: { code, message, permanent } };
}

/** What STS turned out to grant this role at most, kept in the status until the generation changes. */
function learnedSeconds({ metadata, status }: AWSAssumeRole): number | undefined {
  if (status?.observedGeneration !== metadata.generation) return undefined;
  const isLearned = findCondition(status?.conditions, 'DurationClamped')?.reason === 'RoleMaximum';
  return isLearned ? status?.effectiveDurationSeconds : undefined;
}

/** Greatest part of a life that `minRemainingSeconds` can hold, as `refreshWindow` says. */
const MAX_REMAINING = 0.6;

/** The condition `DurationClamped` for what shortened a request, the tightest last; undefined where nothing did. */
export function clampNote(
  clamps: readonly Clamp[],
  spec: ResolvedSpec,
): { reason: string; message: string } | undefined {
  const tightest = clamps.at(-1);
  if (tightest === undefined) return undefined;
  const kept = Math.floor(MAX_REMAINING * tightest.seconds);
  const { minRemainingSeconds } = spec.refresh;
  const tooLong = spec.secretType !== 'EcrDockerConfigJson' && minRemainingSeconds > kept;
  const note = ` spec.refresh.minRemainingSeconds (${minRemainingSeconds}) is more than 60 % of that: ${kept} s are kept.`;
  const message = tightest.message + (tooLong ? note : '') + processNote(tightest.seconds, spec);
  return { reason: tightest.reason, message };
}

/** AWS SDKs run a `credential_process` again so long before the end that a short session is asked for all the time. */
function processNote(seconds: number, { secretType }: ResolvedSpec): string {
  if (secretType !== 'Process' || seconds >= PROCESS_DURATION_SECONDS) return '';
  return ` secretType Process is made for ${PROCESS_DURATION_SECONDS} s or more: AWS SDKs reload up to 15 minutes before the end, so with ${seconds} s they run credential_process more often, and near the end for every request.`;
}
