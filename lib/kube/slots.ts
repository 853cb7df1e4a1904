/** Lets so many pieces of work run at once. The others wait for their turn, first come, first served. */
export class Slots {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  /** @param size how many run at once */
  constructor(size: number) {
    this.#free = size;
  }

  /** Runs `work` when it is its turn, and gives what that gives. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    await this.#take();
    try {
      return await work();
    } finally {
      this.#giveBack();
    }
  }

  async #take(): Promise<void> {
    if (this.#free === 0) return await new Promise((resolve) => this.#waiting.push(resolve));
    this.#free -= 1;
  }

  #giveBack(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}
