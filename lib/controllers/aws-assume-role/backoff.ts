import { settles } from '../../aws/codes.ts';
import { fraction } from './due.ts';

/** What is known of an object's failed attempts since its last success or change. */
export interface Failure {
  /** A stable word: the AWS error code or one of our reasons. */
  code: string;
  message: string;
  requestId?: string | undefined;
  /** Attempts that failed in a row, 1 for the first. */
  count: number;
  /** Milliseconds since 1970. */
  lastAttemptAt: number;
  /** Whether trying again cannot help until somebody changes something. */
  permanent: boolean;
  /** No answer of any kind came, so that the gate of that host paces all tries, and not each object its own. */
  unanswered?: boolean | undefined;
  /** The least wait that the other side asked for, in milliseconds. */
  retryAfterMs?: number | undefined;
  /** The spec that failed; another one is tried at once. */
  generation: number;
  /** The request that failed, as input hash; what grants or the base identity change in it gives another one. */
  inputHash?: string | undefined;
  /** The grants that allowed it, as `Asked` tells them; a changed one may be the repair. */
  grantsKey?: string | undefined;
}

const SECOND = 1000;
const MIN_DELAY = 2 * SECOND;
const MAX_DELAY = 300 * SECOND;
const MAX_DELAY_EXPIRED = 60 * SECOND;
const MIN_PERMANENT = 30 * SECOND;
const MAX_PERMANENT = 600 * SECOND;
/** Where a refusal may pass within seconds, as while IAM spreads a change, it becomes final only after these tries. */
const SETTLING_DELAYS = [5 * SECOND, 10 * SECOND, 20 * SECOND];

/** Whether a failure of this code, seen `count` times in a row, is final. `stop` is what the error itself says. */
export function isPermanent(code: string, stop: boolean, count: number): boolean {
  return stop && (!settles(code) || count > SETTLING_DELAYS.length);
}

/**
 * When a failed issue is tried again, in milliseconds since 1970. `expiresAt` is the end of the credential that still
 * stands, or undefined. The spread comes from a hash of object and attempt, so the time is the same after a restart.
 */
export function nextAttemptAt(uid: string, failure: Failure, expiresAt: number | undefined): number {
  const remaining = Math.max(0, (expiresAt ?? 0) - failure.lastAttemptAt);
  const delay = retryDelay(failure, remaining, fraction(`${uid}/${failure.lastAttemptAt}`));
  return failure.lastAttemptAt + Math.max(delay, Math.min(failure.retryAfterMs ?? 0, longestDelay(remaining)));
}

/** No back-off, and no wait that the other side asks for, may outlast the old credential. */
function longestDelay(remaining: number): number {
  return remaining > 0 ? Math.min(MAX_DELAY, remaining / 4) : MAX_DELAY_EXPIRED;
}

/** The wait in milliseconds; `remaining` is what is left of the old credential, `spread` a number in [0, 1). */
export function retryDelay(
  failure: Pick<Failure, 'code' | 'count' | 'permanent' | 'unanswered'>,
  remaining: number,
  spread: number,
): number {
  if (failure.permanent) return remaining > 0 ? clamp(remaining / 4, MIN_PERMANENT, MAX_PERMANENT) : MAX_PERMANENT;
  if (failure.unanswered) return MIN_DELAY;
  const settling = settles(failure.code) ? SETTLING_DELAYS[failure.count - 1] : undefined;
  if (settling !== undefined) return settling;
  const exponential = MIN_DELAY * 2 ** Math.min(failure.count - 1, 16);
  return Math.max(MIN_DELAY, (0.5 + spread / 2) * Math.min(longestDelay(remaining), exponential));
}

/** The least time between two repairs of one object's Secret, in milliseconds, after `repairs` of them in a row. */
export function repairDelay(repairs: number): number {
  return repairs === 0 ? 0 : Math.min(MAX_DELAY, 10 * SECOND * 2 ** Math.min(repairs - 1, 16));
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
