import { randomUUID } from 'node:crypto';
import type { CoreV1Event } from '@kubernetes/client-node';
import { type Clock, rfc3339, sleep } from '../clock.ts';
import type { Logger } from '../log.ts';
import { type Counter, counter, type Metrics } from '../metrics.ts';
import type { KubeClient } from './client.ts';
import { isNamespaceTerminating } from './errors.ts';
import { EventPace, type Occurrences } from './event-pace.ts';
import { type BuiltIn, events, type KubeObject } from './objects.ts';
import { retryAfterOf } from './retry-after.ts';

export type EventType = 'Normal' | 'Warning';

export type KubeEvent = BuiltIn<CoreV1Event>;

export interface EventRecorderOptions {
  client: Pick<KubeClient, 'create'>;
  clock: Clock;
  log: Logger;
  metrics: Metrics;
  /** Who reports, as `kubectl describe` shows it. Default `rolevend`. */
  component?: string;
  /** Which process reports, for instance the Pod's name. */
  instance: string;
}

const MAX_QUEUED = 5000;
/** How long Events give way to other work. */
const MAX_WAIT_MS = 10_000;
const MAX_IN_FLIGHT = 4;
const TIMEOUT_MS = 5000;
/** How often one Event is sent at most, where the server asks to be left alone for a while. */
const MAX_TRIES = 3;
const MAX_NAME = 253;
const MAX_MESSAGE = 1024;

interface Queued {
  event: KubeEvent;
  /** Of what was told, for the pace. */
  key: string;
  tries: number;
}

/**
 * Writes Events about objects in the background. They wait for `flush`, which says that nothing else is to do, so that a
 * thousand of them do not hold up what they tell about; but for 10 s at most. An Event that cannot be written is counted and
 * given up; status holds the truth.
 */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #dropped: Counter<string>;
  readonly #pace: EventPace;
  readonly #queue: Queued[] = [];
  readonly #idleWaiters: (() => void)[] = [];
  #inFlight = 0;
  /** How many of the queue may go out. */
  #released = 0;
  #cancelWait: (() => void) | undefined;
  /** Set while the server is left alone. */
  #cancelRest: (() => void) | undefined;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#pace = new EventPace(options.clock);
    this.#dropped = counter(options.metrics, {
      name: 'rolevend_events_dropped_total',
      help: 'Events that were not written, by cause: queue_full, failed, or closed (the operator ended)',
      labelNames: ['cause'],
    });
  }

  /**
   * Writes an Event about the object, unless one of the same reason was written about it in the last 5 minutes; what repeats
   * is written ever more rarely, with its count. Never throws. Objects without a namespace have their Events in `default`.
   *
   * @param reason one word in CamelCase
   * @param message for people; what is over 1024 characters is cut off
   */
  record(about: KubeObject, type: EventType, reason: string, message: string): void {
    const key = keyOf(about, reason);
    const occurrences = this.#pace.happened(key, message);
    if (occurrences === undefined) return;
    if (this.#queue.length >= MAX_QUEUED) {
      this.#drop(key, 'queue_full');
      return;
    }
    this.#queue.push({ event: this.#event(about, type, reason, message, occurrences), key, tries: 0 });
    this.#cancelWait ??= this.#options.clock.after(MAX_WAIT_MS, () => this.flush());
  }

  /** What these reasons told of the object is over: what comes now is told as something new, though not within 5 minutes. */
  over(about: KubeObject, reasons: readonly string[]): void {
    for (const reason of reasons) this.#pace.over(keyOf(about, reason));
  }

  /** Lets every Event recorded so far go out. */
  flush(): void {
    this.#cancelWait?.();
    this.#cancelWait = undefined;
    this.#released = this.#queue.length;
    this.#pump();
  }

  /** Flushes, and resolves when every Event recorded so far was written or given up. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#idleWaiters.push(resolve);
      this.flush();
    });
  }

  /** Writes what was recorded, for so many milliseconds at most, and gives up the rest. Nothing is to be recorded later. */
  async close(limitMs: number): Promise<void> {
    const limit = new AbortController();
    await Promise.race([this.idle(), sleep(this.#options.clock, limitMs, limit.signal).catch(() => {})]);
    limit.abort();
    this.#cancelWait?.();
    this.#cancelRest?.();
    for (const { key } of this.#queue.splice(0)) this.#drop(key, 'closed');
  }

  #pump(): void {
    while (this.#cancelRest === undefined && this.#released > 0 && this.#inFlight < MAX_IN_FLIGHT) {
      const next = this.#queue.shift();
      if (next === undefined) break;
      this.#released -= 1;
      this.#inFlight += 1;
      void this.#write(next);
    }
    const isDone = this.#released === 0 || this.#queue.length === 0;
    if (this.#inFlight === 0 && isDone) for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }

  async #write(queued: Queued): Promise<void> {
    try {
      await this.#options.client.create(events, queued.event, { timeoutMs: TIMEOUT_MS });
    } catch (error) {
      this.#failed(queued, error);
    }
    this.#inFlight -= 1;
    this.#pump();
  }

  /** A namespace that is being deleted takes no Events and nobody will read them. */
  #failed({ event, key, tries }: Queued, error: unknown): void {
    if (isNamespaceTerminating(error)) return;
    const askedMs = retryAfterOf(error);
    if (askedMs > 0) this.#rest(askedMs);
    if (askedMs > 0 && tries + 1 < MAX_TRIES) {
      this.#queue.unshift({ event, key, tries: tries + 1 });
      this.#released += 1;
      return;
    }
    const { kind, namespace, name } = event.involvedObject;
    this.#options.log.debug({ kind, namespace, name, reason: event.reason, err: error }, 'could not write an Event');
    this.#drop(key, 'failed');
  }

  /** Leaves the server alone for as long as it asks. */
  #rest(ms: number): void {
    this.#cancelRest?.();
    this.#cancelRest = this.#options.clock.after(ms, () => {
      this.#cancelRest = undefined;
      this.#pump();
    });
  }

  /** The next one of its kind may try again. */
  #drop(key: string, cause: 'queue_full' | 'failed' | 'closed'): void {
    this.#pace.failed(key);
    this.#dropped.inc({ cause });
  }

  #event(
    about: KubeObject,
    type: EventType,
    reason: string,
    message: string,
    { count, firstAt }: Occurrences,
  ): KubeEvent {
    const { clock, component = 'rolevend', instance } = this.#options;
    const { namespace, name, uid, resourceVersion } = about.metadata;
    const time = rfc3339(clock.now());
    const involved = {
      ...(namespace && { namespace }),
      name,
      ...(uid && { uid }),
      ...(resourceVersion && { resourceVersion }),
    };
    return {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: eventName(name), namespace: namespace ?? 'default' },
      involvedObject: { apiVersion: about.apiVersion, kind: about.kind, ...involved },
      type,
      reason,
      message: message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE - 1)}…` : message,
      source: { component },
      reportingComponent: component,
      reportingInstance: instance,
      firstTimestamp: rfc3339(firstAt),
      lastTimestamp: time,
      count,
    };
  }
}

function keyOf({ metadata }: KubeObject, reason: string): string {
  return `${metadata.uid ?? metadata.name} ${reason}`;
}

/** `<object>.<hex>`, a valid name also for the longest object names. */
function eventName(object: string): string {
  const suffix = `.${randomUUID().replaceAll('-', '').slice(-16)}`;
  return `${object.slice(0, MAX_NAME - suffix.length).replace(/[-.]+$/, '')}${suffix}`;
}
