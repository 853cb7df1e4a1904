import type { EcrToken, Issued, Session } from '../api/credentials.ts';
import type { Ecr } from '../aws/ecr.ts';
import { AwsError } from '../aws/errors.ts';
import { ownerOf } from '../aws/options.ts';
import { type Admission, bucketName, type Payer } from '../aws/rate.ts';
import type { AssumeRoleInput, Sts } from '../aws/sts.ts';
import type { KubeClient } from '../kube/client.ts';
import { Booking } from './booking.ts';
import { hopBucket, signerOf } from './chain.ts';
import { type Clamp, clampTo, ROLE_CHAINING_SECONDS } from './duration.ts';
import { ecrToken, tokenBucket, tokenSources } from './ecr-token.ts';
import { sourceKey, type TokenSource } from './registries.ts';
import type { IssueRequest } from './request.ts';
import { serviceAccountToken } from './service-account-token.ts';

/** What an issue gave, and how the request was changed on the way. */
export interface IssueResult extends Issued {
  /** The duration that STS granted. */
  effectiveDurationSeconds: number;
  clamps: Clamp[];
  /** Set when STS refused a longer duration: hand it to `issueRequest` until the generation changes. */
  roleSeconds?: number;
}

export interface IssuerOptions {
  sts: Pick<Sts, 'assumeRole' | 'assumeRoleWithWebIdentity'>;
  ecr: Pick<Ecr, 'authorizationToken' | 'publicAuthorizationToken'>;
  /** Gives the tokens of ServiceAccounts. */
  cluster: Pick<KubeClient, 'createToken'>;
  admission: Pick<Admission, 'throttled' | 'charge' | 'refund'>;
}

/** Asks STS for a session with whatever identity is at hand. */
type Ask = (input: AssumeRoleInput) => Promise<Session>;

/** Issues credentials with the operator's own identity, or with the token of a ServiceAccount. */
export class AssumeRoleIssuer {
  readonly #o: IssuerOptions;

  constructor(options: IssuerOptions) {
    this.#o = options;
  }

  /**
   * Issues once; the caller has claimed a token of each of `bucketsOf(request)` before. All or nothing: where a registry
   * token fails, the session is dropped and dies by itself.
   * @throws AwsError; RolevendError `NoIdentity` and those of `serviceAccountToken`; the signal's reason when it aborts
   */
  async issue(request: IssueRequest, signal?: AbortSignal): Promise<IssueResult> {
    const booking = new Booking(this.#o.admission, bucketsOf(request));
    try {
      const { session, clamp } = await this.#session(request, booking, signal);
      const fetched = await this.#tokens(request, session, booking, signal);
      return resultOf(request, session, fetched, clamp);
    } finally {
      booking.close();
    }
  }

  /** All registry tokens at once, by `sourceKey`. */
  async #tokens(
    request: IssueRequest,
    session: Session,
    booking: Booking,
    signal: AbortSignal | undefined,
  ): Promise<Map<string, EcrToken>> {
    const fetched = tokenSources(request).map(async (source): Promise<[string, EcrToken]> => {
      const fetch = () => ecrToken(this.#o.ecr, request, source, session, signal);
      return [sourceKey(source), await booking.pay(tokenBucket(request.roleArn, source), fetch)];
    });
    return new Map(await Promise.all(fetched));
  }

  /** STS does not tell a role's maximum. Every role allows an hour, so a refused longer duration is tried once with it. */
  async #session(
    request: IssueRequest,
    booking: Booking,
    signal: AbortSignal | undefined,
  ): Promise<{ session: Session; clamp?: Clamp }> {
    const { ask, bucket } = await this.#signer(request, booking, signal);
    const input = sessionOf(request);
    try {
      return { session: await booking.pay(bucket, () => ask(input)) };
    } catch (error) {
      const tooLong = error instanceof AwsError && error.trouble === 'duration';
      if (!tooLong || request.durationSeconds <= ROLE_CHAINING_SECONDS) throw error;
    }
    const clamp = clampTo('RoleMaximum', ROLE_CHAINING_SECONDS);
    return { session: await booking.pay(bucket, () => ask({ ...input, durationSeconds: clamp.seconds })), clamp };
  }

