/** Least milliseconds between the moment at which credentials were accepted and the next doubt about them. */
const FIRST_PAUSE_MS = 2_000;
/** It doubles with each doubt up to this. */
const MAX_PAUSE_MS = 300_000;
/** After so many milliseconds without a doubt the pauses are short again. */
const QUIET_MS = 2 * MAX_PAUSE_MS;

/**
 * How often a refusal may make the operator doubt its own credentials. Each doubt fetches new ones and asks STS about them,
 * so refusals that come again and again although STS accepts the credentials must grow rare. Times are milliseconds of the
 * steady clock.
 */
export class DoubtPace {
  #pauseMs = FIRST_PAUSE_MS;
  #doubtedAt = Number.NEGATIVE_INFINITY;

  /** Whether credentials that were accepted at `acceptedAt` may be doubted at `now`. A doubt that may be is booked. */
  take(acceptedAt: number, now: number): boolean {
    const isQuiet = now - this.#doubtedAt >= QUIET_MS;
    if (isQuiet) this.#pauseMs = FIRST_PAUSE_MS;
    if (now - acceptedAt < this.#pauseMs) return false;
    this.#doubtedAt = now;
    this.#pauseMs = Math.min(MAX_PAUSE_MS, 2 * this.#pauseMs);
    return true;
  }
}
