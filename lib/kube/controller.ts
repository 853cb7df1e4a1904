import { type Clock, sleep } from '../clock.ts';
import { isAbort, RolevendError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { type ControllerMetrics, controllerMetrics, type PassResult } from './controller-metrics.ts';
import type { WorkQueue } from './queue.ts';

/** What a pass that went well asks for. */
export interface ReconcileResult {
  /** Run again after so many milliseconds. A change that comes earlier takes its place. */
  requeueAfterMs?: number;
}

/**
 * One pass over one object: brings the world to the state that the key's object asks for, from whatever state it
 * is in. It is told the key alone, because what stands now counts and not what changed. It may be run again at any
 * time, and never runs twice at once for one key. An error wins over a result; its `consequence` says what follows:
 * `retry` and `wait` come again with back-off (at least `retryAfterMs`), `stop` only after the next change. Any other
 * error is retried.
 */
export type Reconcile = (key: string, signal: AbortSignal) => Promise<ReconcileResult | undefined>;

export interface ControllerOptions {
  /** The label `controller` of the metrics and the field of the log. */
  name: string;
  queue: WorkQueue;
  reconcile: Reconcile;
  /** How many keys are worked on at once. */
  concurrency: number;
  clock: Clock;
  log: Logger;
  metrics: Metrics;
}

/** How long runnable keys may wait without any pass before the controller counts as stuck. */
const STUCK_MS = 180_000;
/** After so many milliseconds of passes that never waited, timers and sockets get a turn. */
const SLICE_MS = 10;

/** Runs passes for the keys of one queue. */
export class Controller {
  readonly #options: ControllerOptions;
  readonly #log: Logger;
  readonly #metrics: ControllerMetrics;
  #running = false;
  #lastActivity = 0;
  #sliceStart = 0;

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.#log = options.log.child({ controller: options.name });
    this.#metrics = controllerMetrics(options.metrics, options.name, options.concurrency);
  }

  /** Works until the signal aborts. Then the queue shuts down, and it resolves when the running passes have ended. */
  async run(signal: AbortSignal): Promise<void> {
    const { queue, concurrency, clock } = this.#options;
    const stop = () => queue.shutDown();
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    this.#lastActivity = clock.monotonic();
    this.#running = true;
    await Promise.all(Array.from({ length: concurrency }, () => this.#work(signal)));
    this.#running = false;
    signal.removeEventListener('abort', stop);
  }

  /** False when for 3 minutes no pass started or ended although keys waited that could run. A controller that does not run is healthy. */
  healthy(): boolean {
    const idleMs = this.#options.clock.monotonic() - this.#lastActivity;
    return !this.#running || Math.min(idleMs, this.#options.queue.oldestRunnableMs) < STUCK_MS;
  }

  async #work(signal: AbortSignal): Promise<void> {
    const { queue } = this.#options;
    for (let key = await queue.next(); key !== undefined; key = await queue.next()) {
      await this.#pass(key, signal);
      queue.done(key);
      await this.#giveTurn();
    }
  }

  async #pass(key: string, signal: AbortSignal): Promise<void> {
    const { clock, reconcile } = this.#options;
    const startedAt = clock.monotonic();
    this.#lastActivity = startedAt;
    this.#metrics.started();
    let result: PassResult;
    try {
      result = this.#settle(key, await reconcile(key, signal));
    } catch (error) {
      result = this.#fail(key, error, signal);
    }
    this.#lastActivity = clock.monotonic();
    this.#metrics.ended(result, (this.#lastActivity - startedAt) / 1000);
  }

  #settle(key: string, result: ReconcileResult | undefined): PassResult {
    const { queue } = this.#options;
    if (result?.requeueAfterMs !== undefined) queue.addAfter(key, result.requeueAfterMs);
    queue.forget(key);
    return result?.requeueAfterMs === undefined ? 'success' : 'requeue_after';
  }

  #fail(key: string, error: unknown, signal: AbortSignal): PassResult {
    const { queue } = this.#options;
    if (signal.aborted && (isAbort(error) || error === signal.reason)) return 'aborted';
    const { consequence, retryAfterMs } =
      error instanceof RolevendError ? error : { consequence: 'retry' as const, retryAfterMs: undefined };
    if (consequence === 'stop') {
      this.#log.error({ key, err: error }, 'pass failed for good, waiting for a change');
      queue.forget(key);
      return 'terminal_error';
    }
    queue.addRateLimited(key, retryAfterMs);
    this.#log[consequence === 'wait' ? 'debug' : 'warn'](
      { key, err: error, failures: queue.failures(key) },
      'pass failed, will try again',
    );
    return 'error';
  }

  /** Passes that never wait would hold the process's one thread for as long as the queue is full. */
  async #giveTurn(): Promise<void> {
    const { clock, queue } = this.#options;
    if (queue.length === 0 || clock.monotonic() - this.#sliceStart < SLICE_MS) return;
    await sleep(clock, 0);
    this.#sliceStart = clock.monotonic();
  }
}
