import { type EcrToken, SecretValue, type Session } from '../api/credentials.ts';
import { PUBLIC_REGION } from '../api/ecr-host.ts';
import { RolevendError } from '../errors.ts';
import type { AwsContext } from './errors.ts';
import { credentialsOf } from './options.ts';
import { throughSdk } from './sdk.ts';
import type { Answer, Transport } from './transport.ts';

/** How long an ECR token lives when the answer does not say so, in milliseconds. */
const TOKEN_LIFE_MS = 12 * 3_600_000;

export interface PublicTokenInput {
  /** Signs the request. */
  session: Session;
  /** Whose session it is, for the advice in errors. */
  roleArn: string;
}

export interface EcrTokenInput extends PublicTokenInput {
  /** Region of the registry. */
  region: string;
  /** Account of the registry. Default: the session's. AWS gives a token for every registry that the role may use. */
  accountId?: string;
}

/** What both services answer. */
interface TokenData {
  authorizationToken?: string | undefined;
  expiresAt?: Date | undefined;
}

/** Authorization tokens of ECR and ECR Public. Times are server time, as those of `Sts`. */
export class Ecr {
  readonly #transport: Transport;

  constructor(options: { transport: Transport }) {
    this.#transport = options.transport;
  }

  /** One GetAuthorizationToken, never repeated by itself. Throws AwsError, or the signal's reason when it aborts. */
  async authorizationToken(input: EcrTokenInput, signal?: AbortSignal): Promise<EcrToken> {
    const { region, roleArn, session, accountId } = input;
    const context: AwsContext = { service: 'ECR', operation: 'GetAuthorizationToken', region, roleArn };
    // Only who pulls images pays for the SDK's client.
    const { ECRClient, GetAuthorizationTokenCommand } = await import('@aws-sdk/client-ecr');
    const send = throughSdk(() => {
      const client = new ECRClient(this.#transport.clientConfig(region, credentialsOf(session)));
      const command = new GetAuthorizationTokenCommand(accountId === undefined ? {} : { registryIds: [accountId] });
      return { command, send: (options) => client.send(command, options) };
    });
    const answer = await this.#transport.call({ context, send }, signal);
    return tokenOf(answer.output.authorizationData?.[0], answer, context);
  }

  /** The same for ECR Public, in `PUBLIC_REGION`. */
  async publicAuthorizationToken({ roleArn, session }: PublicTokenInput, signal?: AbortSignal): Promise<EcrToken> {
    const operation = 'GetAuthorizationToken';
    const context: AwsContext = { service: 'ECR Public', operation, region: PUBLIC_REGION, roleArn };
    const { ECRPUBLICClient, GetAuthorizationTokenCommand } = await import('@aws-sdk/client-ecr-public');
    const send = throughSdk(() => {
      const client = new ECRPUBLICClient(this.#transport.clientConfig(PUBLIC_REGION, credentialsOf(session)));
      const command = new GetAuthorizationTokenCommand({});
      return { command, send: (options) => client.send(command, options) };
    });
    const answer = await this.#transport.call({ context, send }, signal);
    return tokenOf(answer.output.authorizationData, answer, context);
  }
}

function tokenOf(data: TokenData | undefined, { date, requestId }: Answer<object>, context: AwsContext): EcrToken {
  const password = passwordOf(data?.authorizationToken);
  if (password === undefined) {
    const message = `${context.service} answered without a token in ${context.region}.`;
    throw new RolevendError(message, { code: 'EcrUnreachable', consequence: 'retry', requestId });
  }
  return { username: 'AWS', password, issuedAt: date, expiresAt: data?.expiresAt?.getTime() ?? date + TOKEN_LIFE_MS };
}

/** The token is base64 of `AWS:<password>`. */
function passwordOf(token: string | undefined): SecretValue | undefined {
  const text = token === undefined ? '' : Buffer.from(token, 'base64').toString('utf8');
  const password = text.startsWith('AWS:') ? text.slice('AWS:'.length) : '';
  return password === '' ? undefined : new SecretValue(password);
}
