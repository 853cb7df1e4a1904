import { parseTime } from '../clock.ts';
import { RolevendError } from '../errors.ts';

/** Nobody is kept away for longer: what says more is a mistake, or of something on the way that knows nothing of the server. */
const longestMs = 60_000;

/**
 * Milliseconds that an answer asks to wait, at most a minute; undefined where it asks for none.
 *
 * @param value of the header `Retry-After`: seconds, or an HTTP date
 * @param now the server's time, milliseconds since 1970
 */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  const ms = /^\s*\d+(\.\d+)?\s*$/.test(value) ? Number(value) * 1000 : (parseTime(value) ?? now) - now;
  return ms > 0 ? Math.min(ms, longestMs) : undefined;
}

/** Milliseconds for which the other side asked to be left alone when this failed, 0 where it did not. */
export function retryAfterOf(error: unknown): number {
  return error instanceof RolevendError ? (error.retryAfterMs ?? 0) : 0;
}
