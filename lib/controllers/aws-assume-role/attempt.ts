import type { Clock } from '../../clock.ts';
import { isConflict, isNamespaceTerminating, isNotFound, isUidMismatch, KubeError } from '../../kube/errors.ts';
import { repairDelay } from './backoff.ts';

/** A work beside the issue that the API server refused. */
export interface Refused {
  /** How often in a row. */
  count: number;
  /** When it is tried again, milliseconds of the monotonic clock. */
  retryAt: number;
  error: KubeError;
}

/**
 * Does a work beside the issue, whose refusal must not keep the pass from its status. Gives the refusal, with growing waits,
 * or undefined after success. `before` is the last refusal.
 *
 * Throws what ends the whole pass: whatever is no answer of the API server, and the answer that the object or its Secret is
 * another one by now, which the next pass looks at anew.
 */
export async function attempt(
  work: () => Promise<unknown>,
  before: Refused | undefined,
  clock: Clock,
): Promise<Refused | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (!(error instanceof KubeError) || isAnother(error)) throw error;
    const count = (before?.count ?? 0) + 1;
    return { count, retryAt: clock.monotonic() + repairDelay(count), error };
  }
}

/** The milliseconds until a refused work is tried again; undefined where it may be done now. */
export function waitOf(refused: Refused | undefined, clock: Clock): number | undefined {
  const left = refused === undefined ? 0 : refused.retryAt - clock.monotonic();
  return left > 0 ? left : undefined;
}

function isAnother(error: KubeError): boolean {
  return isConflict(error) || isNotFound(error) || isUidMismatch(error) || isNamespaceTerminating(error);
}
