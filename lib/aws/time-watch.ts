import { type Clock, orAborted, sleep } from '../clock.ts';
import type { Logger } from '../log.ts';
import type { BaseIdentity } from './identity.ts';
import type { AwsOptions } from './options.ts';
import type { Transport } from './transport.ts';

/** How often the two clocks of the machine are compared, in milliseconds, and how often AWS is asked until it answers. */
const LOOK_EVERY_MS = 15_000;
/** How long the first answer of AWS is waited for, in milliseconds, unless told otherwise. */
const FIRST_ANSWER_MS = 1_000;
/** What is less is the work of a time server, or of a busy machine. */
const STEP_MS = 2_000;

/**
 * Notices that the wall clock and the steady clock went apart: somebody set the clock, or the machine slept and only one
 * of the two went on. Which of them is right only AWS can tell, so it is asked at once.
 */
export class TimeWatch {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #identity: Pick<BaseIdentity, 'recheck'>;
  readonly #transport: Pick<Transport, 'answeredAt' | 'timeKnown'>;
  readonly #firstAnswerMs: number;
  readonly #listeners = new Set<() => void>();

  constructor(options: {
    clock: Clock;
    log: Logger;
    identity: Pick<BaseIdentity, 'recheck'>;
    transport: Pick<Transport, 'answeredAt' | 'timeKnown'>;
    aws?: Pick<AwsOptions, 'firstAnswerMs'>;
  }) {
    this.#firstAnswerMs = options.aws?.firstAnswerMs ?? FIRST_ANSWER_MS;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#identity = options.identity;
    this.#transport = options.transport;
  }

  /** Calls `run` when AWS has told the time after such a step: waits that were set before it may be of a wrong length. */
  onStep(run: () => void): () => void {
    this.#listeners.add(run);
    return () => this.#listeners.delete(run);
  }

  /**
   * Resolves when AWS has told its time once, or after a second without: whoever judges the age of credentials by a clock
   * that nobody has compared yet may take good ones for ended. Rejects with the signal's reason when that aborts first.
   */
  async known(signal: AbortSignal): Promise<void> {
    const enough = new AbortController();
    const limit = sleep(this.#clock, this.#firstAnswerMs, enough.signal).catch(() => {});
    await orAborted(Promise.race([this.#transport.timeKnown, limit]), signal).finally(() => enough.abort());
  }

  /** Looks until the signal aborts, then resolves. */
  async start(signal: AbortSignal): Promise<void> {
    for (let gap = this.#gap(); !signal.aborted; gap = this.#gap()) {
      await this.#pause(signal);
      const stepMs = this.#gap() - gap;
      if (Math.abs(stepMs) < STEP_MS || signal.aborted) continue;
      this.#log.warn({ stepSeconds: Math.round(stepMs / 1000) }, 'the clock was set, or the machine slept: asking AWS');
      await this.#ask(signal);
      if (!signal.aborted) for (const run of this.#listeners) run();
    }
  }

  async #ask(signal: AbortSignal): Promise<void> {
    const since = this.#clock.monotonic();
    while (!signal.aborted) {
      await this.#identity.recheck(signal);
      if (this.#transport.answeredAt >= since) return;
      await this.#pause(signal);
    }
  }

  #gap(): number {
    return this.#clock.now() - this.#clock.monotonic();
  }

  async #pause(signal: AbortSignal): Promise<void> {
    await sleep(this.#clock, LOOK_EVERY_MS, signal).catch(() => {});
  }
}
