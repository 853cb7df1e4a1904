import type { Clock } from '../clock.ts';
import { describeError } from '../errors.ts';
import type { Logger } from '../log.ts';

export interface FreshOptions<T> {
  /** Reads it, whole. What it throws says that it is unreadable, for instance since it is just being written. */
  read: (known: T | undefined) => T;
  clock: Clock;
  log: Logger;
  /** Names what is read, in logs. */
  name: string;
}

/** It is read anew after so long. */
const rereadMs = 60_000;
/** What could not be read is read again so soon. */
const rereadSoonMs = 5_000;

/** What a kubeconfig says, read anew from time to time. While it cannot be read, what it said before holds. */
export class Fresh<T> {
  readonly #options: FreshOptions<T>;
  #value: T;
  #dueAt: number;
  #isBroken = false;

  /** Throws what `read` throws, since there is nothing that could hold. */
  constructor(options: FreshOptions<T>) {
    this.#options = options;
    this.#value = options.read(undefined);
    this.#dueAt = options.clock.monotonic() + rereadMs;
  }

  /** What holds now. */
  get(): T {
    return this.#options.clock.monotonic() < this.#dueAt ? this.#value : this.reread();
  }

  /** Reads at once, and gives what holds then. */
  reread(): T {
    const { read, clock, log, name } = this.#options;
    const now = clock.monotonic();
    try {
      this.#value = read(this.#value);
      this.#dueAt = now + rereadMs;
      if (this.#isBroken) log.info({ name }, 'kubeconfig readable again');
      this.#isBroken = false;
    } catch (error) {
      this.#dueAt = now + rereadSoonMs;
      const level = this.#isBroken ? 'debug' : 'warn';
      log[level]({ name, problem: describeError(error) }, 'kubeconfig not readable, going on with what it said before');
      this.#isBroken = true;
    }
    return this.#value;
  }
}
