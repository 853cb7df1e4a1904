import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  isPermanent,
  nextAttemptAt,
  repairDelay,
  retryDelay,
} from '../../../lib/controllers/aws-assume-role/backoff.ts';
import { failed, HOUR, MINUTE, SECOND, T0 } from './fixtures.ts';

const LEAST = 0;
const MOST = 1 - 2 ** -48;

const passing = (count: number) => ({ code: 'StsUnreachable', count, permanent: false });
const permanent = (code: string, count = 1) => ({ code, count, permanent: true });

/** The bounds of the wait in whole seconds, over all spreads. */
function bounds(failure: Parameters<typeof retryDelay>[0], remaining: number): [number, number] {
  return [
    Math.round(retryDelay(failure, remaining, LEAST) / SECOND),
    Math.round(retryDelay(failure, remaining, MOST) / SECOND),
  ];
}

const anyCount = fc.integer({ min: 1, max: 100_000 });
const anySpread = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const anyRemaining = fc.integer({ min: 0, max: 12 * HOUR });
const anyCode = fc.constantFrom('StsUnreachable', 'Throttling', 'NoIdentity', 'InternalError', 'ServiceUnavailable');

describe('the wait after a passing failure', () => {
  it.each([
    [1, 2, 2],
    [2, 2, 4],
    [3, 4, 8],
    [4, 8, 16],
    [5, 16, 32],
    [6, 32, 64],
    [7, 64, 128],
    [8, 128, 256],
    [9, 150, 300],
    [10, 150, 300],
    [2000, 150, 300],
  ])('of attempt %i is %i to %i s while the credential is good for long', (count, least, most) => {
    expect(bounds(passing(count), 12 * HOUR)).toEqual([least, most]);
  });

  it.each([0, MINUTE, 12 * HOUR])(
    'is 2 s where the gate of a host that gave no answer paces all, with %i ms left',
    (left) => {
      for (const count of [1, 5, 2000]) expect(bounds({ ...passing(count), unanswered: true }, left)).toEqual([2, 2]);
    },
  );

  it.each([
    [40 * MINUTE, 150, 300],
    [20 * MINUTE, 150, 300],
    [4 * MINUTE, 30, 60],
    [MINUTE, 8, 15],
    [16 * SECOND, 2, 4],
    [8 * SECOND, 2, 2],
    [SECOND, 2, 2],
  ])('is bounded by a quarter of what is left: %i ms', (remaining, least, most) => {
    expect(bounds(passing(20), remaining)).toEqual([least, most]);
  });

  it('is bounded by a minute when nothing is left', () => {
    expect([1, 2, 5, 6, 7, 2000].map((count) => bounds(passing(count), 0))).toEqual([
      [2, 2],
      [2, 4],
      [16, 32],
      [30, 60],
      [30, 60],
      [30, 60],
    ]);
  });

  it('is what the formula says, for every count, rest and spread', () => {
    fc.assert(
      fc.property(anyCode, anyCount, anyRemaining, anySpread, (code, count, remaining, spread) => {
        const cap = remaining > 0 ? Math.min(300 * SECOND, remaining / 4) : 60 * SECOND;
        const bound = Math.min(cap, 2 * SECOND * 2 ** Math.min(count - 1, 30));
        const delay = retryDelay({ code, count, permanent: false }, remaining, spread);
        expect(delay).toBeGreaterThanOrEqual(Math.max(2 * SECOND, bound / 2));
        expect(delay).toBeLessThanOrEqual(Math.max(2 * SECOND, bound));
        expect(delay).toBeCloseTo(Math.max(2 * SECOND, (0.5 + spread / 2) * bound));
      }),
    );
  });

  it('ends before the credential does, if more than two seconds are left', () => {
    fc.assert(
      fc.property(anyCount, fc.integer({ min: 2001, max: 12 * HOUR }), anySpread, (count, remaining, spread) => {
        expect(retryDelay(passing(count), remaining, spread)).toBeLessThan(remaining);
      }),
    );
  });
});

