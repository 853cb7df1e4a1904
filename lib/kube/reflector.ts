import { type Clock, orAborted, sleep } from '../clock.ts';
import { describeError, framesOf } from '../errors.ts';
import type { Logger } from '../log.ts';
import { counter, type Metrics } from '../metrics.ts';
import { Backoff } from './backoff.ts';
import type { KubeClient, ListOptions, WatchEnd, WatchEvent } from './client.ts';
import { Cuttable } from './cuttable.ts';
import { isExpired, isForbidden, isNotFound, isTooNew, KubeError } from './errors.ts';
import { compareResourceVersions, type KubeObject, type Resource } from './objects.ts';
import { Pages } from './pages.ts';
import { retryAfterOf } from './retry-after.ts';
import type { Change, Replacement, Store } from './store.ts';
import { Waiters } from './waiters.ts';
import { type EndedWatch, restAfter, soundMs } from './watch-rest.ts';

export interface ReflectorOptions<T extends KubeObject> {
  client: Pick<KubeClient, 'page' | 'watch'>;
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
  /** Objects a page of a list at most. Default `largestPage`. */
  pageSize?: number;
  /** A watch that brings nothing for so long is opened anew. Default 75,000; most servers send a bookmark each minute. */
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
/** How often what somebody waits for is tried. */
const hurryMs = 1_000;
/** A watch that told nothing for longer may be dead, and what it has not told may be much. */
const trustedMs = 5_000;

/**
 * Keeps a store equal to what an API server holds: lists in pages, watches from there on, lists again when the server no
 * longer knows the version, and once an hour to be safe.
 */
export class Reflector<T extends KubeObject> {
  readonly #options: ReflectorOptions<T>;
  readonly #backoff: Backoff;
  readonly #pages: Pages<T>;
  readonly #random: () => number;
  readonly #synced = Promise.withResolvers<void>();
  /** The version up to which the store is complete; undefined: it has to be listed. */
  #version: string | undefined;
  /** The highest version ever seen, to notice a server that lost writes. */
  #highest: string | undefined;
  #hasSynced = false;
  #lastEventAt: number;
  #relistAt = 0;
  #listedAt = Number.NEGATIVE_INFINITY;
  #isWatching = false;
  #isRefused = false;
  /** Those who wait for the next watch to begin. */
  readonly #waiting = new Waiters();
  /** What somebody who waits may cut short. What happened during it is listed then, so that they see all of it. */
  readonly #present = new Cuttable();

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.#backoff = new Backoff({ random: this.#random });
    this.#lastEventAt = options.clock.monotonic();
    this.#pages = new Pages<T>({ ...options, onPage: () => this.#heard() });
  }

  /** Whether the store has held all objects at least once. */
  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  /** Whether the API server has said, since the last list, that this process has no right to it. */
  get isRefused(): boolean {
    return this.#isRefused;
  }

  /** When the server told anything, or accepted a watch, for the last time, in milliseconds of the steady clock. */
  get lastEventAt(): number {
    return this.#lastEventAt;
  }

