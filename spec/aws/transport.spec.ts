import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { connectAws } from '../../lib/aws/connect.ts';
import type { AwsOptions } from '../../lib/aws/options.ts';
import { systemClock } from '../../lib/clock.ts';
import { createLogger } from '../../lib/log.ts';
import { createMetrics } from '../../lib/metrics.ts';
import { callerXml, errorXml, type StubAws, sessionXml, stubAws } from './stub-aws.ts';

const ROLE = 'arn:aws:iam::123456789012:role/reader';
const input = { roleArn: ROLE, sessionName: 'name', durationSeconds: 900 };
const EXPIRATION = '2099-01-01T00:00:00Z';

let stub: StubAws;
let close = async () => {};

beforeEach(async () => {
  stub = await stubAws();
});
afterEach(async () => {
  await close();
  await stub.close();
});

function connect(options: Partial<AwsOptions> = {}) {
  const metrics = createMetrics();
  const provider = async () => ({ accessKeyId: 'AKIA1', secretAccessKey: 'base-secret' });
  const aws = connectAws({
    aws: { region: 'eu-west-1', endpoint: stub.endpoint, provider, ...options },
    clock: systemClock,
    log: createLogger({ level: 'error' }),
    metrics,
  });
  close = aws.close;
  return { ...aws, metrics };
}

/** Answers AssumeRole with `respond` and everything else as a user. */
function onAssumeRole(respond: Parameters<StubAws['answer']>[0]): void {
  stub.answer((body, response) => {
    if (body.includes('Action=AssumeRole')) respond(body, response);
    else response.end(callerXml('arn:aws:iam::123456789012:user/ci'));
  });
}

describe('a session', () => {
  it('has the times of the server, the packed size and the request id', async () => {
    const { sts } = connect();
    onAssumeRole((_body, response) => {
      response.setHeader('date', 'Thu, 01 Jan 2099 00:00:00 GMT');
      response.setHeader('x-amzn-requestid', 'req-7');
      response.end(sessionXml('AssumeRole', '2099-01-01T01:00:00Z'));
    });
    const session = await sts.assumeRole({ ...input, externalId: 'ext-1' });
    expect(JSON.parse(JSON.stringify(session))).toEqual({
      accessKeyId: 'ASIASTUB',
      secretAccessKey: '[redacted]',
      sessionToken: '[redacted]',
      issuedAt: Date.parse('2099-01-01T00:00:00Z'),
      expiresAt: Date.parse('2099-01-01T01:00:00Z'),
      assumedRoleArn: 'arn:aws:sts::123456789012:assumed-role/reader/name',
      packedPolicySizePercent: 7,
      requestId: 'req-7',
    });
    expect([session.secretAccessKey.reveal(), session.sessionToken.reveal()]).toEqual(['s3cr3t', 't0ken']);
    const sent = new URLSearchParams(stub.requests.at(-1));
    expect([...sent.entries()].sort()).toEqual([
      ['Action', 'AssumeRole'],
      ['DurationSeconds', '900'],
      ['ExternalId', 'ext-1'],
      ['RoleArn', ROLE],
      ['RoleSessionName', 'name'],
      ['Version', '2011-06-15'],
    ]);
  });

  it('of a web identity is asked for without the own identity', async () => {
    const { sts } = connect({ provider: () => Promise.reject(new Error('none')) });
    stub.answer((_body, response) => response.end(sessionXml('AssumeRoleWithWebIdentity', EXPIRATION)));
    const { SecretValue } = await import('../../lib/api/credentials.ts');
    const session = await sts.assumeRoleWithWebIdentity({ ...input, token: new SecretValue('jwt') });
    expect([session.accessKeyId, new URLSearchParams(stub.requests[0]).get('WebIdentityToken')]).toEqual([
      'ASIASTUB',
      'jwt',
    ]);
  });

  it('is refused when the answer holds no credentials', async () => {
    const { sts } = connect();
    onAssumeRole((_body, response) => response.end('<AssumeRoleResponse><AssumeRoleResult/></AssumeRoleResponse>'));
    await expect(sts.assumeRole(input)).rejects.toMatchObject({ code: 'StsUnreachable', consequence: 'retry' });
  });
});

