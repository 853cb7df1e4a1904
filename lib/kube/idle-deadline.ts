import type { Clock } from '../clock.ts';

export interface IdleDeadlineOptions {
  clock: Clock;
  /** The longest silence at first, in milliseconds. */
  idleMs: number;
  /** Aborts the deadline's own signal with it, for the same reason. */
  outer: AbortSignal | undefined;
}

/** Aborts (`TimeoutError`) when it was not touched for a time. One timer serves any number of touches. */
export class IdleDeadline {
  readonly #controller = new AbortController();
  readonly #clock: Clock;
  readonly #outer: AbortSignal | undefined;
  #idleMs: number;
  #touched: number;
  #cancel: () => void;
  readonly #abort = () => this.#controller.abort(this.#outer?.reason);

  constructor({ clock, idleMs, outer }: IdleDeadlineOptions) {
    this.#clock = clock;
    this.#outer = outer;
    this.#idleMs = idleMs;
    this.#touched = clock.monotonic();
    this.#cancel = clock.after(idleMs, () => this.#check());
    if (outer?.aborted) this.#abort();
    outer?.addEventListener('abort', this.#abort, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  touch(): void {
    this.#touched = this.#clock.monotonic();
  }

  /** Touches, and from now on another silence is the longest. */
  allow(idleMs: number): void {
    this.touch();
    this.#idleMs = idleMs;
    this.#cancel();
    this.#cancel = this.#clock.after(idleMs, () => this.#check());
  }

  /** Closes the connection, too, where the answer is given up in the middle. */
  end(): void {
    this.#cancel();
    this.#outer?.removeEventListener('abort', this.#abort);
    this.#controller.abort();
  }

  #check(): void {
    const left = this.#touched + this.#idleMs - this.#clock.monotonic();
    if (left > 0) this.#cancel = this.#clock.after(left, () => this.#check());
    else this.#controller.abort(new DOMException(`nothing came for ${this.#idleMs} ms`, 'TimeoutError'));
  }
}
