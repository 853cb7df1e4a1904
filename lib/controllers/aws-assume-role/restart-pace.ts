/** Time between two restarts in the long run, in milliseconds. */
const INTERVAL_MS = 200;
/** Restarts that may come at once after a quiet time. */
const BURST = 20;

/**
 * Spreads the restarts of all objects, since a cluster whose Pods all start at once is as good as down. All times are
 * milliseconds of a clock that never steps back.
 */
export class RestartPace {
  #busyUntil = Number.NEGATIVE_INFINITY;

  /** Reserves `count` restarts and gives the time from which they may be made. */
  reserve(count: number, now: number): number {
    const start = Math.max(now, this.#busyUntil - BURST * INTERVAL_MS);
    this.#busyUntil = Math.max(this.#busyUntil, now) + count * INTERVAL_MS;
    return start;
  }
}
