import { type ServiceAccountIdentity, serviceAccountOf } from '../api/auth.ts';
import { type AWSAssumeRole, type AWSAssumeRoleSpec, withDefaults } from '../api/aws-assume-role.ts';
import type { Terms } from '../api/role-grant.ts';
import { lastingNames, sessionNames, templateProblem } from '../api/template.ts';
import { tokenNames } from '../api/tokens.ts';
import { type CallerIdentity, ownerOf } from '../aws/options.ts';
import type { AssumeRoleInput } from '../aws/sts.ts';
import { RolevendError } from '../errors.ts';
import { hopRequests } from './chain.ts';
import { type Clamp, type ClampReason, effectiveDuration } from './duration.ts';
import { inputHash } from './input-hash.ts';
import { type WantedLogin, type WantedToken, wantedLogins, wantedTokens } from './registries.ts';
import { repositoryPolicy } from './repository-policy.ts';
import { defaultSessionName } from './session-name.ts';

/** One issue, decided in full: nothing is looked up any more. */
export interface IssueRequest {
  namespace: string;
  name: string;
  roleArn: string;
  /** Whose credentials sign the request; undefined where a ServiceAccount's token stands in for them. */
  caller?: CallerIdentity;
  /** The ServiceAccount whose token is exchanged, in `namespace`. */
  serviceAccount?: ServiceAccountIdentity;
  /** The sessions on the way to this one, in the order in which they are asked for; undefined where there are none. */
  hops?: AssumeRoleInput[];
  sessionName: string;
  externalId?: string;
  sourceIdentity?: string;
  sessionPolicy?: string;
  /** The field that it comes from where that is not `sessionPolicy`. */
  policyFrom?: string;
  policyArns?: string[];
  sessionTags?: Record<string, string>;
  transitiveTagKeys?: string[];
  /** After all clamps. */
  durationSeconds: number;
  clamps: Clamp[];
  /** Region of the STS endpoint, and the one shown in outputs. */
  region: string;
  /** The entries of an image pull Secret; none for other types. */
  logins: WantedLogin[];
  /** The tokens that templates name. */
  tokens: WantedToken[];
  inputHash: string;
}

export interface RequestInput {
  object: Pick<AWSAssumeRole, 'metadata' | 'spec'>;
  /** What the matching grants say together. */
  terms: Partial<Pick<Terms, 'maxDurationSeconds' | 'sourceIdentity'>>;
  /** The same for each hop of the chain. Default: nothing is derived for them. */
  hopTerms?: readonly Pick<Terms, 'sourceIdentity'>[];
  /** The operator's own identity; it may be missing where the spec needs none (`needsCaller`). */
  caller: CallerIdentity | undefined;
  /** Region of the operator. */
  region: string;
  /**
   * Seconds that STS turned out to grant at most for this role at the present generation, as an earlier issue returned
   * it (`roleSeconds`). Not what a grant or role chaining left: those may be lifted without a new generation.
   */
  roleSeconds?: number | undefined;
}

/**
 * The request that an object means.
 * @throws RolevendError `InvalidSpec` (stop) where it means none; CRD validation has caught nearly all such objects
 */
