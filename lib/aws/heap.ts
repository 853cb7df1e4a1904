/** A binary heap of distinct items, least rank first, from which any item can be taken out in logarithmic time. */
export class Heap<T> {
  readonly #items: { item: T; rank: number }[] = [];
  readonly #places = new Map<T, number>();

  get size(): number {
    return this.#items.length;
  }

  /** Adds an item, or gives a known one another rank. */
  set(item: T, rank: number): void {
    const place = this.#places.get(item) ?? this.#items.length;
    this.#put({ item, rank }, place);
    this.#settle(place);
  }

  peek(): T | undefined {
    return this.#items[0]?.item;
  }

  /** All items, in no order that means anything. */
  items(): IterableIterator<T> {
    return this.#places.keys();
  }

  delete(item: T): boolean {
    const place = this.#places.get(item);
    if (place === undefined) return false;
    this.#places.delete(item);
    const last = this.#items.pop();
    if (last !== undefined && last.item !== item) {
      this.#put(last, place);
      this.#settle(place);
    }
    return true;
  }

  #put(entry: { item: T; rank: number }, place: number): void {
    this.#items[place] = entry;
    this.#places.set(entry.item, place);
  }

  #rank(place: number): number {
    return this.#items[place]?.rank ?? Number.POSITIVE_INFINITY;
  }

  #settle(start: number): void {
    let place = start;
    while (place > 0 && this.#rank(place) < this.#rank((place - 1) >> 1)) place = this.#swap(place, (place - 1) >> 1);
    for (;;) {
      const left = 2 * place + 1;
      const least = this.#rank(left + 1) < this.#rank(left) ? left + 1 : left;
      if (least >= this.#items.length || this.#rank(place) <= this.#rank(least)) return;
      place = this.#swap(place, least);
    }
  }

  #swap(a: number, b: number): number {
    const [first, second] = [this.#items[a], this.#items[b]];
    if (first !== undefined) this.#put(first, b);
    if (second !== undefined) this.#put(second, a);
    return b;
  }
}