describe('a call', () => {
  it('is made once, whatever the error', async () => {
    const { sts } = connect();
    onAssumeRole((_body, response) => {
      response.statusCode = 500;
      response.end(errorXml('InternalFailure'));
    });
    await expect(sts.assumeRole(input)).rejects.toMatchObject({ code: 'InternalFailure', consequence: 'retry' });
    expect(stub.requests.filter((body) => body.includes('Action=AssumeRole'))).toHaveLength(1);
  });

  it('ends at its deadline when no answer comes', async () => {
    const { sts } = connect({ callTimeoutMs: 200 });
    onAssumeRole(() => {});
    await expect(sts.assumeRole(input)).rejects.toMatchObject({ code: 'StsUnreachable', consequence: 'retry' });
  });

  it('ends at its deadline when the body never ends', async () => {
    const { sts } = connect({ callTimeoutMs: 200 });
    onAssumeRole((_body, response) => {
      response.writeHead(200, { 'content-length': '5000' });
      response.write('<AssumeRoleResponse>');
    });
    await expect(sts.assumeRole(input)).rejects.toMatchObject({ code: 'StsUnreachable' });
  });

  it('survives an answer slower than the idle time of its connection', async () => {
    const idleMs = 100;
    const { sts } = connect({ idleMs });
    onAssumeRole((_body, response) =>
      systemClock.after(4 * idleMs, () => response.end(sessionXml('AssumeRole', EXPIRATION))),
    );
    expect((await sts.assumeRole(input)).accessKeyId).toBe('ASIASTUB');
  });

  it('ends with the reason of its signal', async () => {
    const { sts, identity } = connect();
    await identity.credentials();
    onAssumeRole(() => {});
    const controller = new AbortController();
    const waiting = sts.assumeRole(input, controller.signal);
    controller.abort(new Error('shutting down'));
    await expect(waiting).rejects.toThrow('shutting down');
  });

  it.each([
    ['a reset', (response: { destroy(): void }) => response.destroy()],
    [
      'an HTML page of a proxy',
      (response: { end(text: string): void }) => response.end('<html><body>Bad gateway</body></html>'),
    ],
    ['an empty answer', (response: { end(text: string): void }) => response.end('')],
    ['something that is no XML', (response: { end(text: string): void }) => response.end('{"hello":')],
  ])('that gets %s is retried later', async (_what, respond) => {
    const { sts } = connect();
    onAssumeRole((_body, response) => {
      response.statusCode = 502;
      respond(response);
    });
    await expect(sts.assumeRole(input)).rejects.toMatchObject({ code: 'StsUnreachable', consequence: 'retry' });
  });

  it.each([
    ['ten minutes', 10, 2],
    ['minus ten minutes', -10, 2],
    ['four minutes', 4, 1],
  ])(
    'whose signature is refused by a server that is ahead by %s is made anew if that is the reason',
    async (_what, minutes, calls) => {
      const { sts, identity } = connect();
      await identity.credentials();
      const before = stub.requests.length;
      onAssumeRole((_body, response) => {
        response.statusCode = 403;
        response.setHeader('date', new Date(systemClock.now() + minutes * 60_000).toUTCString());
        response.end(errorXml('SignatureDoesNotMatch'));
      });
      await expect(sts.assumeRole(input)).rejects.toMatchObject({ code: 'SignatureDoesNotMatch' });
      expect(stub.requests.length - before).toBe(calls);
    },
  );

  it('to nobody is retried later', async () => {
    const { sts, identity } = connect();
    await identity.credentials();
    await stub.close();
    await expect(sts.assumeRole(input)).rejects.toMatchObject({ code: 'StsUnreachable', consequence: 'retry' });
    stub = await stubAws();
  });

  it('goes out on the connections of the calls before', async () => {
    const { sts } = connect();
    onAssumeRole((_body, response) => response.end(sessionXml('AssumeRole', EXPIRATION)));
    for (let n = 0; n < 9; n += 1) await sts.assumeRole(input);
    // One is still busy with the end of its answer when that is given.
    expect(stub.connections()).toBeLessThanOrEqual(2);
  });

  it('is counted by operation, code and Region', async () => {
    const { sts, metrics } = connect();
    onAssumeRole((_body, response) => {
      response.statusCode = 400;
      response.end(errorXml('Throttling'));
    });
    await expect(sts.assumeRole(input)).rejects.toMatchObject({ code: 'Throttling' });
    const text = await metrics.getSingleMetricAsString('rolevend_sts_requests_total');
    expect(text.split('\n').filter((line) => !line.startsWith('#'))).toEqual([
      'rolevend_sts_requests_total{op="GetCallerIdentity",code="OK",region="eu-west-1"} 1',
      'rolevend_sts_requests_total{op="AssumeRole",code="Throttling",region="eu-west-1"} 1',
    ]);
  });

  it('is counted under `other` for Regions that AWS is not known to have, so that series do not add up', async () => {
    const { sts, metrics } = connect();
    onAssumeRole((_body, response) => response.end(sessionXml('AssumeRole', EXPIRATION)));
    for (const region of ['us-east-1', 'us-made-1', 'us-made-2', 'zz-made-3'])
      await sts.assumeRole({ ...input, region });
    const { values = [] } = (await metrics.getSingleMetric('rolevend_sts_requests_total')?.get()) ?? {};
    expect(values.map(({ labels, value }) => [labels['op'], labels['region'], value])).toEqual([
      ['GetCallerIdentity', 'eu-west-1', 1],
      ['AssumeRole', 'us-east-1', 1],
      ['AssumeRole', 'other', 3],
    ]);
  });
});

