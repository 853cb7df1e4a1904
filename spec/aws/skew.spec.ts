import { describe, expect, it } from '@jest/globals';
import { Skew, skewOf } from '../../lib/aws/skew.ts';
import { createLogger } from '../../lib/log.ts';
import { createMetrics } from '../../lib/metrics.ts';
import { ManualClock } from '../support/clock.ts';

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
    skew.observe(clock.now() + 90_000, clock.now(), clock.now());
    skew.observe(clock.now() + 30_000, clock.now(), clock.now());
    expect(skew.ms).toBe(30_000);
    expect(await metrics.getSingleMetricAsString('rolevend_clock_skew_seconds')).toContain(
      'rolevend_clock_skew_seconds 30',
    );
  });

  it('warns above a minute, once in ten minutes', async () => {
    const { skew, clock, lines } = observed();
    const see = (ms: number) => skew.observe(clock.now() + ms, clock.now(), clock.now());
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
