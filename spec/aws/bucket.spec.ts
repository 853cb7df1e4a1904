import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { TokenBucket } from '../../lib/aws/bucket.ts';

/** AssumeRole's settings. */
const settings = { rate: 200, burst: 500 };

function takeAll(bucket: TokenBucket, now: number): number {
  let taken = 0;
  while (bucket.take(now)) taken += 1;
  return taken;
}

describe('TokenBucket', () => {
  it('gives its burst at once and then its rate', () => {
    const bucket = new TokenBucket(settings, 0);
    expect(takeAll(bucket, 0)).toBe(500);
    expect(bucket.waitMs(0)).toBe(5);
    expect(takeAll(bucket, 5)).toBe(1);
    expect(takeAll(bucket, 1005)).toBe(200);
  });

  it('never holds more than its burst', () => {
    const bucket = new TokenBucket(settings, 0);
    expect(takeAll(bucket, 3_600_000)).toBe(500);
  });

  it('takes back a token that was not used, but never holds more than its burst', () => {
    const bucket = new TokenBucket(settings, 0);
    bucket.take(0);
    bucket.refund(0);
    bucket.refund(0);
    expect(bucket.tokens(0)).toBe(500);
  });

  it('is full again when nothing is left of what was taken or throttled', () => {
    const bucket = new TokenBucket(settings, 0);
    const seen = [bucket.isFull(0), bucket.take(0) && bucket.isFull(0), bucket.isFull(5)];
    bucket.throttled(1000);
    expect([...seen, bucket.isFull(2000), bucket.isFull(60_000)]).toEqual([true, false, true, false, true]);
  });

  it('is emptied and halved by a throttled answer', () => {
    const bucket = new TokenBucket(settings, 0);
    bucket.throttled(0);
    expect([bucket.tokens(0), bucket.rate(0)]).toEqual([0, 100]);
  });

  it('counts a thousand throttled answers of one second as one', () => {
    const bucket = new TokenBucket(settings, 0);
    for (let ms = 0; ms < 1000; ms += 1) bucket.throttled(ms);
    expect(bucket.rate(999)).toBe(100);
    bucket.throttled(1000);
    expect(bucket.rate(1000)).toBe(50);
  });

  it('keeps one token a second, however often it is throttled', () => {
    const bucket = new TokenBucket(settings, 0);
    for (let half = 0; half <= 60; half += 1) bucket.throttled(half * 500);
    expect(bucket.rate(30_000)).toBe(1);
    expect(bucket.waitMs(30_000)).toBe(1000);
  });

  it('gains ten a second for every second without a throttled answer, up to its setting', () => {
    const bucket = new TokenBucket(settings, 0);
    bucket.throttled(0);
    const rates = [999, 1000, 2000, 5500, 9999, 10_000, 60_000].map((now) => bucket.rate(now));
    expect(rates).toEqual([100, 110, 120, 150, 190, 200, 200]);
  });

  it('starts the count of quiet seconds anew with every throttled answer', () => {
    const bucket = new TokenBucket(settings, 0);
    bucket.throttled(0);
    bucket.throttled(900);
    expect([1000, 1899, 1900].map((now) => bucket.rate(now))).toEqual([100, 100, 110]);
  });

  it('holds at most one second of its rate while it is lowered', () => {
    const bucket = new TokenBucket(settings, 0);
    bucket.throttled(0);
    for (let second = 0; second < 5; second += 1) bucket.throttled(second * 1000);
    const rate = bucket.rate(4_999);
    expect(bucket.tokens(4_999)).toBeLessThanOrEqual(rate);
    expect(takeAll(bucket, 7_500)).toBeLessThanOrEqual(bucket.rate(7_500));
  });

  it('pays a booked request with a longer wait', () => {
    const bucket = new TokenBucket({ rate: 10, burst: 1 }, 0);
    bucket.take(0);
    bucket.charge(0);
    expect([bucket.tokens(0), bucket.waitMs(0)]).toEqual([-1, 200]);
    expect([bucket.take(199), bucket.take(200)]).toEqual([false, true]);
  });

  it('waits just long enough: a token is there after the wait, and none is a moment before', () => {
    const property = fc.property(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 1, max: 50 }), (rate, burst) => {
      const bucket = new TokenBucket({ rate, burst }, 0);
      takeAll(bucket, 0);
      const wait = bucket.waitMs(0);
      expect(bucket.take(wait - 1)).toBe(false);
      expect(bucket.take(wait)).toBe(true);
    });
    fc.assert(property);
  });
});

/** A walk through time: pauses, greedy takers, throttled answers. */
const walk = fc.array(
  fc.record({
    pauseMs: fc.integer({ min: 0, max: 4000 }),
    throttled: fc.boolean(),
    wanted: fc.integer({ min: 0, max: 800 }),
  }),
  { maxLength: 60 },
);
const anySettings = fc.record({ rate: fc.integer({ min: 1, max: 300 }), burst: fc.integer({ min: 1, max: 600 }) });

interface Step {
  at: number;
  taken: number;
  throttled: boolean;
  rate: number;
}

function run(bucket: TokenBucket, steps: { pauseMs: number; throttled: boolean; wanted: number }[]): Step[] {
  let now = 0;
  return steps.map(({ pauseMs, throttled, wanted }) => {
    now += pauseMs;
    if (throttled) bucket.throttled(now);
    let taken = 0;
    while (taken < wanted && bucket.take(now)) taken += 1;
    return { at: now, taken, throttled, rate: bucket.rate(now) };
  });
}

/** Tokens taken between two steps, both included. */
function sum(steps: Step[], from: number, to: number): number {
  return steps.slice(from, to + 1).reduce((total, step) => total + step.taken, 0);
}

describe('properties of TokenBucket', () => {
  it('never gives more than burst + rate · t in any window of t seconds', () => {
    const property = fc.property(anySettings, walk, (given, steps) => {
      const done = run(new TokenBucket(given, 0), steps);
      for (const [from, first] of done.entries()) {
        for (const [to, last] of done.entries()) {
          const seconds = (last.at - first.at) / 1000;
          if (to >= from) expect(sum(done, from, to)).toBeLessThanOrEqual(given.burst + given.rate * seconds + 1e-3);
        }
      }
    });
    fc.assert(property);
  });

  it('gives at most one second of its rate at once until it is back at its setting', () => {
    const property = fc.property(anySettings, walk, (given, steps) => {
      for (const step of run(new TokenBucket(given, 0), steps)) {
        if (step.rate < given.rate) expect(step.taken).toBeLessThanOrEqual(Math.max(1, step.rate) + 1e-3);
      }
    });
    fc.assert(property);
  });

  it('keeps its rate between one and its setting', () => {
    const property = fc.property(anySettings, walk, (given, steps) => {
      for (const { rate } of run(new TokenBucket(given, 0), steps)) {
        expect(rate).toBeGreaterThanOrEqual(1);
        expect(rate).toBeLessThanOrEqual(given.rate);
      }
    });
    fc.assert(property);
  });
});
