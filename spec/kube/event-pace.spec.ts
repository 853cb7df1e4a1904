import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { EventPace } from '../../lib/kube/event-pace.ts';
import { ManualClock } from '../support/clock.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** The minutes at which something that happens every so many minutes is written. */
async function written(
  everyMinutes: number,
  minutes: number,
  messageAt: (minute: number) => string,
): Promise<number[]> {
  const clock = new ManualClock();
  const pace = new EventPace(clock);
  const at: number[] = [];
  for (let minute = 0; minute <= minutes; minute += everyMinutes) {
    if (pace.happened('a Failed', messageAt(minute)) !== undefined) at.push(minute);
    await clock.advance(everyMinutes * MINUTE);
  }
  return at;
}

describe('an Event that repeats', () => {
  it('is told after 5, 25 and 105 minutes, and then every 4 hours', async () => {
    expect(await written(1, 900, () => 'denied')).toEqual([0, 5, 25, 105, 345, 585, 825]);
  });

  it('grows rare as well where it happens less often than every 5 minutes', async () => {
    expect(await written(10, 600, () => 'denied')).toEqual([0, 10, 30, 110, 350, 590]);
  });

  it('is told at once when it comes with another message, though not within 5 minutes', async () => {
    expect(await written(1, 40, (minute) => (minute < 27 ? 'denied' : 'not found'))).toEqual([0, 5, 25, 30, 35]);
  });

  it('grows rare where no message is like another, and where two take turns', async () => {
    const different = await written(1, 600, (minute) => `request ${minute}`);
    const turns = await written(1, 600, (minute) => `${minute % 2}`);
    expect(different).toEqual([0, 5, 10, 30, 110, 350, 590]);
    expect(turns.length).toBeLessThanOrEqual(12);
  });

  it('is as new after an hour without it', async () => {
    const gap = (minute: number) => (minute > 120 && minute < 181 ? undefined : 'denied');
    const clock = new ManualClock();
    const pace = new EventPace(clock);
    const counts: (number | undefined)[] = [];
    for (let minute = 0; minute <= 186; minute += 1) {
      const message = gap(minute);
      if (message !== undefined) counts.push(pace.happened('a Failed', message)?.count);
      await clock.advance(MINUTE);
    }
    expect(counts.filter((count) => count !== undefined)).toEqual([1, 6, 26, 106, 1, 6]);
  });

  it('may be told the next time when it could not be written, and stays as rare', async () => {
    const clock = new ManualClock();
    const pace = new EventPace(clock);
    const happened = () => pace.happened('a Failed', 'denied') !== undefined;
    happened();
    await clock.advance(5 * MINUTE);
    expect(happened()).toBe(true);
    pace.failed('a Failed');
    expect([happened(), happened()]).toEqual([true, false]);
    await clock.advance(20 * MINUTE);
    expect(happened()).toBe(false);
  });

  it('costs 15,000 Events in the first hour, 5,000 in the next, and 5,000 in four hours then, where 5,000 objects fail all the time', async () => {
    const clock = new ManualClock();
    const pace = new EventPace(clock);
    const hours = [0, 0, 0, 0, 0, 0];
    for (let at = 0; at < 6 * HOUR; at += 5 * MINUTE) {
      for (let n = 0; n < 5_000; n += 1) {
        const isTold = pace.happened(`object-${n} RefreshFailed`, 'AccessDenied') !== undefined;
        if (isTold) hours[Math.floor(at / HOUR)] = (hours[Math.floor(at / HOUR)] ?? 0) + 1;
      }
      await clock.advance(5 * MINUTE);
    }
    expect(hours).toEqual([15_000, 5_000, 0, 0, 0, 5_000]);
  });

  it('never comes twice within 5 minutes, whatever happens', async () => {
    const step = fc.record({
      afterMs: fc.nat(10 * MINUTE),
      message: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
      over: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const clock = new ManualClock();
        const pace = new EventPace(clock);
        const at: number[] = [];
        for (const { afterMs, message, over } of steps) {
          await clock.advance(afterMs);
          if (over) pace.over('key');
          if (pace.happened('key', message) !== undefined) at.push(clock.monotonic());
        }
        const gaps = at.slice(1).map((time, index) => time - (at[index] ?? 0));
        expect(gaps.every((ms) => ms >= 5 * MINUTE)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  it('forgets the one that was not seen for the longest time beyond 50,000, and what is older than an hour', async () => {
    const clock = new ManualClock();
    const pace = new EventPace(clock);
    const isTold = (key: string) => pace.happened(key, 'x') !== undefined;
    for (let n = 0; n < 50_000; n += 1) isTold(`${n}`);
    expect([isTold('0'), isTold('new'), isTold('0'), isTold('1')]).toEqual([false, true, false, true]);
    await clock.advance(HOUR);
    isTold('other');
    expect(isTold('1')).toBe(true);
  });
});
