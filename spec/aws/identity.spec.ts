import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BaseIdentity } from '../../lib/aws/identity.ts';
import type { BaseCredentials, CallerIdentity } from '../../lib/aws/options.ts';
import { Transport } from '../../lib/aws/transport.ts';
import { createLogger } from '../../lib/log.ts';
import { createMetrics } from '../../lib/metrics.ts';
import { ManualClock } from '../support/clock.ts';
import { eventually } from '../support/eventually.ts';
import { callerXml, errorXml, type StubAws, stubAws } from './stub-aws.ts';

const HOUR = 3_600_000;
const SESSION = 'arn:aws:sts::123456789012:assumed-role/operator/pod';

let aws: StubAws;
let stop: AbortController;

beforeEach(async () => {
  aws = await stubAws();
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await aws.close();
});

/** Credentials `AKIA<n>`, numbered by how often they were asked for, that live so many milliseconds; or keys without an end. */
function setUp(lifeMs: number | 'long-lived' = HOUR) {
  // The answers' Date is the machine's, so the manual clock starts there.
  const clock = new ManualClock(Date.now());
  let asked = 0;
  let failure: unknown;
  const lines: string[] = [];
  const log = createLogger({ destination: { write: (line) => lines.push(line) } });
  const provider = async (): Promise<BaseCredentials> => {
    asked += 1;
    if (failure !== undefined) throw failure;
    if (lifeMs === 'long-lived') return { accessKeyId: 'AKIA', secretAccessKey: 'base-secret' };
    const expiration = new Date(clock.now() + lifeMs);
    return {
      accessKeyId: `AKIA${asked}`,
      secretAccessKey: 'base-secret',
      sessionToken: `base-token-${asked}`,
      expiration,
    };
  };
  const options = { region: 'eu-west-1', endpoint: aws.endpoint, provider };
  const transport = new Transport({ aws: options, clock, log, metrics: createMetrics() });
  const identity = new BaseIdentity({ transport, aws: options, clock, log, random: () => 0.5 });
  aws.answer((_body, response) => {
    response.setHeader('date', new Date(clock.now()).toUTCString());
    response.end(callerXml(SESSION));
  });
  return {
    clock,
    identity,
    lines,
    asked: () => asked,
    fail: (error: unknown) => {
      failure = error;
    },
  };
}

const noCredentials = () =>
  Object.assign(new Error('Could not load credentials from any providers'), { name: 'CredentialsProviderError' });

