import { type Clock, withDeadline } from '../clock.ts';
import type { KubeClient } from './client.ts';
import { isAlreadyExists, isConflict, isNotFound } from './errors.ts';
import {
  acquired,
  decide,
  heldElsewhere,
  type Lease,
  newLease,
  type Observed,
  observe,
  released,
  renewed,
  type Self,
  type Term,
} from './lease-record.ts';
import { leases } from './objects.ts';

/** The part of the client that leader election needs. Without `watch` a standby only polls. */
export type LeaseClient = Pick<KubeClient, 'get' | 'create' | 'replace'> & Partial<Pick<KubeClient, 'watch'>>;

export interface LeaseLockOptions {
  client: LeaseClient;
  clock: Clock;
  namespace: string;
  name: string;
  /** Unlike that of every other process. */
  identity: string;
  isPredecessor?: Self['isPredecessor'];
  mayBeRenamed?: boolean | undefined;
  leaseDurationMs: number;
  /** Deadline of each single request in milliseconds. */
  callTimeoutMs: number;
}

/** The result of one attempt to have the Lease. The times are those before the request that got it was sent. */
export type Attempt =
  | { held: true; startedAt: number; startedWall: number }
  | { held: false; ms: number; holder: string };

/** Others that write at the same moment cost a round each; more than this many in one attempt are left to the next. */
const ROUNDS = 3;

/** One process's hold on a Lease: tries to get or renew it, and gives it back. Resource versions decide every race. */
export class LeaseLock {
  readonly #options: LeaseLockOptions;
  #lease: Lease | undefined;
  #observed: Observed | undefined;
  /** Whether `#lease` is what our own last write returned, so that the next write needs no read before it. */
  #current = false;
  /** Whether a write of ours may have made this process the holder. */
  #mayHold = false;

  constructor(options: LeaseLockOptions) {
    this.#options = options;
  }

  /** The version that was last read or written. */
  get resourceVersion(): string | undefined {
    return this.#lease?.metadata.resourceVersion;
  }

  /**
   * Creates, acquires or renews the Lease, unless another process holds it.
   * @throws KubeError, or the reason of `signal`; the outcome is unknown then and the next attempt reads first
   */
  async attempt(signal: AbortSignal): Promise<Attempt> {
    return this.#inRounds(async () => {
      if (!this.#current) await this.#read(signal);
      const { clock, identity, isPredecessor } = this.#options;
      const self = { identity: this.#mayHold ? identity : undefined, isPredecessor };
      const decision = decide(this.#lease, this.#observed, clock.monotonic(), self);
      if (decision.action === 'wait') return { held: false, ms: decision.ms, holder: decision.holder };
      const start = { startedAt: clock.monotonic(), startedWall: clock.now() };
      await this.#write(next[decision.action](this.#lease, this.#options, this.#term()), signal);
      return { held: true, ...start };
    });
  }

  /**
   * Gives the Lease back if this process holds or may hold it; another's is left alone.
   * @throws KubeError, or the signal's reason
   */
  async release(signal: AbortSignal): Promise<void> {
    if (!this.#mayHold) return;
    await this.#inRounds(async () => {
      if (!this.#current) await this.#read(signal);
      if (this.#lease?.spec?.holderIdentity === this.#options.identity) {
        await this.#write(released(this.#lease, this.#options.clock.now()), signal);
      }
    });
    this.#mayHold = false;
  }

  async #inRounds<T>(work: () => Promise<T>): Promise<T> {
    for (let round = 1; ; round += 1) {
      try {
        return await work();
      } catch (error) {
        this.#current = false;
        if (!isRaced(error) || round === ROUNDS) throw error;
      }
    }
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { client, namespace, name } = this.#options;
    this.#see(
      await this.#call(signal, (options) => client.get<Lease>(leases, { namespace, name }, options)).catch((error) => {
        if (isNotFound(error)) return undefined;
        throw error;
      }),
    );
  }

  async #write(lease: Lease, signal: AbortSignal): Promise<void> {
    const { client } = this.#options;
    const exists = lease.metadata.resourceVersion !== undefined;
    const mayHold = this.#mayHold;
    this.#mayHold = true;
    try {
      this.#see(
        await this.#call(signal, (options) =>
          exists ? client.replace<Lease>(leases, lease, options) : client.create<Lease>(leases, lease, options),
        ),
      );
      this.#current = true;
    } catch (error) {
      if (isRaced(error)) this.#mayHold = mayHold;
      throw error;
    }
  }

  #see(lease: Lease | undefined): void {
    const { clock, leaseDurationMs, mayBeRenamed } = this.#options;
    this.#lease = lease;
    if (mayBeRenamed && lease === undefined) this.#observed ??= heldElsewhere(clock.monotonic(), leaseDurationMs);
    this.#observed = observe(lease, this.#observed, clock.monotonic(), leaseDurationMs);
  }

  #call<T>(signal: AbortSignal, work: (options: { signal: AbortSignal; timeoutMs: number }) => Promise<T>): Promise<T> {
    const { clock, callTimeoutMs: timeoutMs } = this.#options;
    return withDeadline(clock, timeoutMs, signal, (both) => work({ signal: both, timeoutMs }));
  }

  #term(): Term {
    const { identity, leaseDurationMs, clock } = this.#options;
    return { identity, durationMs: leaseDurationMs, now: clock.now() };
  }
}

/** Whether somebody else was faster, so that our write certainly did nothing. */
function isRaced(error: unknown): boolean {
  return isConflict(error) || isAlreadyExists(error) || isNotFound(error);
}

type Next = (lease: Lease | undefined, ref: { namespace: string; name: string }, term: Term) => Lease;

const create: Next = (_lease, { namespace, name }, term) => newLease({ namespace, name }, term);

const next: Record<'create' | 'acquire' | 'renew', Next> = {
  create,
  acquire: (lease, ref, term) => (lease === undefined ? create(lease, ref, term) : acquired(lease, term)),
  renew: (lease, ref, term) => (lease === undefined ? create(lease, ref, term) : renewed(lease, term)),
};
