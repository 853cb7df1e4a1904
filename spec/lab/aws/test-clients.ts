import { ECRClient } from '@aws-sdk/client-ecr';
import { AssumeRoleCommand, type AssumeRoleCommandInput, type Credentials, STSClient } from '@aws-sdk/client-sts';
import type { LabAws } from './index.ts';

/** The three fields (two for a user's key) that a client signs with. */
export interface TestKeys {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

/** Makes SDK clients for one AWS and ends them together. They try once. */
export class TestClients {
  readonly #aws: LabAws;
  readonly #clients: { destroy(): void }[] = [];

  constructor(aws: LabAws) {
    this.#aws = aws;
  }

  sts(credentials: TestKeys, maxAttempts = 1): STSClient {
    const { endpoint, region } = this.#aws;
    const client = new STSClient({ endpoint, region, credentials, maxAttempts });
    this.#clients.push(client);
    return client;
  }

  ecr(credentials: TestKeys): ECRClient {
    const { endpoint, region } = this.#aws;
    const client = new ECRClient({ endpoint, region, credentials, maxAttempts: 1 });
    this.#clients.push(client);
    return client;
  }

  /** AssumeRole with a session name of its own. */
  async assume(credentials: TestKeys, RoleArn: string, input: Partial<AssumeRoleCommandInput> = {}) {
    return this.sts(credentials).send(new AssumeRoleCommand({ RoleArn, RoleSessionName: 'test', ...input }));
  }

  destroy(): void {
    for (const client of this.#clients) client.destroy();
  }
}

/** An answer's credentials as a client takes them. */
export function keysOf(answer: { Credentials?: Credentials | undefined }): Required<TestKeys> {
  const { AccessKeyId = '', SecretAccessKey = '', SessionToken = '' } = answer.Credentials ?? {};
  return { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken };
}

/** What an SDK client throws, as something to compare: AWS's code, HTTP status and message. */
export async function refusalOf(
  promise: Promise<unknown>,
): Promise<{ code: string; status?: number; message: string }> {
  try {
    await promise;
  } catch (error) {
    const { name, message, $metadata } = error as Error & { $metadata?: { httpStatusCode?: number } };
    const status = $metadata?.httpStatusCode;
    return { code: name, ...(status === undefined ? {} : { status }), message };
  }
  throw new Error('the call succeeded');
}
