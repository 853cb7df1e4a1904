import { type Clock, orAborted } from '../clock.ts';

/** How long is waited while nothing comes. */
const silenceMs = 10_000;
/** How long is waited at most. */
const longestMs = 60_000;

export interface WaitOptions {
  clock: Clock;
  /** When the last sign came that what is waited for is under way, in milliseconds of the steady clock. */
  lastSignAt: () => number;
  /** Called where the wait ends without what was waited for. */
  onGivenUp: () => void;
  signal: AbortSignal;
}

/** Those who wait for one thing, none of them for ever. */
export class Waiters {
  readonly #waiting = new Set<() => void>();

  get size(): number {
    return this.#waiting.size;
  }

  /** What was waited for is there. */
  release(): void {
    for (const resolve of this.#waiting) resolve();
  }

  /** Resolves at `release`, or after 10 s without a sign, or after a minute. Rejects with the signal's reason when it aborts. */
  async wait({ clock, lastSignAt, onGivenUp, signal }: WaitOptions): Promise<void> {
    const done = Promise.withResolvers<void>();
    const startedAt = clock.monotonic();
    this.#waiting.add(done.resolve);
    let cancel = () => {};
    const check = () => {
      const silentAt = Math.max(lastSignAt(), startedAt) + silenceMs;
      const leftMs = Math.min(silentAt, startedAt + longestMs) - clock.monotonic();
      if (leftMs > 0) {
        cancel = clock.after(leftMs, check);
        return;
      }
      onGivenUp();
      done.resolve();
    };
    check();
    await orAborted(done.promise, signal).finally(() => {
      cancel();
      this.#waiting.delete(done.resolve);
    });
  }
}
