import type { Clock } from '../clock.ts';
import type { Metrics } from '../metrics.ts';
import { Deadlines } from './deadlines.ts';
import { FairFifo } from './fifo.ts';
import { refOfKey } from './objects.ts';
import { type QueueFigures, type QueueMetrics, queueMetrics } from './queue-metrics.ts';

/** `high` for real changes and due work, `low` for a resync, which gets one of four turns while both wait. */
export type Priority = 'high' | 'low';

/** Every fourth key that is handed out is a `low` one while there are any, so that those with work for ever keep none out. */
const SHARE = 4;

export interface WorkQueueOptions {
  /** The label `name` of the metrics, unlike any other queue's in the same metrics. */
  name: string;
  clock: Clock;
  metrics: Metrics;
  /** Delay of the first retry in milliseconds; each further one doubles it. Default 1000. */
  baseDelayMs?: number;
  /** Longest delay of a retry in milliseconds, default 300000. */
  maxDelayMs?: number;
  /** Called each time when the last key was given back and none is to be handed out. Must not throw. */
  onIdle?: () => void;
}

interface Dirty {
  priority: Priority;
  since: number;
}

interface Waiter {
  take(key: string | undefined): void;
}

/**
 * A queue of keys for a level-triggered loop, with the rules of client-go's work queue and controller-runtime's
 * priority queue: a key stands in it once, is held by one worker at a time, and runs again after `done` when it was
 * added meanwhile. Of several deadlines of a key the earliest stands. A key that will run at once needs no deadline, so
 * adding it takes its deadline away, and one set meanwhile is dropped: the coming pass says when the next one is due.
 * Namespaces take turns, so that none waits for the thousands of another one.
 */
export class WorkQueue {
  readonly #clock: Clock;
  readonly #metrics: QueueMetrics;
  readonly #baseDelayMs: number;
  readonly #maxDelayMs: number;
  readonly #onIdle: () => void;
  /** Keys to hand out, including those that wait for their worker to finish first. */
  readonly #dirty = new Map<string, Dirty>();
  /** Keys that a worker holds, with the time it took them. */
  readonly #processing = new Map<string, number>();
  /** Keys of `#dirty` that no worker holds. */
  readonly #runnable = { high: new FairFifo(namespaceOf), low: new FairFifo(namespaceOf) };
  readonly #deadlines = new Deadlines();
  readonly #failures = new Map<string, number>();
  readonly #waiters = new Set<Waiter>();
  readonly #drainWaiters: (() => void)[] = [];
  #sinceLow = 0;
  #timer: { at: number; cancel: () => void } | undefined;
  #shutDown = false;

  constructor(options: WorkQueueOptions) {
    this.#clock = options.clock;
    this.#baseDelayMs = options.baseDelayMs ?? 1000;
    this.#maxDelayMs = options.maxDelayMs ?? 300_000;
    this.#onIdle = options.onIdle ?? (() => {});
    this.#metrics = queueMetrics(options.metrics, options.name, () => this.#figures());
  }

  /** Keys that a free worker would get now. */
  get length(): number {
    return this.#runnable.high.size + this.#runnable.low.size;
  }

