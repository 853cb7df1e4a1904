import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { AwsContext } from '../../lib/aws/errors.ts';
import { QueryClient } from '../../lib/aws/query.ts';
import { Transport } from '../../lib/aws/transport.ts';
import { systemClock } from '../../lib/clock.ts';
import { createLogger } from '../../lib/log.ts';
import { createMetrics } from '../../lib/metrics.ts';
import { errorXml, type StubAws, stubAws } from './stub-aws.ts';

const context: AwsContext = { service: 'STS', operation: 'AssumeRole', region: 'eu-west-1' };
const credentials = { accessKeyId: 'AKIA1', secretAccessKey: 'secret', sessionToken: 'token' };

let stub: StubAws;
let transport: Transport;

beforeEach(async () => {
  stub = await stubAws();
  const log = createLogger({ level: 'error' });
  const aws = { region: 'eu-west-1', endpoint: stub.endpoint };
  transport = new Transport({ aws, clock: systemClock, log, metrics: createMetrics() });
});
afterEach(async () => {
  await transport.close();
  await stub.close();
});

function ask(parameters: Parameters<QueryClient['ask']>[1] = {}) {
  return new QueryClient(transport).ask(context, parameters, credentials, undefined);
}

/** Answers every request with this text. */
function answer(text: string, status = 200): void {
  stub.answer((_body, response) => {
    response.statusCode = status;
    response.end(text);
  });
}

describe('a request', () => {
  it('names lists and maps as STS does, leaves out what is not set, and keeps every character', async () => {
    answer('<AssumeRoleResponse></AssumeRoleResponse>');
    await ask({
      DurationSeconds: 900,
      Policy: '{"a": "ü & = +\n%"}',
      ExternalId: undefined,
      PolicyArns: [{ arn: 'arn:1' }, { arn: 'arn:2' }],
      Tags: [{ Key: 'team', Value: 'a b' }],
      TransitiveTagKeys: ['team'],
      Empty: [],
    });
    expect([...new URLSearchParams(stub.requests[0])]).toEqual([
      ['Action', 'AssumeRole'],
      ['Version', '2011-06-15'],
      ['DurationSeconds', '900'],
      ['Policy', '{"a": "ü & = +\n%"}'],
      ['PolicyArns.member.1.arn', 'arn:1'],
      ['PolicyArns.member.2.arn', 'arn:2'],
      ['Tags.member.1.Key', 'team'],
      ['Tags.member.1.Value', 'a b'],
      ['TransitiveTagKeys.member.1', 'team'],
    ]);
  });
});

describe('an answer', () => {
  it('is the texts of its elements, with what XML escapes', async () => {
    answer(`<?xml version="1.0"?>
      <AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
        <Credentials><AccessKeyId>ASIA</AccessKeyId><SessionToken>a&lt;b&gt;&amp;&quot;&apos;&#x41;&#66;&other;&constructor;</SessionToken></Credentials>
        <SourceIdentity></SourceIdentity><Nothing/>
      </AssumeRoleResult><ResponseMetadata><RequestId>req-1</RequestId></ResponseMetadata></AssumeRoleResponse>
    `);
    const { output, requestId, date } = await ask();
    expect({ output, requestId }).toEqual({
      output: {
        AccessKeyId: 'ASIA',
        SessionToken: `a<b>&"'AB&other;&constructor;`,
        SourceIdentity: '',
        RequestId: 'req-1',
      },
      requestId: 'req-1',
    });
    expect(Math.abs(date - systemClock.now())).toBeLessThan(5_000);
  });

  it.each([
    ['is cut off', '<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA</AccessKeyId>', 200],
    ['is that of another action', '<GetCallerIdentityResponse></GetCallerIdentityResponse>', 200],
    ['is a page of a proxy', '<html><body><b>Sign in</b></body></html>', 200],
    ['is empty', '', 200],
    ['leads elsewhere', '<AssumeRoleResponse></AssumeRoleResponse>', 302],
  ])('that %s is none', async (_what, text, status) => {
    answer(text, status);
    await expect(ask()).rejects.toMatchObject({ code: 'StsUnreachable', consequence: 'retry' });
  });

  it('that refuses tells its code and request id, and nothing of its text', async () => {
    answer(errorXml('MalformedPolicyDocument', 'The policy &quot;s3cret&quot; is no policy'), 400);
    const error = await ask().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'MalformedPolicyDocument', consequence: 'stop', requestId: 'req-1' });
    expect(String((error as Error).stack)).not.toContain('s3cret');
  });
});