export function issueRequest(input: RequestInput): IssueRequest {
  const { object, terms } = input;
  const { namespace = '', name } = object.metadata;
  const spec = withDefaults(object.spec);
  const problem = templateProblem(spec.template, [...sessionNames, ...lastingNames, ...tokenNames(spec.tokens)]);
  if (problem !== undefined) throw invalidSpec(problem);
  const roleArn = roleArnOf(spec, input.caller);
  const serviceAccount = serviceAccountOf(spec);
  const caller = serviceAccount === undefined ? input.caller : undefined;
  const region = spec.region ?? input.region;
  const derivedName = defaultSessionName(namespace, name);
  const hops = hopRequests(spec.chain ?? [], input.hopTerms ?? [], { name: derivedName, region });
  const { seconds, clamps } = effectiveDuration({
    requested: spec.durationSeconds,
    grantSeconds: terms.maxDurationSeconds,
    isSession: caller?.isSession ?? false,
    isChained: hops.length > 0,
    roleSeconds: input.roleSeconds,
  });
  const logins = wantedLogins(spec, { roleArn, region });
  const derived = terms.sourceIdentity === 'Derived' ? { sourceIdentity: derivedName } : {};
  return {
    namespace,
    name,
    roleArn,
    ...(caller !== undefined && { caller }),
    ...(serviceAccount !== undefined && { serviceAccount }),
    ...(hops.length > 0 && { hops }),
    sessionName: spec.sessionName ?? derivedName,
    ...sessionOf(spec),
    ...derived,
    ...(spec.ecr?.restrictToRepositories === true && {
      sessionPolicy: repositoryPolicy(logins, roleArn),
      policyFrom: 'ecr.restrictToRepositories',
    }),
    durationSeconds: seconds,
    clamps,
    region,
    logins,
    tokens: wantedTokens(spec, { roleArn, region }),
    inputHash: inputHash({
      spec: object.spec,
      terms: { ...changedByGrants(clamps), ...derived, ...derivedForHops(hops) },
      caller: caller ?? ownerOf(roleArn),
    }),
  };
}

/** The hops that get a source identity from the grants, by index. */
function derivedForHops(hops: readonly AssumeRoleInput[]): { hopSourceIdentities?: number[] } {
  const indexes = hops.flatMap(({ sourceIdentity }, index) => (sourceIdentity === undefined ? [] : [index]));
  return indexes.length === 0 ? {} : { hopSourceIdentities: indexes };
}

/** What the spec says about the session itself. */
function sessionOf(
  spec: Pick<AWSAssumeRoleSpec, (typeof sessionKeys)[number]>,
): Pick<IssueRequest, (typeof sessionKeys)[number]> {
  if (spec.sessionPolicy !== undefined) checkPolicy(spec.sessionPolicy);
  const set = sessionKeys.filter((key) => spec[key] !== undefined).map((key) => [key, spec[key]]);
  return Object.fromEntries(set);
}

const sessionKeys = [
  'externalId',
  'sourceIdentity',
  'sessionPolicy',
  'policyArns',
  'sessionTags',
  'transitiveTagKeys',
] as const satisfies readonly (keyof AWSAssumeRoleSpec & keyof IssueRequest)[];

/** No rule of the CRD can read JSON. */
function checkPolicy(policy: string): void {
  try {
    JSON.parse(policy);
  } catch {
    throw invalidSpec('spec.sessionPolicy is not JSON: look for a missing or superfluous comma, quote or bracket');
  }
}

/** Whether nothing can be asked for without the operator's own identity. */
export function needsCaller(spec: Pick<AWSAssumeRoleSpec, 'auth' | 'roleArn'>): boolean {
  return serviceAccountOf(spec) === undefined || spec.roleArn === undefined;
}

/**
 * The ARN of the role: as written, or the name in the account and partition of the operator's own identity.
 * @throws RolevendError `InvalidSpec` when the spec names no role, or only the name of one and `caller` is not known
 */
export function roleArnOf(
  spec: Pick<AWSAssumeRoleSpec, 'roleArn' | 'roleName'>,
  caller: Pick<CallerIdentity, 'partition' | 'accountId'> | undefined,
): string {
  if (spec.roleArn !== undefined) return spec.roleArn;
  if (spec.roleName !== undefined && caller !== undefined)
    return `arn:${caller.partition}:iam::${caller.accountId}:role/${spec.roleName}`;
  throw invalidSpec('set exactly one of spec.roleName and spec.roleArn');
}

/** Only what the grants really changed enters the hash, so that a grant that changes nothing renews nothing. */
function changedByGrants(clamps: Clamp[]): { maxDurationSeconds?: number } {
  const byGrant: ClampReason = 'Grant';
  const clamp = clamps.find(({ reason }) => reason === byGrant);
  return clamp === undefined ? {} : { maxDurationSeconds: clamp.seconds };
}

function invalidSpec(message: string): RolevendError {
  return new RolevendError(message, { code: 'InvalidSpec', consequence: 'stop' });
}
