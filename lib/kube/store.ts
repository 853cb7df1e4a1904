import { compareResourceVersions, type KubeObject, keyOf } from './objects.ts';
import type { WatchEvent } from './watch.ts';

/** What happened to an object of a store. A replaced object (same name, new uid) is a deletion and an addition. */
export interface Change<T extends KubeObject = KubeObject> {
  type: 'added' | 'modified' | 'deleted';
  /** As the store holds it now; for a deletion the last that was known. */
  object: T;
  /** What the store held before, for `modified`. */
  previous?: T;
}

export interface StoreOptions<T extends KubeObject> {
  /** Values under which `byIndex` finds an object, by name of the index. Must depend on the object alone. */
  indexes?: Record<string, (object: T) => string[]>;
}

interface Entry<T> {
  object: T;
  /** Set while only our own write has told of this version: the count of observations at that time. */
  observed?: number;
}

/** A list that is being taken over page by page. */
export interface Replacement<T extends KubeObject> {
  add(items: readonly T[]): Change<T>[];
  /** Removes what no page held. */
  finish(): Change<T>[];
}

/** The scope that a list or watch of all namespaces covers. */
const everywhere = '';

/**
 * The known objects of one kind, by key and by index. Fed by reflectors, and by `observe` with what our own writes
 * returned, so that the next pass reads what the last one wrote even before the watch tells of it. Versions of an object
 * that are not newer than the one at hand are ignored.
 */
