import type { Clock } from '../clock.ts';
import { errorOfStatus, KubeError, type KubeStatus } from './errors.ts';
import { LineFramer } from './framing.ts';
import { IdleDeadline } from './idle-deadline.ts';
import type { KubeObject, Resource } from './objects.ts';
import { asKubeError, type Call, isTimeout, type Requests } from './requests.ts';

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

/** How a watch ended that the server had accepted. Its next one goes on where it was. */
export interface WatchEnd {
  /**
   * `ended`: by the server, as it does after `timeoutSeconds`. `cut`: the connection was, by the server or by something on
   * the way. `silent`: nothing came for `idleMs`, which says nothing of a server that sends no bookmarks.
   */
  how: 'ended' | 'cut' | 'silent';
  /** What the connection said, unless it was `ended`. */
  problem?: unknown;
}

/** See `KubeClient.watch`. */
export async function watch<T extends KubeObject>(
  requests: Requests,
  clock: Clock,
  resource: Resource,
  options: WatchOptions<T>,
): Promise<WatchEnd> {
  const call = watchCall(resource, options);
  const idle = new IdleDeadline({ clock, idleMs: options.idleMs, outer: options.signal });
  const intake = new Intake<T>(call, idle, options);
  try {
    await requests.stream(call, idle.signal, intake.open);
    return { how: 'ended' };
  } catch (error) {
    if (error === intake.refusal) throw error;
    const problem = asKubeError(call, error);
    if (!intake.isSound || options.signal.aborted) throw problem;
    return { how: isTimeout(error) ? 'silent' : 'cut', problem };
  } finally {
    idle.end();
  }
}

/** Takes what a watch brings, and tells what is wrong with that from what is wrong with the connection. */
class Intake<T extends KubeObject> {
  /** Whether the server has accepted the watch, and all that came was good. */
  isSound = false;
  /** What `onEvent` threw. */
  refusal: unknown;
  readonly #call: Call;
  readonly #idle: IdleDeadline;
  readonly #options: WatchOptions<T>;
  readonly #framer = new LineFramer();

  constructor(call: Call, idle: IdleDeadline, options: WatchOptions<T>) {
    this.#call = call;
    this.#idle = idle;
    this.#options = options;
  }

  readonly open = () => {
    this.#idle.touch();
    this.#options.onOpen?.();
    this.isSound = true;
    return this.#take;
  };

  readonly #take = (chunk: Buffer): void => {
    this.#idle.touch();
    this.isSound = false;
    for (const line of this.#framer.push(chunk)) this.#tell(parseEvent<T>(this.#call, line));
    this.isSound = true;
  };

  #tell(event: WatchEvent<T>): void {
    try {
      this.#options.onEvent(event);
    } catch (error) {
      this.refusal = error;
      throw error;
    }
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
