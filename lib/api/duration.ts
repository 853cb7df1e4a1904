import { celString, mustMatch, type Rule } from './rules.ts';

const HOURS = '[0-9]{1,3}h';
const MINUTES = '[0-9]{1,5}m';
const SECONDS = '[0-9]{1,5}s';
/** Hours, minutes and seconds in this order, at least one of them. The durations of CEL and Go include them all. */
const DURATION = `^(${HOURS}(${MINUTES})?(${SECONDS})?|${MINUTES}(${SECONDS})?|${SECONDS})$`;

const unitMs: Readonly<Record<string, number>> = { h: 3600_000, m: 60_000, s: 1000 };

/** The milliseconds of a duration such as `1h30m`; NaN for text that is none. */
export function durationMs(text: string): number {
  if (!new RegExp(DURATION).test(text)) return Number.NaN;
  const parts = [...text.matchAll(/(\d+)([hms])/g)];
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * (unitMs[unit ?? ''] ?? Number.NaN), 0);
}

/** Rules of a field that holds a duration within bounds. */
export function durationRules(field: string, limits: { least: string; most: string; example: string }): Rule<string>[] {
  const { least, most, example } = limits;
  const isWithin = (ms: number) => Number.isNaN(ms) || (ms >= durationMs(least) && ms <= durationMs(most));
  return [
    mustMatch(DURATION, `${field} is no duration; write hours, minutes and seconds, e.g. ${example}`),
    {
      // An error of one rule would hide what the other says.
      cel: `!self.matches(${celString(DURATION)}) || (duration(self) >= duration('${least}') && duration(self) <= duration('${most}'))`,
      message: `${field} is less than ${least} or more than ${most}; write a duration in between, e.g. ${example}`,
      holds: (value) => isWithin(durationMs(value)),
    },
  ];
}
