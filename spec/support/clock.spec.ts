import { describe, expect, it } from '@jest/globals';
import { sleep, systemClock } from '../../lib/clock.ts';
import { ManualClock, SkipClock, scaledClock } from './clock.ts';

describe('the manual clock', () => {
  it('runs timers in the order of their times, each at its own time, also those set on the way', async () => {
    const clock = new ManualClock(1_000);
    const seen: [string, number, number][] = [];
    const note = (name: string) => seen.push([name, clock.now(), clock.monotonic()]);
    clock.after(300, () => note('late'));
    clock.after(100, () => {
      note('early');
      clock.after(50, () => note('set on the way'));
    });
    clock.after(1_000, () => note('never'));
    await clock.advance(400);
    expect(seen).toEqual([
      ['early', 1_100, 100],
      ['set on the way', 1_150, 150],
      ['late', 1_300, 300],
    ]);
    expect({ now: clock.now(), pending: clock.pending, next: clock.nextInMs }).toEqual({
      now: 1_400,
      pending: 1,
      next: 600,
    });
  });

  it('lets those that slept go on before the next timer', async () => {
    const clock = new ManualClock(0);
    const woke: number[] = [];
    const loop = async () => {
      for (let n = 0; n < 3; n += 1) {
        await sleep(clock, 10);
        woke.push(clock.now());
      }
    };
    const ended = loop();
    await clock.advance(100);
    await ended;
    expect(woke).toEqual([10, 20, 30]);
  });

  it('does not run a timer that was cancelled', async () => {
    const clock = new ManualClock();
    let ran = false;
    clock.after(10, () => {
      ran = true;
    })();
    await clock.advance(20);
    expect(ran).toBe(false);
  });

  it('steps the wall clock without moving the timers', async () => {
    const clock = new ManualClock(0);
    clock.after(10, () => {});
    clock.step(3_600_000);
    expect({ now: clock.now(), elapsed: clock.monotonic(), next: clock.nextInMs }).toEqual({
      now: 3_600_000,
      elapsed: 0,
      next: 10,
    });
  });
});

describe('the scaled clock', () => {
  it('runs as many times as fast, and its timers never come early', async () => {
    const clock = scaledClock(1_000, 5_000_000);
    const real = systemClock.monotonic();
    await sleep(clock, 20_000);
    expect(clock.now() - 5_000_000).toBeGreaterThanOrEqual(20_000);
    expect(systemClock.monotonic() - real).toBeLessThan(20_000);
  });
});

describe('the clock that skips', () => {
  it('runs what is due after a skip in the order of its times, and keeps the rest waiting', async () => {
    const clock = new SkipClock();
    const startedAt = clock.now();
    const seen: string[] = [];
    const note = (name: string) => () => void seen.push(name);
    clock.after(60_000, note('late'));
    clock.after(30_000, note('early'));
    clock.after(40_000, note('cancelled'))();
    clock.after(180_000, note('never'));
    expect([clock.pending, Math.round((clock.nextInMs ?? 0) / 1000)]).toEqual([3, 30]);
    clock.skip(120_000);
    await sleep(clock, 5);
    expect({ seen, skipped: clock.now() - startedAt >= 120_000 }).toEqual({ seen: ['early', 'late'], skipped: true });
    clock.skip(60_000);
    await sleep(clock, 5);
    expect(seen).toEqual(['early', 'late', 'never']);
  });

  it('steps the wall clock without moving the timers', () => {
    const clock = new SkipClock();
    const [wall, elapsed] = [clock.now(), clock.monotonic()];
    clock.step(-3_600_000);
    expect(clock.now() - wall).toBeLessThan(-3_500_000);
    expect(clock.monotonic() - elapsed).toBeLessThan(60_000);
  });
});
