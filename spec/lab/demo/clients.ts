import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import type { LabAws, Triple } from '../aws/index.ts';
import { run } from '../install/run.ts';

/** Who a client is to AWS. */
export interface Caller {
  accessKeyId: string;
  arn: string;
}

const SCRIPT = `
import boto3
session = boto3.Session()
print(session.get_credentials().access_key, session.client('sts').get_caller_identity()['Arn'])
`;

/**
 * boto3, with nothing but a credentials file. Its home is `directory`, so that no setting of the machine counts.
 *
 * @throws Error with the last line that Python printed
 */
export async function askWithBoto3(aws: LabAws, python: string, file: string, directory: string): Promise<Caller> {
  const env = { PATH: process.env.PATH, HOME: directory, ...aws.environment(), AWS_SHARED_CREDENTIALS_FILE: file };
  const { code, stdout, stderr } = await run([python, '-c', SCRIPT], { env });
  if (code !== 0) throw new Error(`boto3: ${stderr.trim().split('\n').at(-1)}`);
  const [accessKeyId = '', arn = ''] = stdout.trim().split(' ');
  return { accessKeyId, arn };
}

/** The AWS SDK for JavaScript, with the values of a Secret. Throws what the SDK throws. */
export async function askWithSdk(aws: LabAws, credentials: Triple): Promise<Caller> {
  const { endpoint, region } = aws;
  const client = new STSClient({ endpoint, region, credentials, maxAttempts: 1 });
  try {
    const { Arn = '' } = await client.send(new GetCallerIdentityCommand());
    return { accessKeyId: credentials.accessKeyId, arn: Arn };
  } finally {
    client.destroy();
  }
}
