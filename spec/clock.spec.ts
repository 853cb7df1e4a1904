import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { orAborted, parseTime, rfc3339, sleep, systemClock, withDeadline } from '../lib/clock.ts';
import { ManualClock } from './support/clock.ts';

const DAY = 24 * 3600_000;

describe('the clock of the machine', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  const timer = (ms: number) => {
    const fired: number[] = [];
    const cancel = systemClock.after(ms, () => fired.push(systemClock.monotonic()));
    return { fired, cancel };
  };

  it('tells wall-clock and monotonic time', () => {
    const [wall, span] = [systemClock.now(), systemClock.monotonic()];
    jest.advanceTimersByTime(1500);
    expect([systemClock.now() - wall, systemClock.monotonic() - span]).toEqual([1500, 1500]);
  });

  it('runs a timer once, when its time has come', () => {
    const { fired } = timer(1000);
    jest.advanceTimersByTime(999);
    expect(fired).toHaveLength(0);
    jest.advanceTimersByTime(5000);
    expect(fired).toHaveLength(1);
  });

  it('takes a time that has passed as none', () => {
    const { fired } = timer(-5);
    jest.advanceTimersByTime(1);
    expect(fired).toHaveLength(1);
  });

  it.each([25, 60, 400])('keeps a timer of %i days, which Node alone would run at once', (days) => {
    const { fired } = timer(days * DAY);
    jest.advanceTimersByTime(days * DAY - 1);
    expect(fired).toHaveLength(0);
    jest.advanceTimersByTime(2);
    expect(fired).toHaveLength(1);
  });

  it('does not run what is cancelled, not even after its first 24 days', () => {
    const [short, long] = [timer(1000), timer(60 * DAY)];
    short.cancel();
    jest.advanceTimersByTime(30 * DAY);
    long.cancel();
    jest.advanceTimersByTime(90 * DAY);
    expect([short.fired, long.fired, jest.getTimerCount()]).toEqual([[], [], 0]);
  });
});

describe('sleep', () => {
  it('ends after its time', async () => {
    const clock = new ManualClock();
    let isOver = false;
    const slept = sleep(clock, 1000, new AbortController().signal).then(() => {
      isOver = true;
    });
    await clock.advance(999);
    expect(isOver).toBe(false);
    await clock.advance(1);
    await slept;
    expect([isOver, clock.pending]).toEqual([true, 0]);
  });

  it('works without a signal', async () => {
    const clock = new ManualClock();
    const slept = sleep(clock, 10);
    await clock.advance(10);
    await expect(slept).resolves.toBeUndefined();
  });

  it('ends with the reason of its signal, and leaves no timer', async () => {
    const clock = new ManualClock();
    const stop = new AbortController();
    const slept = sleep(clock, 1000, stop.signal);
    stop.abort(new Error('ending'));
    await expect(slept).rejects.toThrow('ending');
    expect(clock.pending).toBe(0);
  });

  it('does not begin under a signal that has ended', async () => {
    const clock = new ManualClock();
    await expect(sleep(clock, 1000, AbortSignal.abort(new Error('ended')))).rejects.toThrow('ended');
    expect(clock.pending).toBe(0);
  });
});

describe('withDeadline', () => {
  const untilAborted = (signal: AbortSignal) =>
    new Promise<never>((_resolve, reject) => {
      if (signal.aborted) reject(signal.reason);
      signal.addEventListener('abort', () => reject(signal.reason));
    });

  it('gives what the work gives, and leaves no timer', async () => {
    const clock = new ManualClock();
    await expect(withDeadline(clock, 1000, undefined, async () => 7)).resolves.toBe(7);
    expect(clock.pending).toBe(0);
  });

  it('passes on what the work throws, and leaves no timer', async () => {
    const clock = new ManualClock();
    await expect(withDeadline(clock, 1000, undefined, () => Promise.reject(new Error('x')))).rejects.toThrow('x');
    expect(clock.pending).toBe(0);
  });

  it('ends the work after its time', async () => {
    const clock = new ManualClock();
    const done = expect(withDeadline(clock, 1000, new AbortController().signal, untilAborted)).rejects.toMatchObject({
      name: 'TimeoutError',
      message: 'no answer within 1000 ms',
    });
    await clock.advance(1000);
    await done;
  });

  it('ends the work with the signal and its reason', async () => {
    const clock = new ManualClock();
    const stop = new AbortController();
    const work = withDeadline(clock, 1000, stop.signal, untilAborted);
    stop.abort(new Error('ending'));
    await expect(work).rejects.toThrow('ending');
    expect(clock.pending).toBe(0);
  });

  it('tells the work at once of a signal that has ended', async () => {
    const work = withDeadline(new ManualClock(), 1000, AbortSignal.abort(new Error('ended')), untilAborted);
    await expect(work).rejects.toThrow('ended');
  });
});

describe('orAborted', () => {
  const listeners = (signal: AbortSignal) => jest.spyOn(signal, 'removeEventListener');

  it('gives what the work gives, and lets go of the signal', async () => {
    const { signal } = new AbortController();
    const removed = listeners(signal);
    await expect(orAborted(Promise.resolve(7), signal)).resolves.toBe(7);
    expect(removed).toHaveBeenCalledTimes(1);
  });

  it('passes on what the work throws', async () => {
    await expect(orAborted(Promise.reject(new Error('x')), new AbortController().signal)).rejects.toThrow('x');
  });

  it('works without a signal', async () => {
    await expect(orAborted(Promise.resolve(7), undefined)).resolves.toBe(7);
  });

  it('ends with the signal, although the work goes on', async () => {
    const stop = new AbortController();
    const outcome = orAborted(new Promise(() => {}), stop.signal);
    stop.abort(new Error('ending'));
    await expect(outcome).rejects.toThrow('ending');
  });

  it('does not wait under a signal that has ended', async () => {
    await expect(orAborted(new Promise(() => {}), AbortSignal.abort(new Error('ended')))).rejects.toThrow('ended');
  });
});

describe('times as text', () => {
  it('are RFC 3339 in UTC with whole seconds, rounded down', () => {
    expect([rfc3339(0), rfc3339(1_767_225_599_999)]).toEqual(['1970-01-01T00:00:00Z', '2025-12-31T23:59:59Z']);
  });

  it.each<[string | undefined, number | undefined]>([
    ['2026-01-01T00:00:00Z', 1_767_225_600_000],
    ['2026-01-01T00:00:00.123456Z', 1_767_225_600_123],
    ['2026-01-01T02:00:00+02:00', 1_767_225_600_000],
    ['soon', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('%p is read as %p', (text, ms) => {
    expect(parseTime(text)).toBe(ms);
  });

  it('are read as they were written', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_000_000_000 }), (seconds) => {
        expect(parseTime(rfc3339(seconds * 1000 + 999))).toBe(seconds * 1000);
      }),
    );
  });
});