  /**
   * Goes the way up to the last session before the vended one. Those of the hops are known to nobody but this function,
   * and end by themselves. Each request is booked in the bucket of who signs it.
   */
  async #signer(
    request: IssueRequest,
    booking: Booking,
    signal: AbortSignal | undefined,
  ): Promise<{ ask: Ask; bucket: string }> {
    const { sts } = this.#o;
    let ask = await this.#opener(request, signal);
    let bucket = bucketOf(request);
    let { caller } = request;
    for (const hop of request.hops ?? []) {
      const asking = ask;
      const signer = signerOf(await booking.pay(bucket, () => asking(hop)), hop, caller);
      ask = (input) => sts.assumeRole(input, signal, signer);
      bucket = hopBucket(hop, request.region);
      caller = signer.caller;
    }
    return { ask, bucket };
  }

  /** The first request on the way: with the operator's own identity, or with the token of a ServiceAccount. */
  async #opener({ serviceAccount, namespace }: IssueRequest, signal: AbortSignal | undefined): Promise<Ask> {
    const { sts, cluster } = this.#o;
    if (serviceAccount === undefined) return (input) => sts.assumeRole(input, signal);
    const token = await serviceAccountToken(cluster, { ...serviceAccount, namespace }, signal);
    return (input) => sts.assumeRoleWithWebIdentity({ ...input, token }, signal);
  }
}

function resultOf(
  request: IssueRequest,
  session: Session,
  fetched: ReadonlyMap<string, EcrToken>,
  clamp: Clamp | undefined,
): IssueResult {
  const logins = withTokens(request.logins, fetched);
  const tokens = withTokens(request.tokens, fetched);
  return {
    session,
    ...(logins.length > 0 && { logins }),
    ...(tokens.length > 0 && { tokens }),
    region: request.region,
    roleArn: request.roleArn,
    effectiveDurationSeconds: clamp?.seconds ?? request.durationSeconds,
    clamps: clamp === undefined ? request.clamps : [...request.clamps, clamp],
    ...(clamp !== undefined && { roleSeconds: clamp.seconds }),
  };
}

/** What STS is told of the session. */
function sessionOf(request: IssueRequest): AssumeRoleInput {
  const { roleArn, sessionName, durationSeconds, region, externalId, sourceIdentity } = request;
  const { sessionPolicy, policyFrom, policyArns, sessionTags, transitiveTagKeys } = request;
  const narrowed = { sessionPolicy, policyFrom, policyArns, sessionTags, transitiveTagKeys };
  return { roleArn, sessionName, durationSeconds, region, externalId, sourceIdentity, ...narrowed };
}

/** The buckets to claim a token of before `issue`: those of the role and of its chain, and last the one of who asks. */
export function bucketsOf(
  request: Pick<IssueRequest, 'caller' | 'roleArn' | 'region' | 'hops' | 'logins' | 'tokens'>,
): string[] {
  const tokens = tokenSources(request).map((source) => tokenBucket(request.roleArn, source));
  const hops = (request.hops ?? []).map((hop) => hopBucket(hop, request.region));
  return [...new Set([...tokens, ...hops, bucketOf(request)])];
}

/** The bucket of the first request. */
export function bucketOf(request: Pick<IssueRequest, 'caller' | 'roleArn' | 'region'>): string {
  const operation = request.caller === undefined ? 'AssumeRoleWithWebIdentity' : 'AssumeRole';
  return bucketName(payerOf(request), request.region, operation);
}

/** Everything that is wanted, with its token in the place of the token's source. */
function withTokens<T extends { source: TokenSource }>(
  wanted: readonly T[],
  fetched: ReadonlyMap<string, EcrToken>,
): (Omit<T, 'source'> & { token: EcrToken })[] {
  return wanted.flatMap(({ source, ...rest }) => {
    const token = fetched.get(sourceKey(source));
    return token === undefined ? [] : [{ ...rest, token }];
  });
}

/** On whose limits the first call of a request counts: without a caller on those of the role's account. */
function payerOf({ caller, roleArn }: Pick<IssueRequest, 'caller' | 'roleArn'>): Payer {
  return caller ?? { ...ownerOf(roleArn), arn: roleArn, role: 'web-identity' };
}
