import { MAX_AHEAD_MS } from '../../api/conditions.ts';
import { parseTime } from '../../clock.ts';

/**
 * A time that somebody else may have written: milliseconds since 1970, or undefined where the text is no time or lies ahead of
 * `now`, since nothing that has happened does.
 */
export function pastTime(text: string | undefined, now: number): number | undefined {
  const ms = parseTime(text);
  return ms !== undefined && ms <= now + MAX_AHEAD_MS ? ms : undefined;
}
