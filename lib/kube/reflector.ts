import { type Clock, orAborted, sleep } from '../clock.ts';
import { describeError, framesOf } from '../errors.ts';
import type { Logger } from '../log.ts';
import { counter, type Metrics } from '../metrics.ts';
import { Backoff } from './backoff.ts';
import type { KubeClient, ListOptions, ObjectList, WatchEvent } from './client.ts';
import { isExpired, isForbidden, isNotFound, isTooNew, KubeError } from './errors.ts';
import { compareResourceVersions, type KubeObject, type Resource } from './objects.ts';
import type { Change, Store } from './store.ts';

/** Larger pages save little time, and their text and garbage stay as memory of the process. */
export const defaultPageSize = 100;

export interface ReflectorOptions<T extends KubeObject> {
  client: KubeClient;
  resource: Resource;
  store: Store<T>;
  /** Default: all namespaces. */
  namespace?: string | undefined;
  labelSelector?: string | undefined;
  /** The store gets `PartialObjectMetadata` objects. Default false. */
  metadataOnly?: boolean;
  /** What the store keeps of an object, to save memory. Name, namespace, uid and version must stay. */
  transform?: (object: T) => T;
  /** Called after the store has taken the change. Must not throw nor take long: it enqueues keys. */
  onChange?: (change: Change<T>) => void;
  clock: Clock;
  log: Logger;
  metrics: Metrics;
  /** Default 3,600,000. */
  relistIntervalMs?: number;
  /** Objects a page of a list. Default `defaultPageSize`. */
  pageSize?: number;
  /** Default 75,000; the server sends a bookmark each minute. */
  idleMs?: number;
  /** The server ends a watch after this time and up to as much again. Default 300. */
  watchSeconds?: number;
  /** A number from 0 up to 1; default `Math.random`. */
  random?: () => number;
}

/** How long a kind that is not served is waited for at most between two looks: its CRD may come at any time. */
const missingKindMs = 5_000;
/** When a safety relist that failed is tried again. The watch goes on until then. */
const relistRetryMs = 300_000;
/** A list right after a list waits first. */
const leastBetweenListsMs = 1_000;
/** Trouble after so long without any starts with short waits again. */
const healthyMs = 60_000;
/** How often what somebody waits for is tried. */
const hurryMs = 1_000;
/** How long a store that may lag is waited for. */
const currentLimitMs = 10_000;

/**
 * Keeps a store equal to what an API server holds: lists in pages, watches from there on, lists again when the server no
 * longer knows the version, and once an hour to be safe.
 */
