export interface BackoffOptions {
  /** Default 800. */
  baseMs?: number;
  /** The longest wait, jitter included. Default 30,000. */
  maxMs?: number;
  /** A number from 0 up to 1; default `Math.random`. */
  random?: () => number;
}

/** Waits that double from a base up to a limit, each made longer by up to its own length, so that clients spread out. */
export class Backoff {
  readonly #baseMs: number;
  readonly #maxMs: number;
  readonly #random: () => number;
  #failures = 0;

  constructor({ baseMs = 800, maxMs = 30_000, random = Math.random }: BackoffOptions = {}) {
    this.#baseMs = baseMs;
    this.#maxMs = maxMs;
    this.#random = random;
  }

  /** Milliseconds to wait after one more failure. */
  next(): number {
    const wait = this.#baseMs * 2 ** Math.min(this.#failures, 30) * (1 + this.#random());
    this.#failures += 1;
    return Math.min(wait, this.#maxMs);
  }

  reset(): void {
    this.#failures = 0;
  }
}