  /** Resolves when the store has held all objects once; rejects with the signal's reason when that aborts first. */
  async synced(signal: AbortSignal): Promise<void> {
    if (!this.#hasSynced) await orAborted(this.#synced.promise, signal);
  }

  /**
   * Resolves when the store has held all objects once and a watch keeps it so: at once where one runs that told something
   * lately, else after a list that waits for no back-off, since a watch that is silent may be dead. After 10 s in which nothing
   * came, or a minute, it resolves all the same, with the store as it is. Rejects with the signal's reason when that aborts
   * first.
   */
  async current(signal: AbortSignal): Promise<void> {
    await this.synced(signal);
    if (this.#isWatching && this.#isTrusted) return;
    const { clock, log, resource } = this.#options;
    const onGivenUp = () =>
      log.warn({ resource: resource.plural }, 'no watch yet, going on with what was known before');
    const waiting = this.#waiting.wait({ clock, lastSignAt: () => this.#lastEventAt, onGivenUp, signal });
    this.#present.cut();
    await waiting;
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
    const mark = this.#options.store.mark();
    let replacement: Replacement<T> | undefined;
    let version = '';
    let changes = 0;
    for await (const { items, metadata } of this.#pages.of(from, signal)) {
      if (replacement === undefined) {
        version = metadata.resourceVersion;
        replacement = this.#replacement(version, from.resourceVersion === undefined ? mark : 0);
      }
      changes += this.#tell(replacement.add(this.#kept(items)));
    }
    changes += this.#tell(replacement?.finish() ?? []);
    this.#reached(version);
    return changes;
  }

  /** After the server has lost writes, only what was observed after `mark` may be newer than the list. */
  #replacement(version: string, mark: number): Replacement<T> {
    const { store, namespace } = this.#options;
    const rewound = compareResourceVersions(version, this.#highest) < 0;
    return store.beginReplace(namespace, version, rewound ? mark : 0);
  }

  #reached(version: string): void {
    this.#isRefused = false;
    this.#version = version;
    this.#highest = version;
    this.#listedAt = this.#options.clock.monotonic();
    this.#relistAt = this.#listedAt + this.#relistIntervalMs;
  }

  /** A watch that told something lately is not cut short by who is in a hurry: it is what they wait for. */
  async #watch(resourceVersion: string, signal: AbortSignal): Promise<void> {
    const watch = (both: AbortSignal) => this.#watchOnce(resourceVersion, both);
    if (await this.#present.run(watch, signal, () => !this.#isTrusted)) this.#version = undefined;
  }

  async #watchOnce(resourceVersion: string, signal: AbortSignal): Promise<void> {
    const { client, clock, resource, namespace, labelSelector, metadataOnly = false, idleMs = 75_000 } = this.#options;
    const { watchSeconds = 300 } = this.#options;
    const untilRelist = Math.ceil((this.#relistAt - clock.monotonic()) / 1000);
    const timeoutSeconds = Math.max(1, Math.min(untilRelist, Math.round(watchSeconds * (1 + this.#random()))));
    let openedAt = Number.POSITIVE_INFINITY;
    const livedMs = () => clock.monotonic() - openedAt;
    const onOpen = () => {
      openedAt = clock.monotonic();
      this.#opened();
    };
    const onEvent = (event: WatchEvent<T>) => this.#take(event);
    const settings = { namespace, labelSelector, metadataOnly, timeoutSeconds, idleMs, resourceVersion };
    const end = await client.watch<T>(resource, { ...settings, onOpen, onEvent, signal }).finally(() => {
      this.#isWatching = false;
      if (livedMs() >= soundMs) this.#backoff.reset();
    });
    const hasProgressed = this.#version !== resourceVersion;
    await this.#rest(end, { livedMs: livedMs(), askedMs: timeoutSeconds * 1000, hasProgressed }, signal);
  }

  /** Waits until a watch that has ended may be opened again. Throws where its end is trouble. */
  async #rest({ how, problem }: WatchEnd, ended: EndedWatch, signal: AbortSignal): Promise<void> {
    const { clock, log, resource, namespace } = this.#options;
    const waitMs = restAfter(ended);
    if (waitMs === undefined) throw problem ?? this.#cutShort();
    const about = { resource: resource.plural, group: resource.group, namespace, livedMs: Math.round(ended.livedMs) };
    const why = problem === undefined ? {} : { problem: describeError(problem), frames: framesOf(problem) };
    log.debug({ ...about, how, ...why }, 'watch ended, opening it again');
    if (waitMs > 0) await sleep(clock, waitMs, signal);
  }

  #take(event: WatchEvent<T>): void {
    const { store, namespace } = this.#options;
    const object = event.type === 'BOOKMARK' ? event.object : this.#keep(event.object);
    this.#tell(store.apply({ type: event.type, object }, namespace));
    this.#version = object.metadata.resourceVersion;
    this.#highest = this.#version;
    this.#heard();
  }

  #heard(): void {
    this.#lastEventAt = this.#options.clock.monotonic();
  }

  #opened(): void {
    this.#isWatching = true;
    this.#heard();
    this.#waiting.release();
  }

  async #recover(error: unknown, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const now = clock.monotonic();
    if (isForbidden(error)) this.#isRefused = true;
    const known = this.#version !== undefined;
    if (mustList(error)) this.#version = undefined;
    // A version that the server no longer has is no trouble: a list follows.
    if (known && isExpired(error) && now - this.#listedAt > leastBetweenListsMs) return this.#report(error, 0);
    const most = this.#waiting.size > 0 ? hurryMs : isNotFound(error) ? missingKindMs : Number.POSITIVE_INFINITY;
    const askedMs = retryAfterOf(error);
    const waitMs = Math.max(Math.min(this.#backoff.next(), most), askedMs);
    this.#report(error, waitMs);
    await this.#pause(waitMs, askedMs, signal);
  }

  /** Who is in a hurry cuts short what goes beyond the time that the server asked for. */
  async #pause(ms: number, askedMs: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const waitedBefore = this.#waiting.size;
    await sleep(clock, askedMs, signal).catch(() => undefined);
    const isHurried = this.#waiting.size > waitedBefore;
    const rest = (both: AbortSignal) => sleep(clock, isHurried ? 0 : ms - askedMs, both);
    const isCut = await this.#present.run(rest, signal).catch(() => false);
    if (isCut || isHurried) this.#version = undefined;
  }

  get #isTrusted(): boolean {
    return this.#options.clock.monotonic() - this.#lastEventAt < trustedMs;
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