describe('BaseIdentity', () => {
  it('says who we are once it has credentials', async () => {
    const { identity } = setUp();
    expect(identity.current).toBeUndefined();
    expect((await identity.credentials()).accessKeyId).toBe('AKIA1');
    const caller = { arn: SESSION, accountId: '123456789012', partition: 'aws', role: 'operator', isSession: true };
    expect([identity.current, identity.problem]).toEqual([{ caller }, undefined]);
  });

  it('fetches once however many ask at the same time, and hands out one object', async () => {
    const { identity, asked } = setUp();
    const all = await Promise.all(Array.from({ length: 50 }, () => identity.credentials()));
    expect([asked(), new Set(all).size, aws.requests.length]).toEqual([1, 1, 1]);
  });

  it('renews them with about half of their life left and asks again who we are', async () => {
    const { identity, asked, clock } = setUp();
    const running = identity.start(stop.signal);
    await eventually('the first identity', () => identity.current);
    await clock.advance(0.55 * HOUR - 1);
    expect(asked()).toBe(1);
    await clock.advance(2);
    await eventually('the second check', () => aws.requests.length === 2);
    stop.abort();
    await running;
    expect(asked()).toBe(2);
  });

  it('replaces credentials that ended while the machine slept, as soon as AWS told the time', async () => {
    const { identity, asked, clock } = setUp();
    void identity.start(stop.signal);
    await eventually('the first identity', () => identity.current);
    clock.step(2 * HOUR);
    await identity.recheck(stop.signal);
    await eventually('the next credentials', () => asked() === 2);
    expect((await identity.credentials()).accessKeyId).toBe('AKIA2');
  });

  it('keeps the old ones while they are valid and a renewal fails, and tries again sooner and sooner', async () => {
    const { identity, asked, clock, fail } = setUp();
    void identity.start(stop.signal);
    await eventually('the first identity', () => identity.current);
    fail(noCredentials());
    await clock.advance(0.9 * HOUR);
    expect((await identity.credentials()).accessKeyId).toBe('AKIA1');
    expect(identity.problem).toBeUndefined();
    expect(asked()).toBeGreaterThan(5);
  });

  it('does not use credentials in their last five seconds', async () => {
    const { identity, clock, fail } = setUp(60_000);
    await identity.credentials();
    fail(noCredentials());
    await clock.advance(54_900);
    expect((await identity.credentials()).accessKeyId).toBe('AKIA1');
    await clock.advance(200);
    await expect(identity.credentials()).rejects.toMatchObject({ code: 'NoIdentity', consequence: 'retry' });
    expect(identity.current).toBeUndefined();
  });

  it('retries for ever, at least every 30 seconds while it has nothing', async () => {
    const { identity, asked, clock, fail } = setUp();
    fail(noCredentials());
    void identity.start(stop.signal);
    await clock.advance(HOUR);
    expect(asked()).toBeGreaterThan(HOUR / 30_000);
    fail(undefined);
    await clock.advance(30_000);
    await eventually('the identity', () => identity.current);
  });

  it('does not ask the source for every caller while it fails', async () => {
    const { identity, asked, fail } = setUp();
    fail(noCredentials());
    for (let n = 0; n < 20; n += 1) await expect(identity.credentials()).rejects.toMatchObject({ code: 'NoIdentity' });
    expect(asked()).toBe(1);
  });

  it('explains what was tried and how to fix it', async () => {
    const { identity, fail } = setUp();
    fail(noCredentials());
    await expect(identity.credentials()).rejects.toThrow('No AWS identity');
    for (const part of [
      'Pod Identity',
      'create-pod-identity-association',
      'IRSA',
      'eks.amazonaws.com/role-arn',
      'AWS_ACCESS_KEY_ID',
    ]) {
      expect(identity.problem).toContain(part);
    }
  });

  it.each([
    ['a token file that cannot be read', Object.assign(new Error('x'), { code: 'ENOENT' }), 'cannot be read (ENOENT)'],
    ['a role that does not trust the cluster', denied(), "cluster's OIDC provider"],
    ['anything else', new Error('https://user:password@host'), 'got no answer'],
  ])('explains %s', async (_what, error, text) => {
    const { identity, fail } = setUp();
    fail(error);
    await expect(identity.credentials()).rejects.toMatchObject({ code: 'NoIdentity' });
    expect(identity.problem).toContain(text);
    expect(identity.problem).not.toContain('password');
  });

  it('has no identity while STS refuses the credentials, and says so', async () => {
    const { identity } = setUp();
    aws.answer((_body, response) => {
      response.statusCode = 403;
      response.end(errorXml('InvalidClientTokenId'));
    });
    await expect(identity.credentials()).rejects.toMatchObject({ code: 'NoIdentity' });
    expect(identity.problem).toContain('InvalidClientTokenId');
  });

  it('gives up waiting when the signal of the caller aborts', async () => {
    const { identity } = setUp();
    aws.answer(() => {});
    const caller = new AbortController();
    const waiting = identity.credentials(caller.signal);
    caller.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });

  it('gives up on a source that never answers', async () => {
    const clock = new ManualClock();
    const log = createLogger({ level: 'error' });
    const options = { region: 'eu-west-1', endpoint: aws.endpoint, provider: () => new Promise<never>(() => {}) };
    const transport = new Transport({ aws: options, clock, log, metrics: createMetrics() });
    const identity = new BaseIdentity({ transport, aws: options, clock, log });
    const waiting = expect(identity.credentials()).rejects.toMatchObject({ code: 'NoIdentity' });
    await clock.advance(20_000);
    await waiting;
    expect(identity.problem).toContain('did not arrive in time');
  });

  it('renews credentials that AWS refused, once for all who saw the refusal', async () => {
    const { identity, asked, clock } = setUp();
    const refused = await identity.credentials();
    await clock.advance(10_000);
    for (let n = 0; n < 10; n += 1) identity.invalidate(refused);
    expect(identity.current).toBeUndefined();
    expect((await identity.credentials()).accessKeyId).toBe('AKIA2');
    identity.invalidate(refused);
    expect([identity.current !== undefined, asked()]).toEqual([true, 2]);
  });

  it('does not doubt credentials that STS accepted a moment ago', async () => {
    const { identity, clock } = setUp();
    identity.invalidate(await identity.credentials());
    expect(identity.current).toBeDefined();
    await clock.advance(10_000);
    identity.invalidate(await identity.credentials());
    expect(identity.current).toBeUndefined();
  });

  it('wakes its loop when credentials are refused', async () => {
    const { identity, asked, clock } = setUp();
    void identity.start(stop.signal);
    await eventually('the first identity', () => identity.current);
    await clock.advance(10_000);
    identity.invalidate();
    await eventually('new credentials', () => identity.current);
    expect(asked()).toBe(2);
  });

  it('tells listeners of the first identity and of another one, not of another session of the same role', async () => {
    const { identity, clock } = setUp();
    const seen: CallerIdentity[] = [];
    identity.onChange((caller) => seen.push(caller));
    const as = async (arn: string) => {
      aws.answer((_body, response) => response.end(callerXml(arn)));
      await clock.advance(10_000);
      identity.invalidate();
      await identity.credentials();
    };
    await as(SESSION);
    await as('arn:aws:sts::123456789012:assumed-role/operator/other-pod');
    await as('arn:aws:sts::123456789012:assumed-role/another/pod');
    expect(seen.map(({ role }) => role)).toEqual(['operator', 'another']);
  });

  it('reads long-lived keys again every few minutes without asking STS about the same keys', async () => {
    const { identity, asked, clock } = setUp('long-lived');
    void identity.start(stop.signal);
    await eventually('the first identity', () => identity.current);
    await clock.advance(300_000);
    await eventually('the second look', () => asked() === 2);
    expect(aws.requests).toHaveLength(1);
  });

  it('logs nothing secret', async () => {
    const { identity, fail, clock, lines } = setUp(60_000);
    await identity.credentials();
    fail(noCredentials());
    await clock.advance(60_000);
    await expect(identity.credentials()).rejects.toThrow();
    expect(lines.length).toBeGreaterThan(1);
    expect(lines.join('')).not.toMatch(/base-secret|base-token/);
  });
});

function denied(): unknown {
  return Object.assign(new Error('x'), {
    name: 'AccessDenied',
    $metadata: { httpStatusCode: 403, requestId: 'req-1' },
  });
}
