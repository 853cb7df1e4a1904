interface Entry {
  key: string;
  at: number;
  position: number;
}

/** Keys with a deadline each, earliest first: a binary heap that also finds and removes by key. Times are plain milliseconds. */
export class Deadlines {
  readonly #heap: Entry[] = [];
  readonly #byKey = new Map<string, Entry>();

  get size(): number {
    return this.#heap.length;
  }

  has(key: string): boolean {
    return this.#byKey.has(key);
  }

  /** The earliest deadline, or undefined when there is none. */
  get earliest(): number | undefined {
    return this.#heap[0]?.at;
  }

  /** Sets the key's deadline, unless it already has one that is not later. */
  add(key: string, at: number): void {
    const known = this.#byKey.get(key);
    if (known === undefined) {
      const entry = { key, at, position: this.#heap.length };
      this.#byKey.set(key, entry);
      this.#up(entry);
    } else if (at < known.at) {
      known.at = at;
      this.#up(known);
    }
  }

  /** Forgets the key's deadline. False when it had none. */
  delete(key: string): boolean {
    const entry = this.#byKey.get(key);
    if (entry === undefined) return false;
    this.#byKey.delete(key);
    const last = this.#heap.pop();
    if (last !== undefined && last !== entry) {
      last.position = entry.position;
      this.#up(last);
      this.#down(last);
    }
    return true;
  }

  /** Takes out the key of the earliest deadline if that is `now` or before. */
  takeDue(now: number): string | undefined {
    const first = this.#heap[0];
    if (first === undefined || first.at > now) return undefined;
    this.delete(first.key);
    return first.key;
  }

  clear(): void {
    this.#heap.length = 0;
    this.#byKey.clear();
  }

  #up(entry: Entry): void {
    let at = entry.position;
    while (at > 0) {
      const parent = this.#heap[(at - 1) >> 1];
      if (parent === undefined || parent.at <= entry.at) break;
      this.#put(parent, at);
      at = (at - 1) >> 1;
    }
    this.#put(entry, at);
  }

  #down(entry: Entry): void {
    let at = entry.position;
    for (
      let child = this.#earlierChild(at);
      child !== undefined && child.at < entry.at;
      child = this.#earlierChild(at)
    ) {
      const next = child.position;
      this.#put(child, at);
      at = next;
    }
    this.#put(entry, at);
  }

  #earlierChild(at: number): Entry | undefined {
    const left = this.#heap[2 * at + 1];
    const right = this.#heap[2 * at + 2];
    return right !== undefined && left !== undefined && right.at < left.at ? right : left;
  }

  #put(entry: Entry, position: number): void {
    this.#heap[position] = entry;
    entry.position = position;
  }
}