export class Reflector<T extends KubeObject> {
  readonly #options: ReflectorOptions<T>;
  readonly #backoff: Backoff;
  readonly #random: () => number;
  readonly #synced = Promise.withResolvers<void>();
  /** The version up to which the store is complete; undefined: it has to be listed. */
  #version: string | undefined;
  /** The highest version ever seen, to notice a server that lost writes. */
  #highest: string | undefined;
  #hasSynced = false;
  #lastEventAt: number;
  #troubleAt = Number.NEGATIVE_INFINITY;
  #relistAt = 0;
  #listedAt = Number.NEGATIVE_INFINITY;
  #isWatching = false;
  #isRefused = false;
  /** Those who wait for the next watch to begin. */
  readonly #waiting = new Set<() => void>();
  /** Ends the present wait after trouble. */
  #wake: () => void = () => {};

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.#backoff = new Backoff({ random: this.#random });
    this.#lastEventAt = options.clock.monotonic();
  }

  /** Whether the store has held all objects at least once. */
  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  /** Whether the API server has said, since the last list, that this process has no right to it. */
  get isRefused(): boolean {
    return this.#isRefused;
  }

  /** When anything came from the server for the last time, in milliseconds of the steady clock. Bookmarks come each minute. */
  get lastEventAt(): number {
    return this.#lastEventAt;
  }

  /** Resolves when the store has held all objects once; rejects with the signal's reason when that aborts first. */
  async synced(signal: AbortSignal): Promise<void> {
    if (!this.#hasSynced) await orAborted(this.#synced.promise, signal);
  }

  /**
   * Resolves when the store has held all objects once and a watch keeps it so: at once where one runs, else after a list
   * that waits for no back-off. After 10 s of trouble it resolves all the same, with the store as it is. Rejects with the
   * signal's reason when that aborts first.
   */
  async current(signal: AbortSignal): Promise<void> {
    await this.synced(signal);
    if (this.#isWatching) return;
    const { clock, log, resource } = this.#options;
    const opened = Promise.withResolvers<void>();
    this.#waiting.add(opened.resolve);
    this.#wake();
    const cancel = clock.after(currentLimitMs, () => {
      log.warn({ resource: resource.plural }, 'no watch yet, going on with what was known before');
      opened.resolve();
    });
    await orAborted(opened.promise, signal).finally(() => {
      cancel();
      this.#waiting.delete(opened.resolve);
    });
  }

  /** Works until the signal aborts, then resolves. Any trouble with the server is waited out. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#round(signal);
      } catch (error) {
        if (!signal.aborted) await this.#recover(error, signal);
      }
    }
  }

  async #round(signal: AbortSignal): Promise<void> {
    if (this.#version === undefined) await this.#list(signal);
    else if (this.#options.clock.monotonic() >= this.#relistAt) await this.#compare(this.#version, signal);
    else await this.#watch(this.#version, signal);
  }

  async #list(signal: AbortSignal): Promise<void> {
    await this.#takeOver({}, signal);
    if (this.#hasSynced) return;
    this.#hasSynced = true;
    this.#synced.resolve();
  }

  /**
   * The safety relist: what the server held at exactly the version that the watch has reached. Every difference is an event
   * that the watch did not tell of.
   */
  async #compare(version: string, signal: AbortSignal): Promise<void> {
    this.#relistAt = this.#options.clock.monotonic() + Math.min(relistRetryMs, this.#relistIntervalMs);
    const missed = await this.#takeOver({ resourceVersion: version, resourceVersionMatch: 'Exact' }, signal);
    if (missed === 0) return;
    const { log, metrics, resource } = this.#options;
    log.warn({ resource: resource.plural, missed }, 'the watch had missed events');
    counter(metrics, {
      name: 'reflector_missed_events_total',
      help: 'Changes that only a safety relist found.',
      labelNames: ['resource'],
    }).inc({ resource: resource.plural }, missed);
  }

  /** Lists and gives the number of changes. */
  async #takeOver(from: ListOptions, signal: AbortSignal): Promise<number> {
    const { clock, store, namespace } = this.#options;
    const mark = store.mark();
    const first = await this.#page(from, signal);
    const version = first.metadata.resourceVersion;
    const rewound = compareResourceVersions(version, this.#highest) < 0 && from.resourceVersion === undefined;
    const replacement = store.beginReplace(namespace, version, rewound ? mark : 0);
    let changes = 0;
    for (let page = first; ; page = await this.#page({ continue: page.metadata.continue }, signal)) {
      changes += this.#tell(replacement.add(this.#kept(page.items)));
      if (!page.metadata.continue) break;
      // Lets everything else run between two pages.
      await sleep(clock, 0, signal);
    }
    changes += this.#tell(replacement.finish());
    this.#isRefused = false;
    this.#version = version;
    this.#highest = version;
    this.#listedAt = clock.monotonic();
    this.#relistAt = this.#listedAt + this.#relistIntervalMs;
    return changes;
  }

  async #page(options: ListOptions, signal: AbortSignal): Promise<ObjectList<T>> {
    const { client, resource, namespace, labelSelector, metadataOnly = false } = this.#options;
    const { pageSize: limit = defaultPageSize } = this.#options;
    const query = { ...options, namespace, labelSelector, metadataOnly, limit, signal };
    const page = await client.list<T>(resource, query);
    this.#lastEventAt = this.#options.clock.monotonic();
    return page;
  }

  async #watch(resourceVersion: string, signal: AbortSignal): Promise<void> {
    const { client, clock, resource, namespace, labelSelector, metadataOnly = false, idleMs = 75_000 } = this.#options;
    const { watchSeconds = 300 } = this.#options;
    const untilRelist = Math.ceil((this.#relistAt - clock.monotonic()) / 1000);
    const timeoutSeconds = Math.max(1, Math.min(untilRelist, Math.round(watchSeconds * (1 + this.#random()))));
    const onOpen = () => this.#opened();
    const onEvent = (event: WatchEvent<T>) => this.#take(event);
    const settings = { namespace, labelSelector, metadataOnly, timeoutSeconds, idleMs };
    const startedAt = clock.monotonic();
    try {
      await client.watch<T>(resource, { ...settings, resourceVersion, onOpen, onEvent, signal });
    } finally {
      this.#isWatching = false;
    }
    // A server that ends each watch at once is in trouble, although it answers.
    if (clock.monotonic() - startedAt < 1_000 && timeoutSeconds > 1) throw this.#cutShort();
  }

  #take(event: WatchEvent<T>): void {
    const { store, namespace, clock } = this.#options;
    const object = event.type === 'BOOKMARK' ? event.object : this.#keep(event.object);
    this.#tell(store.apply({ type: event.type, object }, namespace));
    this.#version = object.metadata.resourceVersion;
    this.#highest = this.#version;
    this.#lastEventAt = clock.monotonic();
  }

  #opened(): void {
    this.#isWatching = true;
    for (const resolve of this.#waiting) resolve();
  }

  async #recover(error: unknown, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const now = clock.monotonic();
    if (isForbidden(error)) this.#isRefused = true;
    const known = this.#version !== undefined;
    if (now - this.#troubleAt > healthyMs) this.#backoff.reset();
    if (mustList(error)) this.#version = undefined;
    // A version that the server no longer has is no trouble: a list follows.
    if (known && isExpired(error) && now - this.#listedAt > leastBetweenListsMs) return this.#report(error, 0);
    const most = this.#waiting.size > 0 ? hurryMs : isNotFound(error) ? missingKindMs : Number.POSITIVE_INFINITY;
    const waitMs = Math.min(this.#backoff.next(), most);
    this.#report(error, waitMs);
    await this.#pause(waitMs, signal);
    this.#troubleAt = clock.monotonic();
  }

  /** What happened during a wait that is cut short is listed, so that whoever is in a hurry sees all of it. */
  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    const cut = new AbortController();
    const end = () => cut.abort();
    this.#wake = () => {
      this.#version = undefined;
      end();
    };
    signal.addEventListener('abort', end, { once: true });
    await sleep(this.#options.clock, ms, cut.signal).catch(() => undefined);
    signal.removeEventListener('abort', end);
    this.#wake = () => {};
  }

  #report(error: unknown, waitMs: number): void {
    const { log, resource, namespace } = this.#options;
    const about = { resource: resource.plural, group: resource.group, namespace, retryInMs: Math.round(waitMs) };
    const level = isExpired(error) ? 'info' : 'warn';
    const next = this.#version === undefined ? 'list' : 'watch';
    const problem = { problem: describeError(error), frames: framesOf(error) };
    log[level]({ ...about, next, ...problem }, 'list or watch ended, trying again');
  }

  get #relistIntervalMs(): number {
    return this.#options.relistIntervalMs ?? 3_600_000;
  }

  #cutShort(): KubeError {
    const { resource, namespace } = this.#options;
    return new KubeError(
      { verb: 'watch', resource, ref: { namespace } },
      { status: 0, code: 'Unreachable', message: 'the watch ended at once' },
    );
  }

  #tell(changes: readonly Change<T>[]): number {
    for (const change of changes) this.#options.onChange?.(change);
    return changes.length;
  }

  #kept(items: readonly T[]): readonly T[] {
    return this.#options.transform ? items.map((item) => this.#keep(item)) : items;
  }

  #keep(object: T): T {
    return this.#options.transform?.(object) ?? object;
  }
}

/** Whether what the server said means that the version at hand leads nowhere: too old, from the future, or of a kind that was gone. */
function mustList(error: unknown): boolean {
  return isExpired(error) || isTooNew(error) || isNotFound(error);
}
