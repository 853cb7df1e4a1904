import type { AWSAssumeRole } from '../../api/aws-assume-role.ts';
import { findCondition } from '../../api/conditions.ts';
import { parseTime } from '../../clock.ts';
import { type Failure, repairDelay } from './backoff.ts';
import type { Restarted } from './restart.ts';
import { uidOf } from './secret.ts';

/** What is kept of an object between passes. All of it can be lost: the status holds what a restart needs. */
export interface Memory {
  uid: string;
  failure: Failure | undefined;
  repairs: { count: number; lastAt: number | undefined };
  /** Value of the refresh annotation that was tried last, and when (milliseconds since 1970). */
  triedRequest: string | undefined;
  triedRequestAt: number | undefined;
  restart: Restarted | undefined;
  /** When workloads may be restarted for the data with this digest, in milliseconds of the monotonic clock. */
  restartTurn: { digest: string; at: number } | undefined;
  /** Since when a credential is wanted and none has come, in milliseconds of the monotonic clock. */
  waitingSince: number | undefined;
  /** Whether a pass has looked at the object in this process. */
  wasLookedAt: boolean;
  /** UID of the Secret of a former name that was removed last. A watch that is behind still shows it. */
  removedFormer?: string;
}

/** Reasons that are found anew in every pass and so never restored. */
const derivedReasons = new Set(['InvalidSpec', 'NoIdentity', 'GrantDenied']);

/** A fresh memory, with the back-off that an earlier process wrote into the status. */
export function recall(object: AWSAssumeRole): Memory {
  const { lastHandledRefreshRequest, lastAttemptAt } = object.status ?? {};
  return {
    uid: uidOf(object),
    failure: recalledFailure(object),
    repairs: { count: 0, lastAt: undefined },
    triedRequest: undefined,
    // Perhaps another attempt was the last; a request then waits a little, but never comes too often.
    triedRequestAt: lastHandledRefreshRequest === undefined ? undefined : parseTime(lastAttemptAt),
    restart: undefined,
    restartTurn: undefined,
    waitingSince: undefined,
    wasLookedAt: false,
  };
}

function recalledFailure({ status }: AWSAssumeRole): Failure | undefined {
  const lastAttemptAt = parseTime(status?.lastAttemptAt);
  const code = status?.lastErrorCode;
  if (lastAttemptAt === undefined || code === undefined || derivedReasons.has(code)) return undefined;
  return {
    code,
    message: findCondition(status?.conditions, 'Refreshed')?.message ?? code,
    requestId: status?.lastRequestId,
    count: Math.max(1, status?.consecutiveFailures ?? 1),
    lastAttemptAt,
    permanent: findCondition(status?.conditions, 'Stalled')?.reason === code,
    generation: status?.observedGeneration ?? 0,
  };
}

/** The count of repairs after one more at `now`. A quiet time twice as long as the back-off starts it anew. */
export function repaired({ count, lastAt }: Memory['repairs'], now: number): Memory['repairs'] {
  const quiet = lastAt === undefined || now - lastAt > 2 * repairDelay(count);
  return { count: quiet ? 1 : count + 1, lastAt: now };
}
