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
import type { BaseCredentials } from './options.ts';
import type { Answer, Transport } from './transport.ts';

/** What a session is asked for with. */
export interface AssumeRoleInput {
  roleArn: string;
  /** 2 to 64 characters of `[\w+=,.@-]`. */
  sessionName: string;
  /** 900 to 43,200. */
  durationSeconds: number;
  externalId?: string | undefined;
  /** Region of the STS endpoint. Default: the operator's. */
  region?: string | undefined;
}

/** As `AssumeRoleInput`, with the token of an OIDC provider instead of the operator's own identity. */
export interface WebIdentityInput extends Omit<AssumeRoleInput, 'externalId'> {
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
   * One AssumeRole, never repeated by itself.
   * @throws AwsError; RolevendError `NoIdentity` while the operator has none; the signal's reason when it aborts
   */
  async assumeRole(input: AssumeRoleInput, signal?: AbortSignal): Promise<Session> {
    const credentials = await this.#identity.credentials(signal);
    const context = this.#context('AssumeRole', input);
    const attempt = () => {
      const client = this.#client(context.region, credentials);
      const command = new AssumeRoleCommand(commandInput(input));
      return { client, command, send: (abortSignal: AbortSignal) => client.send(command, { abortSignal }) };
    };
    try {
      return session(await this.#transport.call({ context, attempt }, signal), context);
    } catch (error) {
      if (doubtsIdentity(error, context.region === this.#transport.region)) this.#identity.invalidate(credentials);
      throw error;
    }
  }

  /** One AssumeRoleWithWebIdentity: nothing of the operator's own identity enters. Throws as `assumeRole`. */
  async assumeRoleWithWebIdentity(input: WebIdentityInput, signal?: AbortSignal): Promise<Session> {
    const context = this.#context('AssumeRoleWithWebIdentity', input);
    const attempt = () => {
      const client = new STSClient(this.#transport.clientConfig(context.region));
      const command = new AssumeRoleWithWebIdentityCommand({
        ...commandInput(input),
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
    const client = new STSClient(this.#transport.clientConfig(region, credentials));
    this.#clients.set(region, { credentials, client });
    return client;
  }

  #context(operation: string, input: AssumeRoleInput | WebIdentityInput): AwsContext {
    const region = input.region ?? this.#transport.region;
    const caller = operation === 'AssumeRole' ? this.#identity.current?.caller : undefined;
    const externalId = 'externalId' in input ? input.externalId : undefined;
    return { service: 'STS', operation, region, roleArn: input.roleArn, caller, externalId };
  }
}

/** In a Region that is not enabled AWS knows no access key, however good: that says nothing about ours. */
function doubtsIdentity(error: unknown, ownRegion: boolean): boolean {
  if (!(error instanceof AwsError) || error.trouble !== 'credentials') return false;
  return ownRegion || !['InvalidClientTokenId', 'UnrecognizedClient'].includes(error.code);
}

function commandInput(input: AssumeRoleInput | WebIdentityInput): AssumeRoleCommandInput {
  return {
    RoleArn: input.roleArn,
    RoleSessionName: input.sessionName,
    DurationSeconds: input.durationSeconds,
    ...('externalId' in input && input.externalId !== undefined && { ExternalId: input.externalId }),
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
