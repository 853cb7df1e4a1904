import { describe, expect, it } from '@jest/globals';
import { Admission, type AdmissionOptions, bucketName } from '../../lib/aws/rate.ts';
import { createMetrics } from '../../lib/metrics.ts';
import { ManualClock } from '../support/clock.ts';

const BUCKET = '123456789012/operator eu-west-1 AssumeRole';

const anyOrder = { namespace: 'a', validUntil: undefined };

const self = () => ({
  caller: { accountId: '123456789012', role: 'operator', arn: 'arn:aws:sts::123456789012:assumed-role/operator/pod' },
  region: 'eu-west-1',
});

function admission(options: Partial<AdmissionOptions> = {}) {
  const clock = new ManualClock();
  const metrics = createMetrics();
  const granted: { key: string; at: number }[] = [];
  const onGranted = (key: string) => granted.push({ key, at: clock.monotonic() });
  const subject = new Admission({ clock, metrics, qps: 10, burst: 2, self, onGranted, ...options });
  const claim = (key: string, namespace = 'a', validUntil?: number) =>
    subject.claim([BUCKET], key, { namespace, validUntil });
  return { subject, clock, metrics, granted, claim, keys: () => granted.map(({ key }) => key) };
}

describe('Admission', () => {
  it('lets the burst through and makes the others wait for the rate', async () => {
    const { claim, clock, granted, subject } = admission();
    expect(['k1', 'k2', 'k3', 'k4'].map((key) => claim(key))).toEqual([true, true, false, false]);
    expect(subject.waiting()).toBe(2);
    await clock.advance(1000);
    expect(granted).toEqual([
      { key: 'k3', at: 100 },
      { key: 'k4', at: 200 },
    ]);
    expect([claim('k3'), claim('k4'), subject.waiting()]).toEqual([true, true, 0]);
  });

  it('keeps no bucket that is as good as new, however many names come by', async () => {
    const { subject, claim, clock, metrics } = admission();
    claim('a1');
    claim('a2');
    claim('waits');
    const name = (number: number) => `${number}/x eu-west-1 AssumeRole`;
    for (let number = 0; number < 1000; number += 1) {
      subject.claim([name(number)], `k${number}`, { namespace: 'b', validUntil: undefined });
      if (number % 100 === 99) await clock.advance(0);
    }
    await clock.advance(100);
    expect(subject.claim([BUCKET], 'waits', { namespace: 'a', validUntil: undefined })).toBe(true);
    await clock.advance(10_000);
    subject.charge(name(5));
    subject.charge('new/x eu-west-1 AssumeRole');
    const { values = [] } = (await metrics.getSingleMetric('rolevend_sts_bucket_tokens')?.get()) ?? {};
    expect(values).toEqual([{ labels: { identity: 'other', region: 'eu-west-1', op: 'AssumeRole' }, value: 1 }]);
    expect(subject.size).toBe(2);
  });

  it('keeps a bucket that somebody waits for, even if it is full and their timer is late', async () => {
    const { subject, claim, clock, keys } = admission({ qps: 1, burst: 1 });
    clock.after(1000, () => {
      for (let number = 0; number < 200; number += 1) subject.charge(`${number}/x eu-west-1 AssumeRole`);
    });
    claim('first');
    claim('waits');
    await clock.advance(1000);
    expect(keys()).toEqual(['waits']);
  });

  it('gives a granted token once', async () => {
    const { claim, clock } = admission({ qps: 1, burst: 1 });
    claim('first');
    claim('k');
    await clock.advance(1000);
    expect([claim('k'), claim('k')]).toEqual([true, false]);
  });

  it('keeps a granted token for 30 seconds', async () => {
    const { claim, clock } = admission({ qps: 1, burst: 1 });
    claim('first');
    claim('late');
    await clock.advance(1000);
    claim('other');
    await clock.advance(30_000);
    expect(claim('late')).toBe(true);
  });

  it('drops a granted token after that', async () => {
    const { claim, clock, keys } = admission({ qps: 1, burst: 1 });
    claim('first');
    claim('late');
    await clock.advance(1000);
    for (let n = 1; n <= 40; n += 1) claim(`n${n}`);
    await clock.advance(30_001);
    expect(claim('late')).toBe(false);
    await clock.advance(20_000);
    expect(keys().filter((key) => key === 'late')).toHaveLength(2);
  });

  it('does not let a newcomer overtake those who wait, even if their timer is late', async () => {
    const { claim, clock, keys } = admission({ qps: 1, burst: 1 });
    const answers: boolean[] = [];
    clock.after(1000, () => answers.push(claim('newcomer')));
    claim('first');
    claim('waits');
    await clock.advance(1000);
    expect([answers, keys()]).toEqual([[false], ['waits']]);
  });

  it('forgets a cancelled key, waiting or granted', async () => {
    const { subject, claim, clock, keys } = admission({ qps: 1, burst: 1 });
    for (const key of ['first', 'gone', 'granted', 'last']) claim(key);
    subject.cancel('gone');
    await clock.advance(1000);
    subject.cancel('granted');
    expect(claim('granted')).toBe(false);
    await clock.advance(2000);
    expect(keys()).toEqual(['granted', 'last', 'granted']);
  });

  it('keeps the buckets of identities, Regions and operations apart', () => {
    const { subject } = admission({ burst: 1, operations: { AssumeRoleWithWebIdentity: { rate: 1, burst: 2 } } });
    const order = { namespace: 'a', validUntil: undefined };
    const take = (name: string) => [1, 2, 3].map((n) => subject.claim([name], `${name} ${n}`, order));
    expect(take('x eu-west-1 AssumeRole')).toEqual([true, false, false]);
    expect(take('x eu-west-2 AssumeRole')).toEqual([true, false, false]);
    expect(take('x eu-west-1 AssumeRoleWithWebIdentity')).toEqual([true, true, false]);
  });

  it('gives up the place in one bucket when a key asks for another', async () => {
    const { subject, claim, clock, keys } = admission({ qps: 1, burst: 1 });
    claim('first');
    claim('moves');
    expect(subject.claim(['other eu-west-1 AssumeRole'], 'moves', { namespace: 'a', validUntil: undefined })).toBe(
      true,
    );
    await clock.advance(5000);
    expect([subject.waiting(), keys()]).toEqual([0, []]);
  });

  it('gives one key a token of each bucket, and waits for one after the other', async () => {
    const { subject, clock, keys } = admission({ qps: 1, burst: 1 });
    const order = { namespace: 'a', validUntil: undefined };
    const both = (key: string) => subject.claim(['role eu-west-1 AssumeRole', BUCKET], key, order);
    const busy = (key: string) => subject.claim([BUCKET], key, order);
    expect([both('k1'), busy('waits'), both('k2'), both('k3')]).toEqual([true, false, false, false]);
    await clock.advance(1000);
    expect(keys()).toEqual(['k2', 'waits']);
    expect([busy('waits'), both('k2'), busy('newcomer')]).toEqual([true, false, false]);
    await clock.advance(1000);
    expect(keys()).toEqual(['k2', 'waits', 'k3', 'k2']);
    expect(both('k2')).toBe(true);
  });

  it('keeps the token of one bucket however long its key waits for another one', async () => {
    const { subject, clock, keys } = admission({ qps: 0.01, burst: 1 });
    const order = { namespace: 'a', validUntil: undefined };
    const both = (key: string) => subject.claim(['role eu-west-1 AssumeRole', BUCKET], key, order);
    subject.claim([BUCKET], 'first', order);
    expect(both('k')).toBe(false);
    for (let minute = 0; minute < 2; minute += 1) {
      await clock.advance(40_000);
      expect(both('k')).toBe(false);
    }
    await clock.advance(20_000);
    expect([keys(), both('k')]).toEqual([['k'], true]);
  });

  it.each([
    ['is cancelled while it waits for the token of another', (subject: Admission) => subject.cancel('k'), 0],
    [
      'asks for another bucket',
      (subject: Admission) => subject.claim(['third/x eu-west-1 AssumeRole'], 'k', anyOrder),
      0,
    ],
    ['is cancelled with all its tokens', (subject: Admission) => subject.cancel('k'), 1],
    [
      'does not come for them',
      (subject: Admission) => subject.claim(['third/x eu-west-1 AssumeRole'], 'l', anyOrder),
      32,
    ],
  ])('gives the token of a bucket back when its key %s', async (_, end, seconds) => {
    const { subject, clock } = admission({ qps: 1, burst: 1, operations: { Slow: { rate: 0.001, burst: 2 } } });
    const slow = 'role/x eu-west-1 Slow';
    subject.claim([BUCKET], 'first', anyOrder);
    expect(subject.claim([slow, BUCKET], 'k', anyOrder)).toBe(false);
    await clock.advance(seconds * 1000);
    expect(subject.tokens(slow)).toBeCloseTo(1, 1);
    end(subject);
    expect(subject.tokens(slow)).toBeCloseTo(2, 1);
  });

  it('takes one token of a bucket that is named twice', () => {
    const { subject } = admission({ burst: 2 });
    subject.claim([BUCKET, BUCKET], 'k', { namespace: 'a', validUntil: undefined });
    expect(subject.tokens(BUCKET)).toBe(1);
  });

  it('slows the waiting down after a throttled answer', async () => {
    const { subject, claim, clock, granted } = admission({ qps: 8, burst: 1 });
    for (const key of ['first', 'k1', 'k2']) claim(key);
    subject.throttled(BUCKET);
    await clock.advance(999);
    expect(granted).toEqual([
      { key: 'k1', at: 250 },
      { key: 'k2', at: 500 },
    ]);
  });

  it('books the second request of a pass on those who wait', async () => {
    const { subject, claim, clock, granted } = admission({ qps: 1, burst: 1 });
    claim('first');
    subject.charge(BUCKET);
    claim('k1');
    await clock.advance(5000);
    expect(granted).toEqual([{ key: 'k1', at: 2000 }]);
  });

  it('has one timer, and none when nobody waits', async () => {
    const { subject, claim, clock } = admission({ qps: 1, burst: 1 });
    for (let n = 0; n < 50; n += 1) claim(`k${n}`);
    subject.claim(['other eu-west-1 AssumeRole'], 'x', { namespace: 'a', validUntil: undefined });
    subject.claim(['other eu-west-1 AssumeRole'], 'y', { namespace: 'a', validUntil: undefined });
    expect(clock.pending).toBe(1);
    await clock.advance(60_000);
    expect([clock.pending, subject.waiting()]).toEqual([0, 0]);
  });

  it('grants nothing after it was closed', async () => {
    const { subject, claim, clock, keys } = admission({ qps: 1, burst: 1 });
    claim('first');
    claim('k');
    subject.close();
    claim('l');
    await clock.advance(60_000);
    expect([clock.pending, keys()]).toEqual([0, []]);
  });

  it('may be asked again from within onGranted', async () => {
    const clock = new ManualClock();
    const answers: boolean[] = [];
    const order = { namespace: 'a', validUntil: undefined };
    const onGranted = (key: string) => answers.push(subject.claim([BUCKET], key, order));
    const subject: Admission = new Admission({ clock, metrics: createMetrics(), qps: 10, burst: 1, self, onGranted });
    for (const key of ['first', 'k1', 'k2']) subject.claim([BUCKET], key, order);
    await clock.advance(1000);
    expect(answers).toEqual([true, true]);
  });

  it('serves ten thousand waiting keys of a thousand namespaces at the rate, each once', async () => {
    const { claim, clock, keys, subject } = admission({ qps: 200, burst: 500 });
    const end = clock.now() + 3_600_000;
    for (let n = 0; n < 10_500; n += 1) claim(`k${n}`, `ns${n % 1000}`, n % 2 === 0 ? end - n : undefined);
    expect(subject.waiting()).toBe(10_000);
    await clock.advance(25_000);
    expect(keys().length).toBeGreaterThanOrEqual(4_990);
    expect(keys().length).toBeLessThanOrEqual(5_001);
    await clock.advance(25_100);
    expect([keys().length, new Set(keys()).size]).toEqual([10_000, 10_000]);
  });

  it('has no more series than Regions, whatever roles and Regions users name', async () => {
    const { subject, metrics, claim } = admission({ burst: 9 });
    claim('k');
    const order = { namespace: 'a', validUntil: undefined };
    for (let n = 0; n < 50; n += 1) subject.claim([`12/role-${n} us-made-${n} AssumeRole`], `k${n}`, order);
    subject.charge('12/role-7 us-made-7 AssumeRole');
    const { values = [] } = (await metrics.getSingleMetric('rolevend_sts_bucket_tokens')?.get()) ?? {};
    expect(values).toEqual([
      { labels: { identity: '123456789012/operator', region: 'eu-west-1', op: 'AssumeRole' }, value: 8 },
      { labels: { identity: 'other', region: 'other', op: 'AssumeRole' }, value: 7 },
    ]);
  });

  it('has no series of a bucket that is not kept any more', async () => {
    const { subject, clock, metrics } = admission();
    const regions = async () => {
      const { values = [] } = (await metrics.getSingleMetric('rolevend_sts_bucket_tokens')?.get()) ?? {};
      return values.map(({ labels }) => labels['region']);
    };
    subject.charge('1/x us-west-2 AssumeRole');
    expect(await regions()).toEqual(['us-west-2']);
    await clock.advance(10_000);
    for (let number = 0; number < 200; number += 1) subject.charge(`${number}/x eu-west-1 AssumeRole`);
    expect(await regions()).toEqual(['eu-west-1']);
  });

  it('shows the tokens of the own buckets', async () => {
    const { claim, metrics } = admission();
    claim('k');
    expect(await metrics.getSingleMetricAsString('rolevend_sts_bucket_tokens')).toContain(
      'rolevend_sts_bucket_tokens{identity="123456789012/operator",region="eu-west-1",op="AssumeRole"} 1',
    );
  });
});

describe('bucketName', () => {
  it('is the same over the sessions of one role', () => {
    const caller = (session: string) => ({
      arn: `arn:aws:sts::123456789012:assumed-role/operator/${session}`,
      accountId: '123456789012',
      partition: 'aws',
      role: 'operator',
      isSession: true,
    });
    expect(bucketName(caller('one'), 'eu-west-1', 'AssumeRole')).toBe(BUCKET);
    expect(bucketName(caller('two'), 'eu-west-1', 'AssumeRole')).toBe(BUCKET);
  });

  it('names a user', () => {
    const user = {
      arn: 'arn:aws:iam::123456789012:user/team/ci',
      accountId: '123456789012',
      partition: 'aws',
      isSession: false,
    };
    expect(bucketName(user, 'eu-west-1', 'AssumeRole')).toBe('123456789012/ci eu-west-1 AssumeRole');
  });
});
