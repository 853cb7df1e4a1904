import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { durationMs, durationRules } from '../../lib/api/duration.ts';

describe('durationMs', () => {
  it.each([
    ['1h', 3600_000],
    ['1h30m', 5400_000],
    ['90s', 90_000],
    ['1h2m3s', 3723_000],
    ['0s', 0],
  ])('%s is %d ms', (text, ms) => {
    expect(durationMs(text)).toBe(ms);
  });

  it.each(['', '1', 'h', '1d', '1.5h', '-1h', '1m1h', '1h1h', ' 1h', '1h\n', '1H'])('%j is none', (text) => {
    expect(durationMs(text)).toBeNaN();
  });

  it('is the sum of what is written', () => {
    const part = fc.nat(999);
    fc.assert(
      fc.property(part, part, part, (h, m, s) => {
        expect(durationMs(`${h}h${m}m${s}s`)).toBe(((h * 60 + m) * 60 + s) * 1000);
      }),
    );
  });
});

it('the rules accept exactly the durations within their bounds', () => {
  const rules = durationRules('wait', { least: '1m', most: '1h', example: '5m' });
  const broken = (text: string) => rules.filter((rule) => !rule.holds(text)).map(({ message }) => message);
  expect(['59s', '1m', '1h', '1h1s', 'soon'].map(broken)).toEqual([
    ['wait is less than 1m or more than 1h; write a duration in between, e.g. 5m'],
    [],
    [],
    ['wait is less than 1m or more than 1h; write a duration in between, e.g. 5m'],
    ['wait is no duration; write hours, minutes and seconds, e.g. 5m'],
  ]);
});
