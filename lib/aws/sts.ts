import { SecretValue, type Session } from '../api/credentials.ts';
import { RolevendError } from '../errors.ts';
import { AwsError } from './errors.ts';
import type { BaseIdentity } from './identity.ts';
import { type CallerIdentity, credentialsOf, type Signer } from './options.ts';
import { StsClient, type StsContext } from './sts-client.ts';
import type { Action, Inputs, Outputs } from './sts-protocol.ts';
import { tokenClaims } from './token-claims.ts';
import type { Answer, Transport } from './transport.ts';

/** What every session is asked for with. */
export interface SessionInput {
  roleArn: string;
  /** 2 to 64 characters of `[\w+=,.@-]`. */
  sessionName: string;
  /** 900 to 43,200. */
  durationSeconds: number;
  /** Policy in JSON that narrows the session. */
  sessionPolicy?: string | undefined;
  /** The field that it comes from, for the advice in errors. Default: `sessionPolicy`. */
  policyFrom?: string | undefined;
  /** ARNs of managed policies that narrow it, too. */
  policyArns?: readonly string[] | undefined;
  /** Region of the STS endpoint. Default: the operator's. */
  region?: string | undefined;
}

/** A session that is asked for with other credentials. */
export interface AssumeRoleInput extends SessionInput {
  externalId?: string | undefined;
  sourceIdentity?: string | undefined;
  sessionTags?: Readonly<Record<string, string>> | undefined;
  /** Keys of `sessionTags`. */
  transitiveTagKeys?: readonly string[] | undefined;
  /** Where in the object these fields stand, for the advice in errors. Default: `spec`. */
  path?: string | undefined;
}

/** A session that is asked for with the token of an OIDC provider instead of the operator's own identity. */
export interface WebIdentityInput extends SessionInput {
  token: SecretValue;
}

/**
 * Sessions from STS. `issuedAt` (the answer's `Date`) and `expiresAt` (as granted) are **server time**: compare them
 * with `clock.now() + sts.skewMs`, never with the bare local clock.
 */
export class Sts {
  readonly #transport: Transport;
  readonly #identity: BaseIdentity;
  readonly #client: StsClient;

  constructor(options: { transport: Transport; identity: BaseIdentity }) {
    this.#transport = options.transport;
    this.#client = new StsClient(options.transport);
    this.#identity = options.identity;
  }

  /** Server time minus local time in milliseconds, 0 while the clocks agree within the header's second. */
  get skewMs(): number {
    return this.#transport.skewMs;
  }

  /**
   * One AssumeRole, never repeated by itself. `signer` signs it in place of the operator's own identity.
   * @throws AwsError; RolevendError `NoIdentity` while the operator has none; the signal's reason when it aborts
   */
  async assumeRole(input: AssumeRoleInput, signal?: AbortSignal, signer?: Signer): Promise<Session> {
    const credentials = signer ? credentialsOf(signer.session) : await this.#identity.credentials(signal);
    const context = this.#context('AssumeRole', input, signer?.caller ?? this.#identity.current?.caller);
    try {
      return session(await this.#client.ask(context, requestOf(input), credentials, signal), context);
    } catch (error) {
      if (signer === undefined && this.#doubtsIdentity(error, context)) this.#identity.invalidate(credentials);
      throw error;
    }
  }

  /** One AssumeRoleWithWebIdentity: nothing of the operator's own identity enters. Throws as `assumeRole`. */
  async assumeRoleWithWebIdentity(input: WebIdentityInput, signal?: AbortSignal): Promise<Session> {
    const context = { ...this.#context('AssumeRoleWithWebIdentity', input), claims: tokenClaims(input.token) };
    const request = { ...sessionRequest(input), WebIdentityToken: input.token.reveal() };
    return session(await this.#client.ask(context, request, undefined, signal), context);
  }

  /**
   * Whether a refusal speaks against the operator's own credentials. Only the endpoint of the own Region can tell: in a
   * Region that is not enabled AWS knows no access key, and an endpoint that was set for one Region accepts no signature
   * for another, however good the credentials are.
   */
  #doubtsIdentity(error: unknown, { region }: StsContext<Action>): boolean {
    return error instanceof AwsError && error.trouble === 'credentials' && region === this.#transport.region;
  }

  #context<A extends Action>(
    operation: A,
    input: SessionInput & Partial<AssumeRoleInput>,
    caller?: CallerIdentity,
  ): StsContext<A> {
    const { roleArn, externalId, path, region = this.#transport.region } = input;
    const set = { tagged: isTagged(input), sourceIdentity: input.sourceIdentity !== undefined };
    return { service: 'STS', operation, region, roleArn, caller, externalId, path, ...set, packed: packedParts(input) };
  }
}

function isTagged({ sessionTags = {} }: Partial<AssumeRoleInput>): boolean {
  return Object.keys(sessionTags).length > 0;
}

/** What takes of the space for session policies and tags, in the words of the object. */
function packedParts(input: Partial<AssumeRoleInput>): string[] {
  const { path = 'spec', sessionPolicy, policyFrom = 'sessionPolicy', policyArns = [], sessionTags = {} } = input;
  const tags = Object.keys(sessionTags).length;
  return [
    ...(sessionPolicy === undefined ? [] : [`${path}.${policyFrom} (${sessionPolicy.length} characters)`]),
    ...(policyArns.length === 0 ? [] : [`${path}.policyArns (${policyArns.length})`]),
    ...(tags === 0 ? [] : [`${path}.sessionTags (${tags})`]),
  ];
}

function sessionRequest({ roleArn, sessionName, durationSeconds, sessionPolicy, policyArns }: SessionInput) {
  return {
    RoleArn: roleArn,
    RoleSessionName: sessionName,
    DurationSeconds: durationSeconds,
    Policy: sessionPolicy,
    PolicyArns: filled(policyArns)?.map((arn) => ({ arn })),
  };
}

function requestOf(input: AssumeRoleInput): Inputs['AssumeRole'] {
  const tags = Object.entries(input.sessionTags ?? {});
  return {
    ...sessionRequest(input),
    ExternalId: input.externalId,
    SourceIdentity: input.sourceIdentity,
    Tags: filled(tags)?.map(([Key, Value]) => ({ Key, Value })),
    TransitiveTagKeys: filled(input.transitiveTagKeys),
  };
}

/** The SDK sends an empty list as one empty member, which AWS refuses. */
function filled<T>(list: readonly T[] | undefined): T[] | undefined {
  return list === undefined || list.length === 0 ? undefined : [...list];
}

function session(
  { output, date, requestId }: Answer<Outputs['AssumeRole' | 'AssumeRoleWithWebIdentity']>,
  context: StsContext<Action>,
): Session {
  const { AccessKeyId: id, SecretAccessKey: secret, SessionToken: token, Expiration: end } = output.Credentials ?? {};
  const expiresAt = end?.getTime();
  const { PackedPolicySize: packed } = output;
  if (!id || !secret || !token || expiresAt === undefined) {
    const message = `STS ${context.operation} answered without credentials in ${context.region}.`;
    throw new RolevendError(message, { code: 'StsUnreachable', consequence: 'retry', requestId });
  }
  return {
    accessKeyId: id,
    secretAccessKey: new SecretValue(secret),
    sessionToken: new SecretValue(token),
    issuedAt: date,
    expiresAt,
    assumedRoleArn: output.AssumedRoleUser?.Arn ?? '',
    ...(packed !== undefined && { packedPolicySizePercent: packed }),
    ...(requestId !== undefined && { requestId }),
  };
}
