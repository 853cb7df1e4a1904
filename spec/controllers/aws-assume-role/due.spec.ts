import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { RefreshSettings } from '../../../lib/api/aws-assume-role.ts';
import { dueAt, fraction, MAX_ECR_AGE_MS, refreshWindow } from '../../../lib/controllers/aws-assume-role/due.ts';
import { defaultRefresh, HOUR, MINUTE, SECOND, T0 } from './fixtures.ts';

/** What floating point may lose over twelve hours in milliseconds. */
const ROUNDING_MS = 0.001;

const from = (low: number, high: number) => Array.from({ length: high - low + 1 }, (_, index) => low + index);
const percents = from(40, 80);
const jitters = from(0, 25);
const remainders = [
  60, 61, 90, 120, 180, 300, 419, 420, 421, 540, 600, 900, 1200, 1800, 2160, 2700, 3600, 5400, 7199, 7200,
];
const livesInSeconds = [
  1, 2, 3, 7, 10, 30, 59, 60, 61, 100, 300, 700, 899, 900, 901, 1200, 1800, 3599, 3600, 5400, 7200, 12_000, 14_400,
  21_600, 28_800, 36_000, 43_199, 43_200,
];

/** The names of the promises that a window of these settings breaks, for a life in milliseconds. */
function broken(life: number, settings: RefreshSettings, maxAge = Number.POSITIVE_INFINITY): string[] {
  const { early, top } = refreshWindow(life, settings, maxAge);
  const promised = Math.min(settings.minRemainingSeconds * SECOND, 0.6 * life);
  const promises: Record<string, boolean> = {
    'early is not after top': early <= top,
    'not before 0.3 of the life': early >= 0.3 * life - ROUNDING_MS,
    'min(minRemaining, 0.6 life) is left at top': life - top >= promised - ROUNDING_MS,
    'not after the percentage': top <= (life * settings.percent) / 100 + ROUNDING_MS,
    'spread over no more than the jitter': top - early <= (life * settings.jitterPercent) / 100 + ROUNDING_MS,
    'not older than the greatest age': top <= maxAge,
  };
  return Object.keys(promises).filter((name) => !promises[name]);
}

function* grid(): Generator<RefreshSettings> {
  for (const percent of percents)
    for (const jitterPercent of jitters)
      for (const minRemainingSeconds of remainders) yield { percent, jitterPercent, minRemainingSeconds };
}

const anySettings: fc.Arbitrary<RefreshSettings> = fc.record({
  percent: fc.integer({ min: 40, max: 80 }),
  jitterPercent: fc.integer({ min: 0, max: 25 }),
  minRemainingSeconds: fc.integer({ min: 60, max: 7200 }),
});
const anyLife = fc.integer({ min: 1, max: 43_200 }).map((seconds) => seconds * SECOND);

