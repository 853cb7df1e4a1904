import { ECRClient, GetAuthorizationTokenCommand } from '@aws-sdk/client-ecr';
import { type EcrToken, SecretValue, type Session } from '../api/credentials.ts';
import { RolevendError } from '../errors.ts';
import type { AwsContext } from './errors.ts';
import { credentialsOf } from './options.ts';
import type { Transport } from './transport.ts';

/** How long an ECR token lives when the answer does not say so, in milliseconds. */
const TOKEN_LIFE_MS = 12 * 3_600_000;

export interface EcrTokenInput {
  /** Signs the request. */
  session: Session;
  /** Region of the registry. The token holds for every registry of that Region that the role may use. */
  region: string;
  /** Whose session it is, for the advice in errors. */
  roleArn: string;
}

/** Authorization tokens of private ECR registries. Times are server time, as those of `Sts`. */
export class Ecr {
  readonly #transport: Transport;

  constructor(options: { transport: Transport }) {
    this.#transport = options.transport;
  }

  /** One GetAuthorizationToken, never repeated by itself. Throws AwsError, or the signal's reason when it aborts. */
  async authorizationToken(input: EcrTokenInput, signal?: AbortSignal): Promise<EcrToken> {
    const context: AwsContext = {
      service: 'ECR',
      operation: 'GetAuthorizationToken',
      region: input.region,
      roleArn: input.roleArn,
    };
    const attempt = () => {
      const client = new ECRClient(this.#transport.clientConfig(input.region, credentialsOf(input.session)));
      const command = new GetAuthorizationTokenCommand({});
      return { client, command, send: (abortSignal: AbortSignal) => client.send(command, { abortSignal }) };
    };
    const { output, date, requestId } = await this.#transport.call({ context, attempt }, signal);
    const [data] = output.authorizationData ?? [];
    const password = passwordOf(data?.authorizationToken);
    if (password === undefined) {
      const message = `ECR answered without a token in ${input.region}.`;
      throw new RolevendError(message, { code: 'EcrUnreachable', consequence: 'retry', requestId });
    }
    return { username: 'AWS', password, issuedAt: date, expiresAt: data?.expiresAt?.getTime() ?? date + TOKEN_LIFE_MS };
  }
}

/** The token is base64 of `AWS:<password>`. */
function passwordOf(token: string | undefined): SecretValue | undefined {
  const text = token === undefined ? '' : Buffer.from(token, 'base64').toString('utf8');
  const password = text.startsWith('AWS:') ? text.slice('AWS:'.length) : '';
  return password === '' ? undefined : new SecretValue(password);
}
