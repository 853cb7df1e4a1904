import type { Clock } from '../clock.ts';
import { errorOfStatus, KubeError, type KubeStatus } from './errors.ts';
import { LineFramer } from './framing.ts';
import type { KubeObject, Resource } from './objects.ts';
import { asKubeError, type Call, type Requests } from './requests.ts';

/** A change, or a bookmark: an object with nothing but the resource version that the watch has reached. */
export interface WatchEvent<T extends KubeObject = KubeObject> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  object: T;
}

export interface WatchOptions<T extends KubeObject = KubeObject> {
  namespace?: string | undefined;
  labelSelector?: string | undefined;
  fieldSelector?: string | undefined;
  /** Changes after this version. */
  resourceVersion: string;
  metadataOnly?: boolean;
  signal: AbortSignal;
  /** When the server ends the watch. */
  timeoutSeconds: number;
  /** The watch counts as dead when no byte came for so long. Servers send a bookmark each minute. */
  idleMs: number;
  /** Called when the server has accepted the watch. */
  onOpen?: () => void;
  /**
   * Called with each event, in their order; also with those that came in one piece with one that made the signal abort. What
   * it throws ends the watch.
   */
  onEvent: (event: WatchEvent<T>) => void;
}

/** See `KubeClient.watch`. */
export async function watch<T extends KubeObject>(
  requests: Requests,
  clock: Clock,
  resource: Resource,
  options: WatchOptions<T>,
): Promise<void> {
  const call = watchCall(resource, options);
  const idle = new IdleDeadline(clock, options.idleMs, options.signal);
  const framer = new LineFramer();
  /** What `onEvent` threw, which is no trouble of the connection. */
  let refusal: unknown;
  const tell = (event: WatchEvent<T>) => {
    try {
      options.onEvent(event);
    } catch (error) {
      refusal = error;
      throw error;
    }
  };
  const take = (chunk: Buffer) => {
    idle.touch();
    for (const line of framer.push(chunk)) tell(parseEvent<T>(call, line));
  };
  const open = () => {
    options.onOpen?.();
    return take;
  };
  try {
    await requests.stream(call, idle.signal, open);
  } catch (error) {
    throw error === refusal ? error : asKubeError(call, error);
  } finally {
    idle.end();
  }
}

function watchCall<T extends KubeObject>(resource: Resource, options: WatchOptions<T>): Call {
  return {
    verb: 'watch',
    resource,
    ref: { namespace: options.namespace },
    accept: options.metadataOnly ? 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1' : undefined,
    signal: options.signal,
    query: {
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: options.resourceVersion,
      labelSelector: options.labelSelector,
      fieldSelector: options.fieldSelector,
      timeoutSeconds: String(options.timeoutSeconds),
    },
  };
}

function parseEvent<T extends KubeObject>(call: Call, line: string): WatchEvent<T> {
  const { type, object } = readLine(call, line);
  if (type === 'ERROR') {
    const status = object as KubeStatus;
    throw errorOfStatus(call, status, status.code ?? 500);
  }
  return { type: type as WatchEvent['type'], object: object as T };
}

function readLine(call: Call, line: string): { type: string; object: unknown } {
  try {
    return JSON.parse(line) as { type: string; object: unknown };
  } catch {
    throw new KubeError(call, { status: 0, code: 'Unreachable', message: 'an event is no JSON' });
  }
}

/** Aborts when it was not touched for a time. One timer serves any number of touches. */
class IdleDeadline {
  readonly #controller = new AbortController();
  readonly #clock: Clock;
  readonly #outer: AbortSignal;
  #touched: number;
  #cancel: () => void;
  readonly #abort = () => this.#controller.abort(this.#outer.reason);

  constructor(clock: Clock, idleMs: number, outer: AbortSignal) {
    this.#clock = clock;
    this.#outer = outer;
    this.#touched = clock.monotonic();
    this.#cancel = clock.after(idleMs, () => this.#check(idleMs));
    if (outer.aborted) this.#abort();
    outer.addEventListener('abort', this.#abort, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  touch(): void {
    this.#touched = this.#clock.monotonic();
  }

  /** Closes the connection, too, where the watch is given up in the middle. */
  end(): void {
    this.#cancel();
    this.#outer.removeEventListener('abort', this.#abort);
    this.#controller.abort();
  }

  #check(idleMs: number): void {
    const left = this.#touched + idleMs - this.#clock.monotonic();
    if (left > 0) this.#cancel = this.#clock.after(left, () => this.#check(idleMs));
    else this.#controller.abort(new DOMException(`nothing came for ${idleMs} ms`, 'TimeoutError'));
  }
}
