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

/** Distinct keys of several groups. Groups take turns, and within one the oldest key goes first. Constant time, as `Fifo`. */
export class FairFifo {
  readonly #groupOf: (key: string) => string;
  readonly #groups = new Map<string, Fifo>();
  /** The groups that have keys. */
  readonly #turns = new Fifo();
  #size = 0;

  constructor(groupOf: (key: string) => string) {
    this.#groupOf = groupOf;
  }

  get size(): number {
    return this.#size;
  }

  /** Puts the key at the end of its group. A key that is already there stays where it is. */
  push(key: string): void {
    const group = this.#groupOf(key);
    const keys = this.#groups.get(group) ?? new Fifo();
    this.#groups.set(group, keys);
    this.#change(keys, () => keys.push(key));
    this.#turns.push(group);
  }

  /** Takes out the oldest key of the group whose turn it is. */
  shift(): string | undefined {
    const group = this.#turns.shift();
    const keys = group === undefined ? undefined : this.#groups.get(group);
    if (group === undefined || keys === undefined) return undefined;
    const key = this.#change(keys, () => keys.shift());
    if (keys.size > 0) this.#turns.push(group);
    else this.#groups.delete(group);
    return key;
  }

  /** Takes out this key. False when it was not there. */
  delete(key: string): boolean {
    const group = this.#groupOf(key);
    const keys = this.#groups.get(group);
    if (keys === undefined || !this.#change(keys, () => keys.delete(key))) return false;
    if (keys.size === 0) {
      this.#groups.delete(group);
      this.#turns.delete(group);
    }
    return true;
  }

  clear(): void {
    this.#groups.clear();
    this.#turns.clear();
    this.#size = 0;
  }

  #change<T>(keys: Fifo, work: () => T): T {
    const before = keys.size;
    const result = work();
    this.#size += keys.size - before;
    return result;
  }
}
