import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import { type Gauge, gauge, type Metrics } from '../metrics.ts';

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

/** How far the local clock is off, as the last answer of AWS told. */
export class Skew {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #gauge: Gauge;
  #ms = 0;
  #warnedAt = Number.NEGATIVE_INFINITY;

  constructor(options: { clock: Clock; log: Logger; metrics: Metrics }) {
    this.#clock = options.clock;
    this.#log = options.log;
    const help = 'Server time of AWS minus the local clock, as the last answer told';
    this.#gauge = gauge(options.metrics, { name: 'rolevend_clock_skew_seconds', help });
  }

  /** Add this to the local clock to get server time. */
  get ms(): number {
    return this.#ms;
  }

  /** Takes the times of one answer, as `skewOf`. */
  observe(date: number, sentAt: number, receivedAt: number): void {
    this.#ms = skewOf(date, sentAt, receivedAt);
    this.#gauge.set(this.#ms / 1000);
    const now = this.#clock.monotonic();
    if (Math.abs(this.#ms) <= WARN_ABOVE_MS || now - this.#warnedAt < WARN_EVERY_MS) return;
    this.#warnedAt = now;
    this.#log.warn(
      { skewSeconds: Math.round(this.#ms / 1000) },
      'the local clock differs from that of AWS; times are corrected, but set the clock of the node right',
    );
  }
}
