import { type Clock, sleep, withDeadline } from '../clock.ts';
import { isAbort, RolevendError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { gauge, type Metrics } from '../metrics.ts';
import { type Attempt, type LeaseClient, LeaseLock } from './lease-lock.ts';
import { standBy } from './lease-standby.ts';
import { retryAfterOf } from './retry-after.ts';

export type { LeaseClient } from './lease-lock.ts';

export interface LeaseOptions {
  /** One whose writes the fence does not hold up: the Lease has to be renewed and released by it. */
  client: LeaseClient;
  clock: Clock;
  log: Logger;
  metrics: Metrics;
  namespace: string;
  name: string;
  /** Name of this process in the Lease, unlike any other's. */
  identity: string;
  /**
   * Whether this is the name of a process in whose place this one was started, and which certainly has ended. Its Lease is
   * taken within a second or so. Default: there is none.
   */
  isPredecessor?: ((holder: string) => boolean) | undefined;
  /**
   * Whether another process may lead under another name of the Lease and may just have lost the right to renew that. A Lease
   * that does not exist is then created a lease duration later. Default false.
   */
  mayBeRenamed?: boolean;
  /** How long others leave the Lease alone after they saw it renewed, in milliseconds. Default 15000. */
  leaseDurationMs?: number;
  /** This process stops leading when its last successful renewal was sent so long ago, in milliseconds. Default 10000; below the lease duration. */
  renewDeadlineMs?: number;
  /** Pause between two tries in milliseconds, default 2000; up to 20 % are added at random. */
  retryMs?: number;
  /** A number in [0, 1) for the jitter. Default `Math.random`. */
  random?: () => number;
  /**
   * The work of the leader. Its signal aborts when the outer one does, or when the Lease is lost. `fence` goes before every
   * write and throws `LeaseLost` when this process may not be the leader any more.
   */
  lead: (signal: AbortSignal, fence: () => void) => Promise<void>;
  signal: AbortSignal;
}

type Optional = 'isPredecessor' | 'mayBeRenamed';
type Settings = Required<Omit<LeaseOptions, Optional>> & Pick<LeaseOptions, Optional>;
type Held = Extract<Attempt, { held: true }>;

/** No request of a leader may take longer than this. */
const LONGEST_CALL_MS = 5000;

/**
 * Waits until this process holds the Lease, runs `lead`, and renews the Lease meanwhile.
 *
 * - `released`: the outer signal aborted (or `lead` ended by itself). The Lease was held until `lead` had ended and then
 *   given back, so that a standby follows at once.
 * - `lost`: the Lease could not be renewed in time, or somebody else has it. The signal of `lead` was aborted; it
 *   had the time between renew deadline and lease duration to end. The process should exit.
 *
 * The terms are those of client-go: another's term is judged by when this process saw its last change, never by
 * the other's clock, and our own counts from the moment before the renewing request was sent.
 * @throws what `lead` throws, after the Lease was given back
 */
export async function runWithLease(options: LeaseOptions): Promise<'released' | 'lost'> {
  const settings = withDefaults(options);
  const lock = lockOf(settings);
  const status = gauge(options.metrics, {
    name: 'leader_election_master_status',
    help: '1 on the process that holds the lease, else 0',
    labelNames: ['name'],
  });
  status.set({ name: options.name }, 0);
  const held = await standBy({ ...settings, lock, pauseMs: () => pauseMs(settings) });
  if (held === undefined) {
    await giveBack(settings, lock);
    return 'released';
  }
  settings.log.info({ identity: options.identity }, 'leading');
  status.set({ name: options.name }, 1);
  try {
    return await new Leadership(settings, lock, held).run();
  } finally {
    status.set({ name: options.name }, 0);
  }
}

/** The time from getting the Lease until it is given back or lost. */
class Leadership {
  readonly #settings: Settings;
  readonly #lock: LeaseLock;
  #held: Held;
  #over = false;
  /** How long the server asked to be left alone when it refused the last renewal. */
  #askedMs = 0;

  constructor(settings: Settings, lock: LeaseLock, held: Held) {
    this.#settings = settings;
    this.#lock = lock;
    this.#held = held;
  }

  async run(): Promise<'released' | 'lost'> {
    const { signal } = this.#settings;
    const stopLead = new AbortController();
    const stopRenewing = new AbortController();
    const stop = () => stopLead.abort(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    const work = this.#lead(stopLead.signal);
    const renewing = this.#renewUntilLost(stopRenewing.signal);
    try {
      const lost = await Promise.race([work.then(() => false), renewing]);
      if (lost) return await this.#lose(stopLead, work);
      stopRenewing.abort();
      await renewing;
      this.#over = true;
      await giveBack(this.#settings, this.#lock);
      await rethrow(work, stopLead.signal);
      return 'released';
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /** Also looks at the wall clock: the steady one may stand still while the machine sleeps. */
  readonly #fence = (): void => {
    const { clock, renewDeadlineMs } = this.#settings;
    const age = Math.max(clock.monotonic() - this.#held.startedAt, clock.now() - this.#held.startedWall);
    if (this.#over || age >= renewDeadlineMs) throw leaseLost(this.#settings.name);
  };

  /** Never rejects: gives what `lead` threw. */
  async #lead(signal: AbortSignal): Promise<unknown> {
    try {
      await this.#settings.lead(signal, this.#fence);
      return undefined;
    } catch (error) {
      return error;
    }
  }

  async #lose(stopLead: AbortController, work: Promise<unknown>): Promise<'lost'> {
    const { clock, log, leaseDurationMs, renewDeadlineMs } = this.#settings;
    this.#over = true;
    stopLead.abort(leaseLost(this.#settings.name));
    const waited = new AbortController();
    await Promise.race([work, sleep(clock, leaseDurationMs - renewDeadlineMs, waited.signal).catch(() => {})]);
    waited.abort();
    log.error({ lease: this.#settings.name }, 'lost the leader election lease');
    return 'lost';
  }

  /** True when the Lease is lost, false when the signal aborted. */
  async #renewUntilLost(signal: AbortSignal): Promise<boolean> {
    const { clock } = this.#settings;
    for (let triedAt = this.#held.startedAt; !signal.aborted; ) {
      // Whatever the server asks for, some tries are left before the Lease is lost.
      const askedMs = Math.min(this.#askedMs, this.#leftMs() / 2);
      const pause = triedAt + Math.max(pauseMs(this.#settings), askedMs) - clock.monotonic();
      await sleep(clock, Math.min(pause, this.#leftMs()), signal).catch(() => {});
      if (this.#leftMs() <= 0) return true;
      triedAt = clock.monotonic();
      const attempt = await this.#renew(signal);
      if (attempt?.held) this.#held = attempt;
      else if (attempt) return this.#overtaken(attempt.holder);
    }
    return false;
  }

  async #renew(signal: AbortSignal): Promise<Attempt | undefined> {
    const { clock, log } = this.#settings;
    this.#askedMs = 0;
    try {
      return await withDeadline(clock, this.#leftMs(), signal, (both) => this.#lock.attempt(both));
    } catch (error) {
      this.#askedMs = retryAfterOf(error);
      if (!signal.aborted)
        log.warn({ err: error, leftMs: Math.round(this.#leftMs()) }, 'cannot renew the leader election lease');
      return undefined;
    }
  }

  #overtaken(holder: string): true {
    this.#settings.log.error({ holder }, 'another process holds the leader election lease');
    return true;
  }

  #leftMs(): number {
    return this.#held.startedAt + this.#settings.renewDeadlineMs - this.#settings.clock.monotonic();
  }
}

/** Releases the Lease where this process holds it. A failure costs the next leader the rest of the term and nothing else. */
async function giveBack({ clock, log }: Settings, lock: LeaseLock): Promise<void> {
  try {
    await withDeadline(clock, LONGEST_CALL_MS, undefined, (signal) => lock.release(signal));
  } catch (error) {
    log.warn({ err: error }, 'could not release the leader election lease');
  }
}

/** Throws what the ended work threw, unless it only followed its signal. */
async function rethrow(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const error = await work;
  if (error === undefined || (signal.aborted && (isAbort(error) || error === signal.reason))) return;
  throw error;
}

function withDefaults(options: LeaseOptions): Settings {
  return { leaseDurationMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2000, random: Math.random, ...options };
}

/** Three tries fit into the renew deadline also when the server answers none. */
function lockOf(settings: Settings): LeaseLock {
  return new LeaseLock({ ...settings, callTimeoutMs: Math.min(LONGEST_CALL_MS, settings.renewDeadlineMs * 0.3) });
}

function pauseMs({ retryMs, random }: Settings): number {
  return retryMs * (1 + 0.2 * random());
}

/** Whether a write, or other work of a leader, was refused because another process may lead by now. */
export function isLeaseLost(error: unknown): boolean {
  return error instanceof RolevendError && error.code === 'LeaseLost';
}

function leaseLost(name: string): RolevendError {
  return new RolevendError(`this process does not hold the lease ${name} any more`, {
    code: 'LeaseLost',
    consequence: 'retry',
  });
}
