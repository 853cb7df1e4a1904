import { Heap } from './heap.ts';

/** Where a waiting key stands. */
export interface Order {
  namespace: string;
  /** End of the credential that it renews, milliseconds since 1970; undefined where there is none that is still valid. */
  validUntil: number | undefined;
}

/** Every fourth token goes to new and expired ones while they wait. */
const SHARE = 4;

/**
 * The keys that wait for one bucket. Those with a valid credential go in order of its end. New and expired ones take
 * turns by namespace, first come first served within one, and get at least one of four tokens; so no namespace and
 * no key can keep another one out.
 */
export class Line {
  readonly #valid = new Heap<string>();
  readonly #fresh = new Map<string, Set<string>>();
  readonly #namespaces = new Map<string, string>();
  #sinceFresh = 0;

  get size(): number {
    return this.#valid.size + this.#namespaces.size;
  }

  /** Adds a key, or moves it where its order changed; an unchanged key keeps its place. */
  add(key: string, order: Order): void {
    if (order.validUntil !== undefined) {
      this.#deleteFresh(key);
      this.#valid.set(key, order.validUntil);
      return;
    }
    if (this.#namespaces.get(key) === order.namespace) return;
    this.delete(key);
    this.#namespaces.set(key, order.namespace);
    const keys = this.#fresh.get(order.namespace) ?? new Set();
    this.#fresh.set(order.namespace, keys.add(key));
  }

  delete(key: string): boolean {
    return this.#valid.delete(key) || this.#deleteFresh(key);
  }

  /** All keys, in no order that means anything. */
  *keys(): IterableIterator<string> {
    yield* this.#valid.items();
    yield* this.#namespaces.keys();
  }

  /** Takes out the key whose turn it is. */
  next(): string | undefined {
    const turn = this.#namespaces.size > 0 && (this.#valid.size === 0 || this.#sinceFresh >= SHARE - 1);
    if (turn) return this.#nextFresh();
    const key = this.#valid.peek();
    if (key === undefined) return undefined;
    this.#valid.delete(key);
    this.#sinceFresh += 1;
    return key;
  }

  #nextFresh(): string | undefined {
    this.#sinceFresh = 0;
    for (const [namespace, keys] of this.#fresh) {
      for (const key of keys) {
        this.#deleteFresh(key);
        this.#moveToEnd(namespace);
        return key;
      }
    }
    return undefined;
  }

  #moveToEnd(namespace: string): void {
    const keys = this.#fresh.get(namespace);
    if (keys === undefined) return;
    this.#fresh.delete(namespace);
    this.#fresh.set(namespace, keys);
  }

  #deleteFresh(key: string): boolean {
    const namespace = this.#namespaces.get(key);
    if (namespace === undefined) return false;
    this.#namespaces.delete(key);
    const keys = this.#fresh.get(namespace);
    keys?.delete(key);
    if (keys?.size === 0) this.#fresh.delete(namespace);
    return true;
  }
}
