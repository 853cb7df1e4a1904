import type { EcrToken, Issued, Session } from '../api/credentials.ts';
import type { Ecr } from '../aws/ecr.ts';
import { AwsError, isThrottle } from '../aws/errors.ts';
import { type Admission, bucketName } from '../aws/rate.ts';
import type { AssumeRoleInput, Sts } from '../aws/sts.ts';
import { type Clamp, clampTo, ROLE_CHAINING_SECONDS } from './duration.ts';
import { ecrToken } from './ecr-token.ts';
import type { IssueRequest } from './request.ts';

/** What an issue gave, and how the request was changed on the way. */
export interface IssueResult extends Issued {
  region: string;
  /** The duration that STS granted. */
  effectiveDurationSeconds: number;
  clamps: Clamp[];
  /** Set when STS refused a longer duration: hand it to `issueRequest` until the generation changes. */
  roleSeconds?: number;
}

/** Issues credentials with the operator's own identity. */
export class AssumeRoleIssuer {
  readonly #sts: Pick<Sts, 'assumeRole'>;
  readonly #ecr: Pick<Ecr, 'authorizationToken'>;
  readonly #admission: Pick<Admission, 'throttled' | 'charge'>;

  constructor(options: {
    sts: Pick<Sts, 'assumeRole'>;
    ecr: Pick<Ecr, 'authorizationToken'>;
    admission: Pick<Admission, 'throttled' | 'charge'>;
  }) {
    this.#sts = options.sts;
    this.#ecr = options.ecr;
    this.#admission = options.admission;
  }

  /**
   * Issues once; the caller has claimed a token of `bucketOf(request)` before. All or nothing: where the registry
   * token fails, the session is dropped and dies by itself.
   * @throws AwsError; RolevendError `NoIdentity`; the signal's reason when it aborts
   */
  async issue(request: IssueRequest, signal?: AbortSignal): Promise<IssueResult> {
    const { session, clamp } = await this.#session(request, signal);
    const ecr = await this.#ecrToken(request, session, signal);
    return {
      session,
      ...(ecr !== undefined && { ecr }),
      region: request.region,
      effectiveDurationSeconds: clamp?.seconds ?? request.durationSeconds,
      clamps: clamp === undefined ? request.clamps : [...request.clamps, clamp],
      ...(clamp !== undefined && { roleSeconds: clamp.seconds }),
    };
  }

  async #ecrToken(
    request: IssueRequest,
    session: Session,
    signal: AbortSignal | undefined,
  ): Promise<EcrToken | undefined> {
    const bucket = ecrBucketOf(request);
    if (bucket === undefined) return undefined;
    this.#admission.charge(bucket);
    try {
      return await ecrToken(this.#ecr, request, session, signal);
    } catch (error) {
      if (isThrottle(error)) this.#admission.throttled(bucket);
      throw error;
    }
  }

  /** STS does not tell a role's maximum. Every role allows an hour, so a refused longer duration is tried once with it. */
  async #session(request: IssueRequest, signal: AbortSignal | undefined): Promise<{ session: Session; clamp?: Clamp }> {
    try {
      return { session: await this.#assumeRole(request, request.durationSeconds, signal) };
    } catch (error) {
      const tooLong = error instanceof AwsError && error.trouble === 'duration';
      if (!tooLong || request.durationSeconds <= ROLE_CHAINING_SECONDS) throw error;
    }
    this.#admission.charge(bucketOf(request));
    const clamp = clampTo('RoleMaximum', ROLE_CHAINING_SECONDS);
    return { session: await this.#assumeRole(request, clamp.seconds, signal), clamp };
  }

  async #assumeRole(request: IssueRequest, durationSeconds: number, signal: AbortSignal | undefined): Promise<Session> {
    try {
      return await this.#sts.assumeRole({ ...sessionOf(request), durationSeconds }, signal);
    } catch (error) {
      if (isThrottle(error)) this.#admission.throttled(bucketOf(request));
      throw error;
    }
  }
}

/** What STS is told of the session. */
function sessionOf(request: IssueRequest): AssumeRoleInput {
  const { roleArn, sessionName, durationSeconds, region, externalId, sourceIdentity } = request;
  const { sessionPolicy, policyArns, sessionTags, transitiveTagKeys } = request;
  const narrowed = { sessionPolicy, policyArns, sessionTags, transitiveTagKeys };
  return { roleArn, sessionName, durationSeconds, region, externalId, sourceIdentity, ...narrowed };
}

/** The bucket to claim a token of before `issue`. */
export function bucketOf(request: Pick<IssueRequest, 'caller' | 'region'>): string {
  return bucketName(request.caller, request.region, 'AssumeRole');
}

/** The bucket of the registry's tokens, to be looked at before `issue`; undefined where none is asked for. */
export function ecrBucketOf({ caller, ecrRegion }: Pick<IssueRequest, 'caller' | 'ecrRegion'>): string | undefined {
  return ecrRegion === undefined ? undefined : bucketName(caller, ecrRegion, 'GetAuthorizationToken');
}
