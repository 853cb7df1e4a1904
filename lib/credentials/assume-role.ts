import type { EcrToken, Issued, SecretValue, Session } from '../api/credentials.ts';
import type { Ecr } from '../aws/ecr.ts';
import { AwsError, isThrottle } from '../aws/errors.ts';
import { ownerOf } from '../aws/options.ts';
import { type Admission, bucketName } from '../aws/rate.ts';
import type { AssumeRoleInput, Sts } from '../aws/sts.ts';
import type { KubeClient } from '../kube/client.ts';
import { hopBucket, signerOf } from './chain.ts';
import { type Clamp, clampTo, ROLE_CHAINING_SECONDS } from './duration.ts';
import { ecrToken, tokenBucket, tokenSources } from './ecr-token.ts';
import { sourceKey, type TokenSource } from './registries.ts';
import type { IssueRequest } from './request.ts';
import { serviceAccountToken, type TokenRequest } from './service-account-token.ts';

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
   * Issues once; the caller has claimed a token of `bucketOf(request)` before. All or nothing: where a registry
   * token fails, the session is dropped and dies by itself.
   * @throws AwsError; RolevendError `NoIdentity` and those of `serviceAccountToken`; the signal's reason when it aborts
   */
  async issue(request: IssueRequest, signal?: AbortSignal): Promise<IssueResult> {
    const { session, clamp } = await this.#session(request, signal);
    const fetched = await this.#tokens(request, session, signal);
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

  /** All registry tokens at once, by `sourceKey`. */
  async #tokens(
    request: IssueRequest,
    session: Session,
    signal: AbortSignal | undefined,
  ): Promise<Map<string, EcrToken>> {
    const fetched = tokenSources(request).map(async (source): Promise<[string, EcrToken]> => {
      return [sourceKey(source), await this.#registryToken(request, source, session, signal)];
    });
    return new Map(await Promise.all(fetched));
  }

  async #registryToken(
    request: IssueRequest,
    source: TokenSource,
    session: Session,
    signal: AbortSignal | undefined,
  ): Promise<EcrToken> {
    const bucket = tokenBucket(payerOf(request), source);
    this.#o.admission.charge(bucket);
    try {
      return await ecrToken(this.#o.ecr, request, source, session, signal);
    } catch (error) {
      if (isThrottle(error)) this.#o.admission.throttled(bucket);
      throw error;
    }
  }

  /** STS does not tell a role's maximum. Every role allows an hour, so a refused longer duration is tried once with it. */
  async #session(request: IssueRequest, signal: AbortSignal | undefined): Promise<{ session: Session; clamp?: Clamp }> {
    const { ask, bucket } = await this.#signer(request, signal);
    const input = sessionOf(request);
    try {
      return { session: await this.#asked(bucket, () => ask(input)) };
    } catch (error) {
      const tooLong = error instanceof AwsError && error.trouble === 'duration';
      if (!tooLong || request.durationSeconds <= ROLE_CHAINING_SECONDS) throw error;
    }
    this.#o.admission.charge(bucket);
    const clamp = clampTo('RoleMaximum', ROLE_CHAINING_SECONDS);
    return { session: await this.#asked(bucket, () => ask({ ...input, durationSeconds: clamp.seconds })), clamp };
  }

  /**
   * Goes the way up to the last session before the vended one. Those of the hops are known to nobody but this function,
   * and end by themselves. Each request is booked in the bucket of who signs it.
   */
  async #signer(request: IssueRequest, signal: AbortSignal | undefined): Promise<{ ask: Ask; bucket: string }> {
    const { sts, admission } = this.#o;
    let ask = await this.#opener(request, signal);
    let bucket = bucketOf(request);
    let { caller } = request;
    for (const hop of request.hops ?? []) {
      const asking = ask;
      const signer = signerOf(await this.#asked(bucket, () => asking(hop)), hop, caller);
      ask = (input) => sts.assumeRole(input, signal, signer);
      bucket = hopBucket(hop, request.region);
      admission.charge(bucket);
      caller = signer.caller;
    }
    return { ask, bucket };
  }

  /** The first request on the way: with the operator's own identity, or with the token of a ServiceAccount. */
  async #opener(request: IssueRequest, signal: AbortSignal | undefined): Promise<Ask> {
    const { sts } = this.#o;
    if (request.serviceAccount === undefined) return (input) => sts.assumeRole(input, signal);
    const token = await this.#token({ ...request.serviceAccount, namespace: request.namespace }, request, signal);
    return (input) => sts.assumeRoleWithWebIdentity({ ...input, token }, signal);
  }

  async #token(account: TokenRequest, request: IssueRequest, signal: AbortSignal | undefined): Promise<SecretValue> {
    try {
      return await serviceAccountToken(this.#o.cluster, account, signal);
    } catch (error) {
      // AWS was not asked.
      this.#o.admission.refund(bucketOf(request));
      throw error;
    }
  }

  async #asked(bucket: string, ask: () => Promise<Session>): Promise<Session> {
    try {
      return await ask();
    } catch (error) {
      if (isThrottle(error)) this.#o.admission.throttled(bucket);
      throw error;
    }
  }
}

/** What STS is told of the session. */
function sessionOf(request: IssueRequest): AssumeRoleInput {
  const { roleArn, sessionName, durationSeconds, region, externalId, sourceIdentity } = request;
  const { sessionPolicy, policyFrom, policyArns, sessionTags, transitiveTagKeys } = request;
  const narrowed = { sessionPolicy, policyFrom, policyArns, sessionTags, transitiveTagKeys };
  return { roleArn, sessionName, durationSeconds, region, externalId, sourceIdentity, ...narrowed };
}

/** The bucket to claim a token of before `issue`. */
export function bucketOf(request: Pick<IssueRequest, 'caller' | 'roleArn' | 'region'>): string {
  const operation = request.caller === undefined ? 'AssumeRoleWithWebIdentity' : 'AssumeRole';
  return bucketName(payerOf(request), request.region, operation);
}

/** The buckets of what follows the first request of an issue, to be looked at before it. */
export function laterBucketsOf(
  request: Pick<IssueRequest, 'caller' | 'roleArn' | 'region' | 'hops' | 'logins' | 'tokens'>,
): string[] {
  const hops = (request.hops ?? []).map((hop) => hopBucket(hop, request.region));
  const tokens = tokenSources(request).map((source) => tokenBucket(payerOf(request), source));
  return [...new Set([...hops, ...tokens])];
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

/** On whose limits the calls of a request count: without a caller on those of the role's account. */
function payerOf({ caller, roleArn }: Pick<IssueRequest, 'caller' | 'roleArn'>): Parameters<typeof bucketName>[0] {
  return caller ?? { ...ownerOf(roleArn), arn: roleArn, role: 'web-identity' };
}
