import { repaired } from './memory.ts';
import { hadSecret, type Pass, serverNow, situationOf, type VendingContext } from './pass.ts';
import { type IssueReason, isUndone } from './plan.ts';

/*
 * A Secret is not as it was written. Whatever it is, it is put right at most once in 10 s, then with growing waits
 * (`plan`, `repairMetadata`), and it is counted and told here.
 */

/**
 * In which way: edited data, type or keys; no Secret; an owner that is not the object, or none; annotations of another
 * session or request; other labels, annotations or owner references; marked immutable.
 */
export type Drift = 'data' | 'missing' | 'owner' | 'session' | 'metadata' | 'immutable';

/** What an issue for this reason puts right; undefined where nobody changed the Secret. */
export function driftOf(pass: Pass, reason: IssueReason, now: number): Drift | undefined {
  if (reason === 'RefreshRequested') return undefined;
  if (reason === 'Drift') return 'data';
  if (reason === 'Missing') return hadSecret(pass) ? 'missing' : undefined;
  if (reason === 'Adopted' || pass.seen.state === 'stale') return hadSecret(pass) ? 'owner' : undefined;
  return isUndone(situationOf(pass, now)) ? 'session' : undefined;
}

/** Notes that a Secret was put right. */
export function noteRepair({ memory, object }: Pass, what: Drift, context: VendingContext): void {
  memory.repairs = repaired(memory.repairs, serverNow(context));
  context.metrics.drifted(what);
  context.announcer.repaired(object, what, memory.repairs.count);
}

/** Notes that somebody made the Secret immutable. It holds what was written, so it is replaced only with its next refresh. */
export function noteImmutable({ seen, object }: Pass, context: VendingContext): void {
  if (seen.live?.immutable !== true || object.status?.secretRef?.uid !== seen.live.metadata.uid) return;
  context.metrics.drifted('immutable');
  context.announcer.immutable(object);
}
