import { orAborted } from '../clock.ts';

interface Waiting {
  group: string;
  start: () => void;
}

/**
 * Lets a bounded number of works run at a time, in all and for each group, in the order in which they came. A group that has
 * used up its share lets others pass.
 */
export class Slots {
  readonly #most: { inAll: number; inGroup: number };
  readonly #running = new Map<string, number>();
  #count = 0;
  #waiting: Waiting[] = [];

  constructor(most: { inAll: number; inGroup: number }) {
    this.#most = most;
  }

  /** Works that run. */
  get running(): number {
    return this.#count;
  }

  /** Runs `work` when there is room. Rejects with the signal's reason where that aborts before. */
  async run<T>(group: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    const { promise, resolve: start } = Promise.withResolvers<void>();
    const waiting = { group, start };
    this.#waiting.push(waiting);
    this.#fill();
    let isRunning = false;
    try {
      await orAborted(promise, signal);
      isRunning = true;
      return await work();
    } finally {
      // Who gave up may have been let in at the same moment.
      const at = this.#waiting.indexOf(waiting);
      if (at >= 0) this.#waiting.splice(at, 1);
      if (isRunning || at < 0) this.#leave(group);
    }
  }

  #fill(): void {
    while (this.#count < this.#most.inAll) {
      const at = this.#waiting.findIndex(({ group }) => (this.#running.get(group) ?? 0) < this.#most.inGroup);
      const [next] = at < 0 ? [] : this.#waiting.splice(at, 1);
      if (next === undefined) return;
      this.#running.set(next.group, (this.#running.get(next.group) ?? 0) + 1);
      this.#count += 1;
      next.start();
    }
  }

  #leave(group: string): void {
    const left = (this.#running.get(group) ?? 1) - 1;
    if (left === 0) this.#running.delete(group);
    else this.#running.set(group, left);
    this.#count -= 1;
    this.#fill();
  }
}
