import type { AWSAssumeRole } from '../../api/aws-assume-role.ts';
import { findCondition } from '../../api/conditions.ts';
import type { Refused } from './attempt.ts';
import { type Failure, repairDelay } from './backoff.ts';
import type { FormerSecrets } from './former.ts';
import { pastTime } from './past.ts';
import type { Settled } from './plan.ts';
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
  /** For which request the Secret was last found good. */
  settled: Settled | undefined;
  former: FormerSecrets;
  /** A change of the Secret's metadata that was refused. */
  metadataRefused: Refused | undefined;
}

/** Reasons that are found anew in every pass and so never restored. */
const derivedReasons = new Set(['InvalidSpec', 'NoIdentity', 'NamespaceUnknown', 'GrantDenied']);

/** Reasons that, without a failure, tell of a host that others had asked in vain. */
const waitReasons = new Set(['StsUnreachable', 'EcrUnreachable']);

/** A fresh memory at `now`, with the back-off that an earlier process wrote into the status. */
export function recall(object: AWSAssumeRole, now: number): Memory {
  const { lastHandledRefreshRequest, lastAttemptAt } = object.status ?? {};
  return {
    uid: uidOf(object),
    failure: recalledFailure(object, now),
    repairs: { count: 0, lastAt: undefined },
    triedRequest: undefined,
    // Perhaps another attempt was the last; a request then waits a little, but never comes too often.
    triedRequestAt: lastHandledRefreshRequest === undefined ? undefined : pastTime(lastAttemptAt, now),
    restart: undefined,
    restartTurn: undefined,
    waitingSince: undefined,
    wasLookedAt: false,
    settled: undefined,
    former: { removed: new Set() },
    metadataRefused: undefined,
  };
}

/** Moves to `now` what lies ahead of it, after a clock was set back, or where the status of a faster one told it. */
export function keepPast(memory: Memory, now: number): void {
  const { failure, repairs, restart, triedRequestAt } = memory;
  if (failure && failure.lastAttemptAt > now) memory.failure = { ...failure, lastAttemptAt: now };
  if (repairs.lastAt !== undefined && repairs.lastAt > now) memory.repairs = { ...repairs, lastAt: now };
  if (triedRequestAt !== undefined && triedRequestAt > now) memory.triedRequestAt = now;
  if (restart?.at !== undefined && restart.at > now)
    memory.restart = { ...restart, at: now, retryAt: restart.retryAt && now };
}

function recalledFailure({ status }: AWSAssumeRole, now: number): Failure | undefined {
  const lastAttemptAt = pastTime(status?.lastAttemptAt, now);
  const code = status?.lastErrorCode;
  if (lastAttemptAt === undefined || code === undefined || derivedReasons.has(code)) return undefined;
  if (status?.consecutiveFailures === 0 && waitReasons.has(code)) return undefined;
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
