import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BaseIdentity } from '../../lib/aws/identity.ts';
import { Sts } from '../../lib/aws/sts.ts';
import { Transport } from '../../lib/aws/transport.ts';
import { createLogger } from '../../lib/log.ts';
import { createMetrics } from '../../lib/metrics.ts';
import { ManualClock } from '../support/clock.ts';
import { callerXml, errorXml, type StubAws, stubAws } from './stub-aws.ts';

let aws: StubAws;
let transport: Transport;

beforeEach(async () => {
  aws = await stubAws();
});
afterEach(async () => {
  await transport.close();
  await aws.close();
});

/** An endpoint of our own that knows the operator, and refuses whatever else it is asked with this code. */
async function refusing(code: string) {
  const clock = new ManualClock(Date.now());
  const provider = async () => ({ accessKeyId: 'AKIA1', secretAccessKey: 'secret' });
  const options = { region: 'eu-west-1', endpoint: aws.endpoint, provider };
  const log = createLogger({ level: 'error' });
  transport = new Transport({ aws: options, clock, log, metrics: createMetrics() });
  const identity = new BaseIdentity({ transport, aws: options, clock, log });
  aws.answer((body, response) => {
    if (body.includes('GetCallerIdentity')) return response.end(callerXml('arn:aws:iam::123456789012:user/ci'));
    response.statusCode = 403;
    return response.end(errorXml(code));
  });
  await identity.credentials();
  await clock.advance(10_000);
  const sts = new Sts({ transport, identity });
  const ask = (region?: string) =>
    sts.assumeRole({ roleArn: 'arn:aws:iam::1:role/x', sessionName: 'test', durationSeconds: 900, region });
  return { identity, ask };
}

describe('a refusal of credentials', () => {
  const codes = ['SignatureDoesNotMatch', 'ExpiredToken', 'InvalidClientTokenId', 'IncompleteSignature'];

  it.each(codes)('%s makes the operator doubt its own at the endpoint of its Region', async (code) => {
    const { identity, ask } = await refusing(code);
    await expect(ask()).rejects.toMatchObject({ code });
    expect(identity.current).toBeUndefined();
  });

  it.each(codes)('%s says nothing about them for another Region, whatever endpoint answered', async (code) => {
    const { identity, ask } = await refusing(code);
    await expect(ask('us-east-1')).rejects.toMatchObject({ code });
    expect(identity.current).toBeDefined();
  });
});
