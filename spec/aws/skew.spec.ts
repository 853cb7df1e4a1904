import { describe, expect, it } from '@jest/globals';
import { Skew, skewOf } from '../../lib/aws/skew.ts';
import { createLogger } from '../../lib/log.ts';
import { createMetrics } from '../../lib/metrics.ts';
import { ManualClock } from '../support/clock.ts';

const HOUR = 3_600_000;

describe('skewOf', () => {
  it.each([
    ['equal clocks', 10_000, 10_200, 10_300, 0],
    ['the header cut to its second', 10_000, 10_900, 10_990, 0],
    ['an answer that took 15 seconds', 10_000, 10_000, 25_000, 0],
    ['a local clock that is five minutes late', 310_000, 10_000, 10_100, 299_900],
    ['a local clock that is five minutes early', 10_000, 310_000, 310_100, -299_000],
  ])('is right for %s', (_what, date, sentAt, receivedAt, skew) => {
    expect(skewOf(date, sentAt, receivedAt)).toBe(skew);
  });
});

describe('Skew', () => {
  function observed() {
    const clock = new ManualClock();
    const metrics = createMetrics();
    const lines: string[] = [];
    const log = createLogger({ destination: { write: (line) => lines.push(line) } });
    const skew = new Skew({ clock, log, metrics });
    return { clock, metrics, lines, skew };
  }

  it('shows the difference of the last answer as a metric in seconds', async () => {
    const { skew, clock, metrics } = observed();
    skew.observe(clock.now() + 90_000, 0);
    skew.observe(clock.now() + 30_000, 0);
    expect(skew.ms).toBe(30_000);
    expect(await metrics.getSingleMetricAsString('rolevend_clock_skew_seconds')).toContain(
      'rolevend_clock_skew_seconds 30',
    );
  });

  it.each([-HOUR, HOUR])('keeps server time when the local clock is set by %i ms', async (stepMs) => {
    const { skew, clock, metrics } = observed();
    skew.observe(clock.now() + 5_000, 0);
    const server = clock.now() + skew.ms;
    clock.step(stepMs);
    await clock.advance(60_000);
    expect(clock.now() + skew.ms - server).toBe(60_000);
    const gauge = await metrics.getSingleMetric('rolevend_clock_skew_seconds')?.get();
    expect(gauge?.values).toEqual([{ labels: {}, value: 5 - stepMs / 1000 }]);
  });

  it('is right for an answer during which the local clock was set', async () => {
    const { skew, clock } = observed();
    const server = clock.now();
    clock.step(HOUR);
    await clock.advance(15_000);
    skew.observe(server + 10_000, 15_000);
    const now = clock.now() + skew.ms - server;
    expect([now >= 10_000, now <= 26_000]).toEqual([true, true]);
  });

  it('warns above a minute, once in ten minutes', async () => {
    const { skew, clock, lines } = observed();
    const see = (ms: number) => skew.observe(clock.now() + ms, 0);
    see(60_000);
    expect(lines).toHaveLength(0);
    see(60_001);
    see(60_001);
    expect(lines).toHaveLength(1);
    await clock.advance(600_000);
    see(-90_000);
    expect(lines).toHaveLength(2);
  });
});
