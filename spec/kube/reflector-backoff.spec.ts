import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Backoff } from '../../lib/kube/backoff.ts';

const waits = (backoff: Backoff, count: number) => Array.from({ length: count }, () => backoff.next());

describe('a back-off', () => {
  it('doubles from 0.8 s up to 30 s', () => {
    const backoff = new Backoff({ random: () => 0 });
    expect(waits(backoff, 8)).toEqual([800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]);
    backoff.reset();
    expect(waits(backoff, 2)).toEqual([800, 1_600]);
  });

  it('makes each wait longer by up to its own length, within its bounds', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        fc.integer({ min: 1, max: 40 }),
        (random, count) => {
          const got = waits(new Backoff({ random: () => random }), count);
          got.forEach((wait, index) => {
            const least = 800 * 2 ** Math.min(index, 30);
            expect(wait).toBeGreaterThanOrEqual(Math.min(least, 30_000));
            expect(wait).toBeLessThanOrEqual(Math.min(2 * least, 30_000));
          });
        },
      ),
    );
  });
});
