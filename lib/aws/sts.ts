import {
  AssumeRoleCommand,
  type AssumeRoleCommandInput,
  AssumeRoleWithWebIdentityCommand,
  type Credentials,
  STSClient,
} from '@aws-sdk/client-sts';
import { SecretValue, type Session } from '../api/credentials.ts';
import { RolevendError } from '../errors.ts';
import { type AwsContext, AwsError } from './errors.ts';
import type { BaseIdentity } from './identity.ts';
import { type BaseCredentials, type CallerIdentity, credentialsOf, type Signer } from './options.ts';
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

interface Granted {
  Credentials?: Credentials | undefined;
  AssumedRoleUser?: { Arn: string | undefined } | undefined;
  PackedPolicySize?: number | undefined;
}

/**
 * Sessions from STS. `issuedAt` (the answer's `Date`) and `expiresAt` (as granted) are **server time**: compare them
 * with `clock.now() + sts.skewMs`, never with the bare local clock.
 */
export class Sts {
  readonly #transport: Transport;
  readonly #identity: BaseIdentity;
  readonly #clients = new Map<string, { credentials: BaseCredentials; client: STSClient }>();

  constructor(options: { transport: Transport; identity: BaseIdentity }) {
    this.#transport = options.transport;
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
    const attempt = () => {
      const client = signer ? this.#newClient(context.region, credentials) : this.#client(context.region, credentials);
      const command = new AssumeRoleCommand(assumeRoleInput(input));
      return { client, command, send: (abortSignal: AbortSignal) => client.send(command, { abortSignal }) };
    };
    try {
      return session(await this.#transport.call({ context, attempt }, signal), context);
    } catch (error) {
      const isOurs = signer === undefined && doubtsIdentity(error, context.region === this.#transport.region);
      if (isOurs) this.#identity.invalidate(credentials);
      throw error;
    }
  }

  /** One AssumeRoleWithWebIdentity: nothing of the operator's own identity enters. Throws as `assumeRole`. */
  async assumeRoleWithWebIdentity(input: WebIdentityInput, signal?: AbortSignal): Promise<Session> {
    const context = { ...this.#context('AssumeRoleWithWebIdentity', input), claims: tokenClaims(input.token) };
    const attempt = () => {
      const client = this.#newClient(context.region);
      const command = new AssumeRoleWithWebIdentityCommand({
        ...sessionInput(input),
        WebIdentityToken: input.token.reveal(),
      });
      return { client, command, send: (abortSignal: AbortSignal) => client.send(command, { abortSignal }) };
    };
    return session(await this.#transport.call({ context, attempt }, signal), context);
  }

  /** A client lives as long as the credentials it signs with, so that none signs with credentials that were replaced. */
  #client(region: string, credentials: BaseCredentials): STSClient {
    const known = this.#clients.get(region);
    if (known?.credentials === credentials) return known.client;
    const client = this.#newClient(region, credentials);
    this.#clients.set(region, { credentials, client });
    return client;
  }

  #newClient(region: string, credentials?: BaseCredentials): STSClient {
    return new STSClient(this.#transport.clientConfig(region, credentials));
  }

  #context(operation: string, input: SessionInput & Partial<AssumeRoleInput>, caller?: CallerIdentity): AwsContext {
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

/** In a Region that is not enabled AWS knows no access key, however good: that says nothing about ours. */
function doubtsIdentity(error: unknown, ownRegion: boolean): boolean {
  if (!(error instanceof AwsError) || error.trouble !== 'credentials') return false;
  return ownRegion || !['InvalidClientTokenId', 'UnrecognizedClient'].includes(error.code);
}

function sessionInput(input: SessionInput) {
  const { sessionPolicy, policyArns } = input;
  return {
    RoleArn: input.roleArn,
    RoleSessionName: input.sessionName,
    DurationSeconds: input.durationSeconds,
    ...(sessionPolicy !== undefined && { Policy: sessionPolicy }),
    ...(policyArns?.length && { PolicyArns: policyArns.map((arn) => ({ arn })) }),
  };
}

function assumeRoleInput(input: AssumeRoleInput): AssumeRoleCommandInput {
  const { externalId, sourceIdentity, sessionTags, transitiveTagKeys } = input;
  const tags = Object.entries(sessionTags ?? {}).map(([Key, Value]) => ({ Key, Value }));
  return {
    ...sessionInput(input),
    ...(externalId !== undefined && { ExternalId: externalId }),
    ...(sourceIdentity !== undefined && { SourceIdentity: sourceIdentity }),
    ...(tags.length > 0 && { Tags: tags }),
    ...(transitiveTagKeys?.length && { TransitiveTagKeys: [...transitiveTagKeys] }),
  };
}

function session(answer: Answer<Granted>, context: AwsContext): Session {
  const { Credentials: granted, AssumedRoleUser: user, PackedPolicySize: packed } = answer.output;
  if (!granted?.AccessKeyId || !granted.SecretAccessKey || !granted.SessionToken || !granted.Expiration) {
    const message = `STS ${context.operation} answered without credentials in ${context.region}.`;
    throw new RolevendError(message, { code: 'StsUnreachable', consequence: 'retry', requestId: answer.requestId });
  }
  return {
    accessKeyId: granted.AccessKeyId,
    secretAccessKey: new SecretValue(granted.SecretAccessKey),
    sessionToken: new SecretValue(granted.SessionToken),
    issuedAt: answer.date,
    expiresAt: granted.Expiration.getTime(),
    assumedRoleArn: user?.Arn ?? '',
    ...(packed !== undefined && { packedPolicySizePercent: packed }),
    ...(answer.requestId !== undefined && { requestId: answer.requestId }),
  };
}
