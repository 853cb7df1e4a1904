/** Distinct keys, first in, first out. Every operation takes constant time, also with many keys. */
export class Fifo {
  readonly #keys = new Set<string>();
  /** Kept between calls: a fresh iterator would walk over the holes that earlier keys left at the front. */
  #front = this.#keys.values();

  get size(): number {
    return this.#keys.size;
  }

  /** Puts the key at the end. A key that is already there stays where it is. */
  push(key: string): void {
    this.#keys.add(key);
  }

  /** Takes out the oldest key. */
  shift(): string | undefined {
    if (this.#keys.size === 0) return undefined;
    let first = this.#front.next();
    if (first.done) {
      this.#front = this.#keys.values();
      first = this.#front.next();
    }
    if (first.done) return undefined;
    this.#keys.delete(first.value);
    return first.value;
  }

  /** Takes out this key. False when it was not there. */
  delete(key: string): boolean {
    return this.#keys.delete(key);
  }

  clear(): void {
    this.#keys.clear();
  }
}