  /** For how many milliseconds the oldest key that no worker holds has been waiting; 0 when none waits. */
  get oldestRunnableMs(): number {
    for (const [key, { since }] of this.#dirty) {
      if (!this.#processing.has(key)) return this.#clock.monotonic() - since;
    }
    return 0;
  }

  /** Hands the key out as soon as a worker is free and none holds it. A `low` key that is added as `high` moves up. */
  add(key: string, priority: Priority = 'high'): void {
    if (this.#shutDown) return;
    this.#deadlines.delete(key);
    const known = this.#dirty.get(key);
    if (known === undefined) this.#addNew(key, priority);
    else if (priority === 'high') this.#promote(key, known);
  }

  /**
   * Adds the key (as `high`) after `ms` milliseconds; 0 and less mean now.
   * @throws RangeError when `ms` is not a number, because the key would silently run at once or never
   */
  addAfter(key: string, ms: number): void {
    if (Number.isNaN(ms)) throw new RangeError(`the delay of ${key} is not a number`);
    if (this.#shutDown) return;
    if (ms <= 0) this.add(key);
    else if (!this.#dirty.has(key)) {
      this.#deadlines.add(key, this.#clock.monotonic() + ms);
      this.#arm();
    }
  }

  /** Adds the key after its back-off: base · 2ⁿ after n earlier failures, at most the maximum, at least `leastMs` (default 0). */
  addRateLimited(key: string, leastMs = 0): void {
    if (this.#shutDown) return;
    const failures = this.failures(key);
    this.#failures.set(key, failures + 1);
    this.#metrics.retried();
    this.addAfter(key, Math.max(leastMs, Math.min(this.#baseDelayMs * 2 ** failures, this.#maxDelayMs)));
  }

  /** Ends the key's back-off: the next failure counts as the first. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** How often the key was added with back-off since it was last forgotten. */
  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  /**
   * The next key, as soon as there is one. Whoever gets it calls `done` afterwards. Undefined once the queue is shut down.
   * Rejects with the signal's reason when that aborts first.
   */
  next(signal?: AbortSignal): Promise<string | undefined> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const abort = () => {
        this.#waiters.delete(waiter);
        reject(signal?.reason);
      };
      const waiter: Waiter = {
        take: (key) => {
          signal?.removeEventListener('abort', abort);
          resolve(key);
        },
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiters.add(waiter);
      this.#dispatch();
    });
  }

  /** Gives a key back. It runs again at once when it was added while the worker held it. */
  done(key: string): void {
    const since = this.#processing.get(key);
    if (since === undefined) return;
    this.#processing.delete(key);
    this.#metrics.finished((this.#clock.monotonic() - since) / 1000);
    const again = this.#dirty.get(key);
    if (again !== undefined) this.#runnable[again.priority].push(key);
    this.#dispatch();
    this.#tellDrained();
    if (this.#processing.size === 0 && this.#dirty.size === 0) this.#onIdle();
  }

  /**
   * Takes no more keys, drops those that wait (a level-triggered loop finds them again at its next start), and
   * answers every `next` with undefined. Keys that workers hold are not touched, see `drained`.
   */
  shutDown(): void {
    this.#shutDown = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#deadlines.clear();
    this.#dirty.clear();
    this.#failures.clear();
    this.#runnable.high.clear();
    this.#runnable.low.clear();
    this.#metrics.remove();
    this.#dispatch();
    this.#tellDrained();
  }

  /** Resolves when the queue is shut down and every key that a worker held was given back. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#drainWaiters.push(resolve);
      this.#tellDrained();
    });
  }

  #addNew(key: string, priority: Priority): void {
    this.#metrics.added();
    this.#dirty.set(key, { priority, since: this.#clock.monotonic() });
    if (this.#processing.has(key)) return;
    this.#runnable[priority].push(key);
    this.#dispatch();
  }

  #promote(key: string, known: Dirty): void {
    if (known.priority === 'high') return;
    known.priority = 'high';
    if (this.#runnable.low.delete(key)) this.#runnable.high.push(key);
  }

  #dispatch(): void {
    for (const waiter of this.#waiters) {
      const key = this.#take();
      if (key === undefined && !this.#shutDown) return;
      this.#waiters.delete(waiter);
      waiter.take(key);
    }
  }

  #take(): string | undefined {
    const key = this.#shift();
    if (key === undefined) return undefined;
    const now = this.#clock.monotonic();
    this.#metrics.taken((now - (this.#dirty.get(key)?.since ?? now)) / 1000);
    this.#dirty.delete(key);
    this.#processing.set(key, now);
    return key;
  }

  #shift(): string | undefined {
    const { high, low } = this.#runnable;
    const isTurnOfLow = low.size > 0 && (high.size === 0 || this.#sinceLow >= SHARE - 1);
    const key = isTurnOfLow ? low.shift() : high.shift();
    if (key !== undefined) this.#sinceLow = isTurnOfLow ? 0 : this.#sinceLow + 1;
    return key;
  }

  /** One timer serves all deadlines; it is set anew only when an earlier one came. */
  #arm(): void {
    const at = this.#deadlines.earliest;
    if (at === undefined || (this.#timer !== undefined && this.#timer.at <= at)) return;
    this.#timer?.cancel();
    this.#timer = { at, cancel: this.#clock.after(at - this.#clock.monotonic(), () => this.#addDue()) };
  }

  #addDue(): void {
    this.#timer = undefined;
    const now = this.#clock.monotonic();
    for (let key = this.#deadlines.takeDue(now); key !== undefined; key = this.#deadlines.takeDue(now)) this.add(key);
    this.#arm();
  }

  #tellDrained(): void {
    if (!this.#shutDown || this.#processing.size > 0) return;
    for (const resolve of this.#drainWaiters.splice(0)) resolve();
  }

  #figures(): QueueFigures {
    const now = this.#clock.monotonic();
    const ages = [...this.#processing.values()].map((since) => (now - since) / 1000);
    return {
      depth: this.#dirty.size,
      unfinishedSeconds: ages.reduce((sum, age) => sum + age, 0),
      longestRunningSeconds: Math.max(0, ...ages),
    };
  }
}

function namespaceOf(key: string): string {
  return refOfKey(key).namespace ?? '';
}