export class Store<T extends KubeObject> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #indexers: [string, (object: T) => string[]][];
  /** Index name → value → keys. */
  readonly #indexes = new Map<string, Map<string, Set<string>>>();
  /** The version that the list or watch of each scope has reached. */
  readonly #reached = new Map<string, string>();
  #observations = 0;

  constructor(options: StoreOptions<T> = {}) {
    this.#indexers = Object.entries(options.indexes ?? {});
    for (const [name] of this.#indexers) this.#indexes.set(name, new Map());
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): T | undefined {
    return this.#entries.get(key)?.object;
  }

  *list(): IterableIterator<T> {
    for (const { object } of this.#entries.values()) yield object;
  }

  /** The objects with this value in the index. Throws `RangeError` when the store has no index of that name. */
  byIndex(index: string, value: string): T[] {
    const values = this.#indexes.get(index);
    if (!values) throw new RangeError(`the store has no index "${index}"`);
    return [...(values.get(value) ?? [])].map((key) => this.#entries.get(key)?.object as T);
  }

  /**
   * Takes what our own write returned. It is ignored where the store has the same or a newer version, or where the watch
   * has already passed this version and the object is gone again.
   */
  observe(object: T): void {
    this.#observations += 1;
    const key = keyOf(object);
    const known = this.#entries.get(key)?.object;
    const version = object.metadata.resourceVersion;
    if (known ? !isNewer(object, known) : compareResourceVersions(version, this.#reachedFor(object)) <= 0) return;
    this.#put(key, { object, observed: this.#observations });
  }

  /** Takes an event of the watch of a scope and tells what it changed, if anything. */
  apply(event: WatchEvent<T>, scope?: string): Change<T>[] {
    const { type, object } = event;
    this.reach(scope, object.metadata.resourceVersion);
    if (type === 'BOOKMARK') return [];
    return type === 'DELETED' ? this.#delete(object) : this.#upsert(object);
  }

  /** Notes that the list or watch of a scope has come to this version. */
  reach(scope: string | undefined, version: string | undefined): void {
    if (version !== undefined) this.#reached.set(scope ?? everywhere, version);
  }

  /** The current count of observations, for `beginReplace`. */
  mark(): number {
    return this.#observations;
  }

  /** Makes the objects of a scope (a namespace, or undefined for all) those of a list. */
  replace(
    scope: string | undefined,
    items: readonly T[],
    resourceVersion: string,
    observedAfter?: number,
  ): Change<T>[] {
    const replacement = this.beginReplace(scope, resourceVersion, observedAfter);
    return [...replacement.add(items), ...replacement.finish()];
  }

  /**
   * The same, page by page. Objects that our own writes told of and that are newer than the list survive it, as the watch
   * from the list's version on will tell of them. After the server has lost writes (a restored backup) that is not so:
   * give the `mark()` from before the list as `observedAfter`, and only observations after it survive.
   */
  beginReplace(scope: string | undefined, resourceVersion: string, observedAfter = 0): Replacement<T> {
    const seen = new Set<string>();
    const survives = ({ object, observed = 0 }: Entry<T>) =>
      observed > observedAfter && compareResourceVersions(object.metadata.resourceVersion, resourceVersion) > 0;
    return {
      add: (items) =>
        items.flatMap((item) => {
          const key = keyOf(item);
          seen.add(key);
          const known = this.#entries.get(key);
          return known && survives(known) ? [] : this.#set(key, item);
        }),
      finish: () => {
        this.reach(scope, resourceVersion);
        return this.#removeAll(([key, entry]) => !seen.has(key) && inScope(entry.object, scope) && !survives(entry));
      },
    };
  }

  #upsert(object: T): Change<T>[] {
    const key = keyOf(object);
    const known = this.#entries.get(key);
    if (known && !isNewer(object, known.object)) {
      if (isSame(object, known.object)) delete known.observed;
      return [];
    }
    return this.#set(key, object);
  }

  /** A deletion of another object of that name, or one that is older than what stands, says nothing about this one. */
  #delete(object: T): Change<T>[] {
    const key = keyOf(object);
    const known = this.#entries.get(key)?.object;
    if (!known || known.metadata.uid !== object.metadata.uid || isNewer(known, object)) return [];
    this.#remove(key);
    return [{ type: 'deleted', object }];
  }

  #set(key: string, object: T): Change<T>[] {
    const previous = this.#entries.get(key)?.object;
    if (previous && isSame(object, previous)) return [];
    this.#put(key, { object });
    if (!previous) return [{ type: 'added', object }];
    if (previous.metadata.uid === object.metadata.uid) return [{ type: 'modified', object, previous }];
    return [
      { type: 'deleted', object: previous },
      { type: 'added', object },
    ];
  }

  #removeAll(gone: (entry: [string, Entry<T>]) => boolean): Change<T>[] {
    const removed = [...this.#entries].filter(gone);
    for (const [key] of removed) this.#remove(key);
    return removed.map(([, { object }]) => ({ type: 'deleted', object }));
  }

  #put(key: string, entry: Entry<T>): void {
    const previous = this.#entries.get(key)?.object;
    this.#entries.set(key, entry);
    for (const [name, valuesOf] of this.#indexers) {
      const values = this.#indexes.get(name) as Map<string, Set<string>>;
      const wanted = new Set(valuesOf(entry.object));
      for (const value of previous ? valuesOf(previous) : []) if (!wanted.has(value)) unindex(values, value, key);
      for (const value of wanted) index(values, value, key);
    }
  }

  #remove(key: string): void {
    const previous = this.#entries.get(key)?.object;
    this.#entries.delete(key);
    for (const [name, valuesOf] of this.#indexers) {
      const values = this.#indexes.get(name) as Map<string, Set<string>>;
      for (const value of previous ? valuesOf(previous) : []) unindex(values, value, key);
    }
  }

  #reachedFor({ metadata: { namespace } }: T): string | undefined {
    return this.#reached.get(namespace ?? everywhere) ?? this.#reached.get(everywhere);
  }
}

function isNewer(object: KubeObject, than: KubeObject): boolean {
  return compareResourceVersions(object.metadata.resourceVersion, than.metadata.resourceVersion) > 0;
}

function isSame(one: KubeObject, other: KubeObject): boolean {
  return one.metadata.uid === other.metadata.uid && one.metadata.resourceVersion === other.metadata.resourceVersion;
}

function inScope({ metadata }: KubeObject, scope: string | undefined): boolean {
  return scope === undefined || metadata.namespace === scope;
}

function index(values: Map<string, Set<string>>, value: string, key: string): void {
  const keys = values.get(value);
  if (keys) keys.add(key);
  else values.set(value, new Set([key]));
}

function unindex(values: Map<string, Set<string>>, value: string, key: string): void {
  const keys = values.get(value);
  keys?.delete(key);
  if (keys?.size === 0) values.delete(value);
}