describe.each(['AccessDenied', 'InvalidIdentityToken', 'IDPRejectedClaim'])('%s, which may settle,', (code) => {
  it('is tried again after 5, 10 and 20 s, and is final then', () => {
    const tries = [1, 2, 3, 4].map((count) => {
      const isFinal = isPermanent(code, true, count);
      return [isFinal, ...bounds({ code, count, permanent: isFinal }, HOUR)];
    });
    expect(tries).toEqual([
      [false, 5, 5],
      [false, 10, 10],
      [false, 20, 20],
      [true, 600, 600],
    ]);
  });

  it('has the same waits without a credential', () => {
    expect([1, 2, 3].map((count) => retryDelay({ code, count, permanent: false }, 0, 0.7))).toEqual([
      5000, 10_000, 20_000,
    ]);
  });

  it('backs off like the others where the error itself says that it may pass', () => {
    expect(isPermanent(code, false, 9)).toBe(false);
    expect(bounds({ code, count: 9, permanent: false }, 12 * HOUR)).toEqual([150, 300]);
  });
});

describe('a permanent failure', () => {
  it.each(['ValidationError', 'MalformedPolicyDocument', 'PackedPolicyTooLarge', 'RegionDisabled'])(
    'is one from the first answer on: %s',
    (code) => {
      expect([isPermanent(code, true, 1), isPermanent(code, false, 9)]).toEqual([true, false]);
    },
  );

  it.each([
    [12 * HOUR, 600],
    [HOUR, 600],
    [40 * MINUTE, 600],
    [20 * MINUTE, 300],
    [4 * MINUTE, 60],
    [2 * MINUTE, 30],
    [MINUTE, 30],
    [1, 30],
    [0, 600],
  ])('with %i ms left is tried again after %i s, without a spread', (remaining, seconds) => {
    expect(bounds(permanent('ValidationError', 7), remaining)).toEqual([seconds, seconds]);
  });

  it('is never tried more often than every 30 s nor more seldom than every 600 s', () => {
    fc.assert(
      fc.property(anyCount, anyRemaining, anySpread, (count, remaining, spread) => {
        const delay = retryDelay(permanent('AccessDenied', count), remaining, spread);
        expect(delay).toBeGreaterThanOrEqual(30 * SECOND);
        expect(delay).toBeLessThanOrEqual(600 * SECOND);
      }),
    );
  });
});

describe('the time of the next attempt', () => {
  it('follows from object and attempt alone, so a restart does not move it', () => {
    fc.assert(
      fc.property(fc.string(), anyCount, anyRemaining, (uid, count, left) => {
        const expiresAt = T0 + left;
        expect(nextAttemptAt(uid, failed({ count }), expiresAt)).toBe(nextAttemptAt(uid, failed({ count }), expiresAt));
      }),
    );
  });

  it('is at least two seconds after the last one', () => {
    fc.assert(
      fc.property(fc.string(), anyCount, fc.integer({ min: -HOUR, max: HOUR }), (uid, count, left) => {
        expect(nextAttemptAt(uid, failed({ count }), T0 + left)).toBeGreaterThanOrEqual(T0 + 2 * SECOND);
      }),
    );
  });

  it('spreads the objects that failed together', () => {
    const times = Array.from({ length: 50 }, (_, index) =>
      nextAttemptAt(`uid-${index}`, failed({ count: 9 }), T0 + 12 * HOUR),
    );
    expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(100 * SECOND);
  });

  it('counts an expired credential like none', () => {
    const failure = failed({ count: 9 });
    const without = nextAttemptAt('u-app', failure, undefined);
    expect(nextAttemptAt('u-app', failure, T0 - HOUR)).toBe(without);
    expect(without).toBeLessThanOrEqual(T0 + MINUTE);
  });

  it('is not before the other side wants it', () => {
    expect(nextAttemptAt('u-app', failed({ retryAfterMs: 7 * SECOND }), undefined)).toBe(T0 + 7 * SECOND);
    expect(nextAttemptAt('u-app', failed({ retryAfterMs: 1 }), undefined)).toBe(T0 + 2 * SECOND);
  });
});

describe('the wait between two repairs', () => {
  it('is none before the first, then 10 s and more, up to 300 s', () => {
    expect([0, 1, 2, 3, 4, 5, 6, 7, 1000].map((repairs) => repairDelay(repairs) / SECOND)).toEqual([
      0, 10, 20, 40, 80, 160, 300, 300, 300,
    ]);
  });

  it('is never less than 10 s after a repair, and never shrinks', () => {
    fc.assert(
      fc.property(anyCount, (repairs) => {
        expect(repairDelay(repairs)).toBeGreaterThanOrEqual(10 * SECOND);
        expect(repairDelay(repairs + 1)).toBeGreaterThanOrEqual(repairDelay(repairs));
      }),
    );
  });
});
