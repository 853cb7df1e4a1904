import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import { gauge, type Metrics } from '../metrics.ts';

/** A difference above which the clock of the node is worth a warning, in milliseconds. */
const WARN_ABOVE_MS = 60_000;
const WARN_EVERY_MS = 600_000;
/** The `Date` header counts whole seconds. */
const HEADER_STEP_MS = 1000;

/**
 * Server time minus local time in milliseconds, 0 while the answer can be explained by equal clocks. The server wrote
 * its `Date` at some moment between sending and receiving, which bounds the difference from both sides; the bound
 * nearest to 0 is taken, so that slow answers never look like a wrong clock.
 *
 * @param date the header's time, milliseconds since 1970
 * @param sentAt local time when the request went out, @param receivedAt local time when the answer's head was there
 */
export function skewOf(date: number, sentAt: number, receivedAt: number): number {
  const least = date - receivedAt;
  const most = date + HEADER_STEP_MS - sentAt;
  if (least > 0) return least;
  return Math.min(most, 0);
}

/**
 * How far the local clock is off. What an answer of AWS told is carried on by the steady clock, so that a wall clock that
 * is set between two answers changes nothing.
 */
export class Skew {
  readonly #clock: Clock;
  readonly #log: Logger;
  /** What the last answer told: server time minus steady time, and when it came on the steady clock. */
  #told: { ahead: number; at: number } | undefined;
  #warnedAt = Number.NEGATIVE_INFINITY;
  readonly #first = Promise.withResolvers<void>();

  constructor(options: { clock: Clock; log: Logger; metrics: Metrics }) {
    this.#clock = options.clock;
    this.#log = options.log;
    const skewSeconds = () => this.ms / 1000;
    gauge(options.metrics, {
      name: 'rolevend_clock_skew_seconds',
      help: 'Server time of AWS minus the local clock, by what the last answer told',
      collect() {
        this.set(skewSeconds());
      },
    });
  }

  /** Add this to the local clock to get server time; whole milliseconds, 0 before the first answer. */
  get ms(): number {
    if (this.#told === undefined) return 0;
    return Math.round(this.#told.ahead + this.#clock.monotonic() - this.#clock.now());
  }

  /** When the last answer came, in milliseconds of the steady clock. */
  get answeredAt(): number {
    return this.#told?.at ?? Number.NEGATIVE_INFINITY;
  }

  /** Resolves when the first answer has come. */
  get known(): Promise<void> {
    return this.#first.promise;
  }

  /** Takes the `Date` of an answer that just came, so many milliseconds after its request. */
  observe(date: number, tookMs: number): void {
    const [local, at] = [this.#clock.now(), this.#clock.monotonic()];
    const ms = skewOf(date, local - tookMs, local);
    this.#told = { ahead: local + ms - at, at };
    this.#first.resolve();
    if (Math.abs(ms) <= WARN_ABOVE_MS || at - this.#warnedAt < WARN_EVERY_MS) return;
    this.#warnedAt = at;
    this.#log.warn(
      { skewSeconds: Math.round(ms / 1000) },
      'the local clock differs from that of AWS; times are corrected, but set the clock of the node right',
    );
  }
}