describe('the window of a refresh', () => {
  it.each<[string, number, Partial<RefreshSettings>, number | undefined, number, number]>([
    ['an hour at the defaults', HOUR, {}, undefined, 30 * MINUTE, 36 * MINUTE],
    ['15 minutes at the defaults: minRemaining leads', 15 * MINUTE, {}, undefined, 390 * SECOND, 480 * SECOND],
    ['12 hours at the defaults', 12 * HOUR, {}, undefined, 6 * HOUR, 7.2 * HOUR],
    ['without jitter', HOUR, { jitterPercent: 0 }, undefined, 36 * MINUTE, 36 * MINUTE],
    ['minRemaining over 0.6 of the life', 20 * SECOND, {}, undefined, 6 * SECOND, 8 * SECOND],
    [
      'the least percentage with all jitter',
      HOUR,
      { percent: 40, jitterPercent: 25 },
      undefined,
      18 * MINUTE,
      24 * MINUTE,
    ],
    ['the greatest percentage', HOUR, { percent: 80 }, undefined, 42 * MINUTE, 48 * MINUTE],
    ['a registry token at the defaults', 12 * HOUR, {}, MAX_ECR_AGE_MS, 4.8 * HOUR, 6 * HOUR],
    ['a registry token of seconds', 20 * SECOND, {}, MAX_ECR_AGE_MS, 6 * SECOND, 8 * SECOND],
    ['an age below 0.3 of the life', 24 * HOUR, {}, MAX_ECR_AGE_MS, 6 * HOUR, 6 * HOUR],
  ])('of %s', (_what, life, change, maxAge, early, top) => {
    const window = refreshWindow(life, { ...defaultRefresh, ...change }, maxAge);
    expect({ early: Math.round(window.early), top: Math.round(window.top) }).toEqual({ early, top });
  });

  it('keeps every promise over the whole grid of settings and lives', () => {
    const violations: string[] = [];
    for (const settings of grid())
      for (const life of livesInSeconds)
        for (const promise of broken(life * SECOND, settings))
          violations.push(`${JSON.stringify(settings)} ${life} s: ${promise}`);
    expect(violations).toEqual([]);
  });

  it('keeps every promise for registry tokens and replaces them before they are six hours old', () => {
    const violations: string[] = [];
    for (const settings of grid())
      for (const promise of broken(12 * HOUR, settings, MAX_ECR_AGE_MS))
        violations.push(`${JSON.stringify(settings)}: ${promise}`);
    expect({ violations, MAX_ECR_AGE_MS }).toEqual({ violations: [], MAX_ECR_AGE_MS: 6 * HOUR });
  });

  it('keeps every promise between the points of the grid', () => {
    const anyAge = fc.constantFrom(Number.POSITIVE_INFINITY, MAX_ECR_AGE_MS);
    fc.assert(
      fc.property(anyLife, anySettings, anyAge, (life, settings, age) => {
        expect(broken(life, settings, age)).toEqual([]);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('the due time', () => {
  const anyIssue = fc.integer({ min: 0, max: 2 ** 31 }).map((seconds) => T0 + seconds * SECOND);

  it('lies in the window, and enough life is left then', () => {
    fc.assert(
      fc.property(fc.string(), anyIssue, anyLife, anySettings, (uid, issuedAt, life, settings) => {
        const due = dueAt(uid, { issuedAt, expiresAt: issuedAt + life }, settings);
        const { early, top } = refreshWindow(life, settings);
        expect(due).toBeGreaterThanOrEqual(issuedAt + early - 1);
        expect(due).toBeLessThanOrEqual(issuedAt + top + 1);
        expect(issuedAt + life - due).toBeGreaterThanOrEqual(
          Math.min(settings.minRemainingSeconds * SECOND, 0.6 * life) - 1,
        );
      }),
      { numRuns: 1000 },
    );
  });

  it('never moves', () => {
    fc.assert(
      fc.property(fc.string(), anyIssue, anyLife, anySettings, (uid, issuedAt, life, settings) => {
        const lifetime = { issuedAt, expiresAt: issuedAt + life };
        expect(dueAt(uid, { ...lifetime }, { ...settings })).toBe(dueAt(uid, lifetime, settings));
      }),
    );
  });

  it('is the same in every version of this program', () => {
    expect(dueAt('u-app', { issuedAt: T0, expiresAt: T0 + HOUR }, defaultRefresh) - T0).toBeCloseTo(1_960_685, 0);
  });

  it('spreads the objects of one moment evenly over the window', () => {
    const lifetime = { issuedAt: T0, expiresAt: T0 + HOUR };
    const shares = from(1, 2000).map((index) => {
      return (dueAt(`uid-${index}`, lifetime, defaultRefresh) - T0 - 30 * MINUTE) / (6 * MINUTE);
    });
    const tenths = from(0, 9).map((tenth) => shares.filter((share) => Math.floor(share * 10) === tenth).length);
    expect(Math.min(...tenths)).toBeGreaterThan(140);
    expect(Math.max(...tenths)).toBeLessThan(260);
  });

  it('differs from session to session of one object', () => {
    const shares = from(0, 99).map((index) => {
      const issuedAt = T0 + index * SECOND;
      return dueAt('u-app', { issuedAt, expiresAt: issuedAt + HOUR }, defaultRefresh) - issuedAt;
    });
    expect(new Set(shares).size).toBe(100);
  });

  it('of a registry token comes before it is six hours old', () => {
    fc.assert(
      fc.property(fc.string(), anyIssue, anySettings, (uid, issuedAt, settings) => {
        const due = dueAt(uid, { issuedAt, expiresAt: issuedAt + 12 * HOUR }, settings, MAX_ECR_AGE_MS);
        expect(due - issuedAt).toBeLessThanOrEqual(6 * HOUR);
      }),
    );
  });
});

describe('fraction', () => {
  it('is a number in [0, 1) that the text decides', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(fraction(text)).toBeGreaterThanOrEqual(0);
        expect(fraction(text)).toBeLessThan(1);
        expect(fraction(text)).toBe(fraction(text));
      }),
    );
  });
});
