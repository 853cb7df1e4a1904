import { randomUUID } from 'node:crypto';
import { type Clock, rfc3339, sleep } from '../clock.ts';
import type { Logger } from '../log.ts';
import { type Counter, counter, type Metrics } from '../metrics.ts';
import type { KubeClient } from './client.ts';
import { isNamespaceTerminating } from './errors.ts';
import { events, type KubeObject } from './objects.ts';

export type EventType = 'Normal' | 'Warning';

/** A core/v1 Event, with the fields that are written. */
export interface KubeEvent extends KubeObject {
  involvedObject: {
    apiVersion: string;
    kind: string;
    namespace?: string;
    name: string;
    uid?: string;
    resourceVersion?: string;
  };
  type: EventType;
  reason: string;
  message: string;
  source: { component: string };
  reportingComponent: string;
  reportingInstance: string;
  firstTimestamp: string;
  lastTimestamp: string;
  count: 1;
}

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

const QUIET_MS = 300_000;
const MAX_REMEMBERED = 50_000;
const MAX_QUEUED = 5000;
/** How long Events give way to other work. */
const MAX_WAIT_MS = 10_000;
const MAX_IN_FLIGHT = 4;
const TIMEOUT_MS = 5000;
const MAX_NAME = 253;
const MAX_MESSAGE = 1024;

/**
 * Writes Events about objects in the background. They wait for `flush`, which says that nothing else is to do, so that a
 * thousand of them do not hold up what they tell about; but for 10 s at most. An Event that cannot be written is counted and
 * given up; status holds the truth.
 */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #dropped: Counter<string>;
  /** `uid reason` → monotonic time of the Event, oldest first. */
  readonly #remembered = new Map<string, number>();
  readonly #queue: { event: KubeEvent; memory: string }[] = [];
  readonly #idleWaiters: (() => void)[] = [];
  #inFlight = 0;
  /** How many of the queue may go out. */
  #released = 0;
  #cancelWait: (() => void) | undefined;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#dropped = counter(options.metrics, {
      name: 'rolevend_events_dropped_total',
      help: 'Events that were not written, by cause: queue_full, failed, or closed (the operator ended)',
      labelNames: ['cause'],
    });
  }

  /**
   * Writes an Event about the object, unless one of the same reason was written about it in the last 5 minutes. Never
   * throws. Objects without a namespace have their Events in `default`.
   *
   * @param reason one word in CamelCase
   * @param message for people; what is over 1024 characters is cut off
   */
  record(about: KubeObject, type: EventType, reason: string, message: string): void {
    const memory = `${about.metadata.uid ?? about.metadata.name} ${reason}`;
    if (!this.#isNew(memory)) return;
    if (this.#queue.length >= MAX_QUEUED) {
      this.#drop(memory, 'queue_full');
      return;
    }
    this.#queue.push({ event: this.#event(about, type, reason, message), memory });
    this.#cancelWait ??= this.#options.clock.after(MAX_WAIT_MS, () => this.flush());
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
    for (const { memory } of this.#queue.splice(0)) this.#drop(memory, 'closed');
  }

  #isNew(memory: string): boolean {
    const now = this.#options.clock.monotonic();
    for (const [oldest, at] of this.#remembered) {
      if (now - at < QUIET_MS && this.#remembered.size < MAX_REMEMBERED) break;
      this.#remembered.delete(oldest);
    }
    if (this.#remembered.has(memory)) return false;
    this.#remembered.set(memory, now);
    return true;
  }

  #pump(): void {
    while (this.#released > 0 && this.#inFlight < MAX_IN_FLIGHT) {
      const next = this.#queue.shift();
      if (next === undefined) break;
      this.#released -= 1;
      this.#inFlight += 1;
      void this.#write(next.event, next.memory);
    }
    if (this.#inFlight === 0) for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }

  async #write(event: KubeEvent, memory: string): Promise<void> {
    try {
      await this.#options.client.create(events, event, { timeoutMs: TIMEOUT_MS });
    } catch (error) {
      this.#failed(event, memory, error);
    }
    this.#inFlight -= 1;
    this.#pump();
  }

  /** A namespace that is being deleted takes no Events and nobody will read them. */
  #failed(event: KubeEvent, memory: string, error: unknown): void {
    if (isNamespaceTerminating(error)) return;
    const { kind, namespace, name } = event.involvedObject;
    this.#options.log.debug({ kind, namespace, name, reason: event.reason, err: error }, 'could not write an Event');
    this.#drop(memory, 'failed');
  }

  /** The next one of its kind may try again. */
  #drop(memory: string, cause: 'queue_full' | 'failed' | 'closed'): void {
    this.#remembered.delete(memory);
    this.#dropped.inc({ cause });
  }

  #event(about: KubeObject, type: EventType, reason: string, message: string): KubeEvent {
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
      firstTimestamp: time,
      lastTimestamp: time,
      count: 1,
    };
  }
}

/** `<object>.<hex>`, a valid name also for the longest object names. */
function eventName(object: string): string {
  const suffix = `.${randomUUID().replaceAll('-', '').slice(-16)}`;
  return `${object.slice(0, MAX_NAME - suffix.length).replace(/[-.]+$/, '')}${suffix}`;
}
