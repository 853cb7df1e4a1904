import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { connectAws } from '../../lib/aws/connect.ts';
import { awsError } from '../../lib/aws/errors.ts';
import type { AwsOptions, BaseCredentials } from '../../lib/aws/options.ts';
import { StsClient } from '../../lib/aws/sts-client.ts';
import { Transport } from '../../lib/aws/transport.ts';
import { systemClock } from '../../lib/clock.ts';
import { createLogger } from '../../lib/log.ts';
import { createMetrics } from '../../lib/metrics.ts';
import { type StubAws, sessionXml, stubAws } from './stub-aws.ts';

const keys = { accessKeyId: 'AKIA1', secretAccessKey: 'secret' };
const input = { roleArn: 'arn:aws:iam::123456789012:role/reader', sessionName: 'name', durationSeconds: 900 };
const before = { ...process.env };

let stub: StubAws;
let close = async () => {};

beforeEach(async () => {
  stub = await stubAws();
});
afterEach(async () => {
  process.env = { ...before };
  await close();
  await stub.close();
});

function options(aws: Partial<AwsOptions>) {
  const log = createLogger({ level: 'error' });
  return { aws: { region: 'eu-west-1', ...aws }, clock: systemClock, log, metrics: createMetrics() };
}

describe('a value that cannot be sent is named, and nothing goes out with it', () => {
  it.each<[string, BaseCredentials]>([
    ['the secret access key ends in a line break', { ...keys, secretAccessKey: 'secret\n' }],
    ['the access key id is empty', { ...keys, accessKeyId: '' }],
    ['the access key id holds white space', { ...keys, accessKeyId: 'AK IA' }],
    ['the session token ends in a line break', { ...keys, sessionToken: 'token\r\n' }],
    ['the session token holds a character that is no visible ASCII', { ...keys, sessionToken: 'tökén' }],
  ])("of the operator's credentials: %s", async (problem, credentials) => {
    const aws = connectAws(options({ endpoint: stub.endpoint, provider: async () => credentials }));
    close = aws.close;
    await expect(aws.identity.credentials()).rejects.toMatchObject({ code: 'NoIdentity', consequence: 'retry' });
    expect(aws.identity.problem).toContain(
      `The operator's AWS credentials could not be checked: ${problem}. Correct it`,
    );
    expect(stub.requests).toEqual([]);
  });

  it('of the credentials that sign', async () => {
    const transport = new Transport(options({ endpoint: stub.endpoint }));
    close = () => transport.close();
    const ask = (credentials: BaseCredentials) =>
      new StsClient(transport).ask(
        { service: 'STS', operation: 'GetCallerIdentity', region: 'eu-west-1' },
        {},
        credentials,
        undefined,
      );
    const call = 'STS GetCallerIdentity in eu-west-1 cannot be sent (RequestNotSent).';
    const why = 'holds a character that a header cannot hold, as a line break.';
    await expect(ask({ ...keys, sessionToken: 'a\nb' })).rejects.toMatchObject({
      code: 'RequestNotSent',
      consequence: 'stop',
      message: `${call} The session token of the credentials ${why}`,
    });
    await expect(ask({ ...keys, accessKeyId: 'a\nb' })).rejects.toMatchObject({
      message: `${call} The access key id of the credentials ${why}`,
    });
    expect(stub.requests).toEqual([]);
  });

  it('of the object, and the next request holds nothing of it', async () => {
    stub.answer((body, response) =>
      response.end(body.includes('Action=AssumeRole') ? sessionXml('AssumeRole', END) : CALLER),
    );
    const { sts, ...aws } = connectAws(options({ endpoint: stub.endpoint, provider: async () => keys }));
    close = aws.close;
    await expect(sts.assumeRole({ ...input, externalId: 'half \ud800' })).rejects.toMatchObject({
      code: 'RequestNotSent',
      consequence: 'stop',
      message: expect.stringContaining('spec.externalId holds half of a character'),
    });
    await sts.assumeRole({ ...input, sessionName: 'next' });
    expect([...new URLSearchParams(stub.requests.at(-1)).keys()].sort()).toEqual([
      'Action',
      'DurationSeconds',
      'RoleArn',
      'RoleSessionName',
      'Version',
    ]);
  });

  it.each([
    [
      { AWS_USE_FIPS_ENDPOINT: 'true' },
      { endpoint: 'http://127.0.0.1:1' },
      'AWS_USE_FIPS_ENDPOINT is set, and an endpoint of your own (AWS_ENDPOINT_URL) excludes that',
    ],
    [
      { AWS_USE_DUALSTACK_ENDPOINT: 'true' },
      { endpoint: 'http://127.0.0.1:1' },
      'AWS_USE_DUALSTACK_ENDPOINT is set, and an endpoint of your own (AWS_ENDPOINT_URL) excludes that',
    ],
  ])('of the settings: %j', async (env, aws, says) => {
    Object.assign(process.env, env);
    const { sts, ...rest } = connectAws(options({ provider: async () => keys, ...aws }));
    close = rest.close;
    await expect(sts.assumeRole(input)).rejects.toMatchObject({ message: expect.stringContaining(says) });
  });
});

it.each([
  [
    'FIPS is enabled but this partition does not support FIPS',
    'AWS_USE_FIPS_ENDPOINT is set, and this Region has none of these endpoints',
  ],
  [
    'FIPS and DualStack are enabled, but this partition does not support one or both',
    'AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT are set, and this Region has none of these endpoints',
  ],
  ['Invalid Configuration: s3cret', 'The AWS SDK knows no endpoint for this Region and these settings'],
])('what the SDK says of settings is told in our words: %s', (text, says) => {
  const error = Object.assign(new Error(text), { name: 'EndpointError' });
  const { code, message } = awsError(error, { service: 'STS', operation: 'AssumeRole', region: 'moon-1' });
  expect({ code, message }).toEqual({ code: 'RequestNotSent', message: expect.stringContaining(says) });
  expect(message).not.toContain('s3cret');
});

const END = '2099-01-01T00:00:00Z';
const CALLER =
  '<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/ci</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>';
