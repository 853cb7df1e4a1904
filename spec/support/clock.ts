import { type Clock, systemClock } from '../../lib/clock.ts';

interface Timer {
  due: number;
  run: () => void;
}

/** A clock that stands still until a test moves it. Timers run in order of their due times, each at its own time. */
export class ManualClock implements Clock {
  readonly #timers = new Set<Timer>();
  #wall: number;
  #elapsed = 0;

  /** @param startMs the wall-clock time it starts with, milliseconds since 1970, default 2026-01-01T00:00:00Z */
  constructor(startMs: number = Date.parse('2026-01-01T00:00:00Z')) {
    this.#wall = startMs;
  }

  now(): number {
    return this.#wall;
  }

  monotonic(): number {
    return this.#elapsed;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { due: this.#elapsed + Math.max(0, ms), run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** How many timers wait. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Milliseconds until the next timer, or undefined when none waits. */
  get nextInMs(): number | undefined {
    const next = this.#next(Number.POSITIVE_INFINITY);
    return next === undefined ? undefined : next.due - this.#elapsed;
  }

  /**
   * Moves the time forward by `ms` and runs every timer on the way, also those that earlier ones set.
   * Between two timers, and at the end, it lets what is ready to run go on (promises and `setImmediate`).
   */
  async advance(ms: number): Promise<void> {
    const end = this.#elapsed + ms;
    await settle();
    for (let timer = this.#next(end); timer !== undefined; timer = this.#next(end)) {
      this.#moveTo(timer.due);
      this.#timers.delete(timer);
      timer.run();
      await settle();
    }
    this.#moveTo(end);
  }

  /** Steps the wall clock by `ms`, as a time server or a resumed machine would. Timers do not notice. */
  step(ms: number): void {
    this.#wall += ms;
  }

  #moveTo(elapsed: number): void {
    this.#wall += elapsed - this.#elapsed;
    this.#elapsed = elapsed;
  }

  #next(end: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.due <= end && (next === undefined || timer.due < next.due)) next = timer;
    }
    return next;
  }
}

/** A clock that runs `factor` times as fast as the machine's, from `startMs` (milliseconds since 1970, default now). */
export function scaledClock(factor: number, startMs: number = systemClock.now()): Clock {
  const origin = systemClock.monotonic();
  const elapsed = () => (systemClock.monotonic() - origin) * factor;
  return {
    now: () => startMs + elapsed(),
    monotonic: elapsed,
    after(ms, run) {
      const due = elapsed() + Math.max(0, ms);
      let cancel = () => {};
      // The machine's timers come up to a millisecond early, which is long on a fast clock.
      const arm = () => {
        const left = due - elapsed();
        cancel = systemClock.after(left / factor, () => (due > elapsed() ? arm() : run()));
      };
      arm();
      return () => cancel();
    },
  };
}

/**
 * A clock that runs at the machine's speed, and that a test puts forward. What waits for a time comes sooner, while
 * requests that start after a skip have as long as ever for their answers.
 */
export class SkipClock implements Clock {
  readonly #timers = new Set<Timer & { cancel(): void }>();
  #skipped = 0;
  #stepped = 0;

  now(): number {
    return systemClock.now() + this.#skipped + this.#stepped;
  }

  monotonic(): number {
    return systemClock.monotonic() + this.#skipped;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { due: this.monotonic() + Math.max(0, ms), run, cancel() {} };
    this.#timers.add(timer);
    this.#arm(timer);
    return () => {
      timer.cancel();
      this.#timers.delete(timer);
    };
  }

  /** Puts the time forward by `ms`, as a machine that slept would find it. Timers that are due then run in their order. */
  skip(ms: number): void {
    this.#skipped += ms;
    for (const timer of [...this.#timers].sort((a, b) => a.due - b.due)) {
      timer.cancel();
      this.#arm(timer);
    }
  }

  /** How many timers wait. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Milliseconds until the next timer, or undefined when none waits. */
  get nextInMs(): number | undefined {
    const due = Math.min(...[...this.#timers].map((timer) => timer.due));
    return this.#timers.size === 0 ? undefined : Math.max(0, due - this.monotonic());
  }

  /** Steps the wall clock alone by `ms`, as somebody who sets it does. Timers do not notice. */
  step(ms: number): void {
    this.#stepped += ms;
  }

  #arm(timer: Timer & { cancel(): void }): void {
    timer.cancel = systemClock.after(timer.due - this.monotonic(), () => {
      if (timer.due > this.monotonic()) return this.#arm(timer);
      this.#timers.delete(timer);
      timer.run();
    });
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
