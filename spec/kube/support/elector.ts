import { type Clock, sleep, systemClock } from '../../../lib/clock.ts';
import { type LeaseOptions, runWithLease } from '../../../lib/kube/lease.ts';
import type { TestClient } from './cluster.ts';

/** One process of a leader election, played within the test's. */
export interface Elector {
  identity: string;
  /** Ends it as SIGTERM does. */
  end: AbortController;
  outcome: Promise<'released' | 'lost'>;
  /** When its work began and ended, in milliseconds of the steady clock. */
  startedAt?: number;
  endedAt?: number;
  /** Whether it may write now. */
  leads(): boolean;
}

/** What an elector does while it leads: called again and again until the signal aborts. */
export type Work = (fence: () => void) => Promise<unknown>;

/** A pause between two pieces of work. */
const WORK_EVERY_MS = 250;

/** Starts an elector with the machine's clock unless told otherwise. */
export function startElector(
  kube: TestClient,
  options: Partial<LeaseOptions> & { namespace: string; name: string; identity: string },
  work: Work = async () => {},
): Elector {
  const end = new AbortController();
  let fence: (() => void) | undefined;
  const elector: Elector = {
    identity: options.identity,
    end,
    leads: () => passes(fence),
    outcome: runWithLease({
      client: kube.client,
      clock: systemClock,
      log: kube.log,
      metrics: kube.metrics,
      signal: end.signal,
      lead: async (signal, check) => {
        fence = check;
        elector.startedAt = systemClock.monotonic();
        await workUntil(signal, options.clock ?? systemClock, () => work(check));
        await sleep(systemClock, 50);
        elector.endedAt = systemClock.monotonic();
      },
      ...options,
    }),
  };
  return elector;
}

async function workUntil(signal: AbortSignal, clock: Clock, work: () => Promise<unknown>): Promise<void> {
  while (!signal.aborted) {
    await work();
    await sleep(clock, WORK_EVERY_MS, signal).catch(() => {});
  }
}

function passes(fence: (() => void) | undefined): boolean {
  try {
    fence?.();
    return fence !== undefined;
  } catch {
    return false;
  }
}