describe('a host', () => {
  const STS = 'STS eu-west-1';

  it('is proven by an answer of any kind', async () => {
    const { sts, hosts } = connect();
    expect(hosts.look(STS).isProven).toBe(false);
    onAssumeRole((_body, response) => {
      response.statusCode = 503;
      response.end('<html>not AWS</html>');
    });
    await expect(sts.assumeRole(input)).rejects.toMatchObject({ silence: undefined });
    expect(hosts.look(STS)).toMatchObject({ isProven: true });
  });

  it('is told with the call that got none, and what to tell those who wait for it', async () => {
    const { sts, hosts, identity } = connect({ callTimeoutMs: 500 });
    await identity.credentials();
    onAssumeRole(() => {});
    const host = new URL(stub.endpoint).host;
    const silence = `STS in eu-west-1 (${host}) gives no answer (StsUnreachable, TIMEOUT). Check the network, the proxy and the Region. It is tried again. Until then only one object at a time asks, and this one waits.`;
    await expect(sts.assumeRole(input)).rejects.toMatchObject({
      message: expect.stringContaining(`STS AssumeRole for ${ROLE} in eu-west-1 (${host}) got no answer from AWS`),
      silence,
    });
    expect(hosts.look(STS)).toMatchObject({ isProven: false, problem: { code: 'StsUnreachable', message: silence } });
    onAssumeRole((_body, response) => response.end(sessionXml('AssumeRole', EXPIRATION)));
    await sts.assumeRole(input);
    expect(hosts.look(STS)).toMatchObject({ isProven: true });
  });

  it('stays as it was where the call was given up', async () => {
    const { sts, hosts, identity } = connect();
    await identity.credentials();
    onAssumeRole(() => {});
    const controller = new AbortController();
    const waiting = sts.assumeRole(input, controller.signal);
    controller.abort(new Error('shutting down'));
    await expect(waiting).rejects.toThrow('shutting down');
    expect(hosts.look(STS)).toMatchObject({ isProven: true });
  });

  it('of a registry is one of its own', async () => {
    const { ecr, hosts, sts } = connect({ callTimeoutMs: 500 });
    onAssumeRole((_body, response) => response.end(sessionXml('AssumeRole', EXPIRATION)));
    const session = await sts.assumeRole(input);
    stub.answer(() => {});
    const region = 'us-east-2';
    await expect(ecr.authorizationToken({ session, roleArn: ROLE, region })).rejects.toMatchObject({
      code: 'EcrUnreachable',
      message: expect.stringContaining(`in us-east-2 (${new URL(stub.endpoint).hostname}`),
    });
    expect([STS, 'ECR us-east-2', 'ECR eu-west-1'].map((host) => hosts.look(host).problem?.code)).toEqual([
      undefined,
      'EcrUnreachable',
      undefined,
    ]);
  });
});
