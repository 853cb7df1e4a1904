import type { Dispatcher } from 'undici';
import { type Clock, parseTime, withDeadline } from '../clock.ts';
import { RolevendError } from '../errors.ts';
import { type Answer, exchange, type Head, type Hooks, mediaType, TooLarge } from '../exchange.ts';
import { type Counter, counter, type Metrics } from '../metrics.ts';
import { mostBytes } from './answer-limits.ts';
import type { Connection } from './connection.ts';
import { errorOfStatus, KubeError, type KubeStatus, type RequestContext } from './errors.ts';
import { IdleDeadline } from './idle-deadline.ts';
import { apiVersionOf, type ObjectRef } from './objects.ts';
import { ProxyError } from './proxy.ts';

export const mergePatch = 'application/merge-patch+json';
/** JSON is YAML, and what it is sent as here is JSON. */
export const serverSideApply = 'application/apply-patch+yaml';

const writeTimeoutMs = 5_000;
const readTimeoutMs = 30_000;

const methods = {
  get: 'GET',
  list: 'GET',
  watch: 'GET',
  create: 'POST',
  update: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
} as const;

/** One request. Verbs are those of Kubernetes authorization. */
export interface Call extends RequestContext {
  verb: keyof typeof methods;
  ref?: Partial<ObjectRef> | undefined;
  query?: Record<string, string | undefined>;
  body?: object;
  /** Default `application/json`. */
  contentType?: string;
  /** Default `application/json`. */
  accept?: string | undefined;
  signal?: AbortSignal | undefined;
  timeoutMs?: number | undefined;
}

/** How long a server may be silent while it answers, in milliseconds, however long the whole answer takes. */
export interface Patience {
  /** Until the head of the answer, a renewal of the login included. */
  headMs: number;
  /** Between two pieces of it. */
  gapMs: number;
}

export interface RequestOptions {
  connection: Connection;
  clock: Clock;
  metrics: Metrics;
  /** Deadline of writes in milliseconds, default 5,000. Reads have 30,000. */
  requestTimeoutMs?: number;
  /**
   * Called right before each request that is no read goes out, which may be long after the call where it waits for a
   * connection. What it throws ends the call before anything is sent.
   */
  beforeWrite?: () => void;
  /** Whose connections requests use that are no watches. Default `request`. */
  purpose?: 'request' | 'lease';
}

/** Sends requests over a connection: deadlines, a second try after a 401, metrics and errors. */
export class Requests {
  readonly #options: RequestOptions;
  readonly #results: Counter<string>;
  readonly #server: { origin: string; host: string; path: string };
  /** The header `Date` of the last answer. */
  #date: string | undefined;

  constructor(options: RequestOptions) {
    this.#options = options;
    const { origin, host, pathname } = new URL(options.connection.server);
    this.#server = { origin, host, path: pathname.replace(/\/$/, '') };
    this.#results = counter(options.metrics, {
      name: 'rest_client_requests_total',
      help: 'Requests to API servers by method, host and status code.',
      labelNames: ['method', 'host', 'code'],
    });
  }

  /** What the API server's clock showed in its last answer, milliseconds since 1970 in whole seconds; undefined before the first. */
  get serverTime(): number | undefined {
    return parseTime(this.#date);
  }

  /** The answer's JSON. The deadline covers everything up to its last byte, a renewal of the login included. */
  async json<T>(call: Call): Promise<T> {
    const { clock, requestTimeoutMs = writeTimeoutMs } = this.#options;
    const timeoutMs = call.timeoutMs ?? (isRead(call) ? readTimeoutMs : requestTimeoutMs);
    const startedAt = clock.monotonic();
    try {
      return await withDeadline(clock, timeoutMs, call.signal, async (signal) => {
        return parse<T>(call, await this.#send(call, signal, this.#way(call)));
      });
    } catch (error) {
      if (isTimeout(error) && !call.signal?.aborted) this.#options.connection.reconnect(startedAt);
      throw asKubeError(call, error);
    }
  }

  /** As `json`, for an answer that may be large: only silence ends it. Tells its size, too. */
  async page<T>(call: Call, { headMs, gapMs }: Patience): Promise<{ value: T; bytes: number }> {
    const { clock, connection } = this.#options;
    const startedAt = clock.monotonic();
    const idle = new IdleDeadline({ clock, idleMs: headMs, outer: call.signal });
    const chunks: Buffer[] = [];
    const open = () => {
      idle.allow(gapMs);
      return (chunk: Buffer) => {
        idle.touch();
        chunks.push(chunk);
      };
    };
    try {
      const answer = await this.#send(call, idle.signal, { ...this.#way(call), open });
      const body = Buffer.concat(chunks);
      return { value: parse<T>(call, { ...answer, text: () => body.toString('utf8') }), bytes: body.length };
    } catch (error) {
      if (isTimeout(error) && !call.signal?.aborted) connection.reconnect(startedAt);
      throw asKubeError(call, error);
    } finally {
      idle.end();
    }
  }

  /**
   * Gives the bytes of the answer as they come to what `open` gives, which is called when the server has accepted the
   * request. Resolves when the answer ends; there is no deadline but the signal. Rejects with what those two throw, too.
   */
  async stream(call: Call, signal: AbortSignal, open: () => (chunk: Buffer) => void): Promise<void> {
    const dispatcher = () => this.#options.connection.dispatcher('watch');
    await this.#send(call, signal, { dispatcher, open });
  }

  #way(call: Call): Way {
    const { connection, beforeWrite, purpose = 'request' } = this.#options;
    return { dispatcher: () => connection.dispatcher(purpose), mayStart: isRead(call) ? undefined : beforeWrite };
  }

  /** The answer; after a 401 that of a second try with a new login. */
  async #send(call: Call, signal: AbortSignal, way: Way): Promise<Answer> {
    const { connection } = this.#options;
    let answer = await this.#attempt(call, await connection.headers(signal), signal, way);
    if (answer.statusCode === 401) {
      await connection.refreshAuth(signal);
      answer = await this.#attempt(call, await connection.headers(signal), signal, way);
    }
    if (isSuccess(answer)) return answer;
    throw errorOfResponse(call, answer, answer.text(), this.#options.clock.now());
  }

  async #attempt(
    call: Call,
    auth: Record<string, string | string[]>,
    signal: AbortSignal,
    { dispatcher, mayStart, open }: Way,
  ): Promise<Answer> {
    const { origin, path } = this.#server;
    const method = methods[call.verb];
    const count = (code: string) => this.#results.inc({ method, host: this.#server.host, code });
    let answered: Head | undefined;
    const onHead = (head: Head) => {
      answered = head;
      count(String(head.statusCode));
      this.#date = head.headers.date ?? this.#date;
      return isSuccess(head) ? open?.() : undefined;
    };
    const request = {
      origin,
      path: path + pathOf(call),
      method,
      headers: { ...auth, ...contentHeaders(call) },
      body: call.body ? JSON.stringify(call.body) : null,
      headersTimeout: 0,
      bodyTimeout: 0,
    };
    // A watch has no end; its lines have.
    const isEndless = (head: Head) => call.verb === 'watch' && isSuccess(head);
    const most = (head: Head) => (isEndless(head) ? Number.POSITIVE_INFINITY : mostBytes(call, head));
    try {
      return await exchange(dispatcher(), request, signal, { mayStart, onHead, mostBytes: most });
    } catch (error) {
      // What was never sent is no request.
      if (!answered && !(error instanceof RolevendError)) count('<error>');
      if (!(error instanceof TooLarge)) throw error;
      // Of a refusal the status is enough.
      if (answered && !isSuccess(answered)) return { ...answered, text: () => '' };
      throw tooLarge(call, origin, error);
    }
  }
}

/** How an answer is received. */
interface Way {
  /** The login may have opened new connections just before, so the way is asked for at the last moment. */
  dispatcher(): Dispatcher;
  mayStart?: Hooks['mayStart'];
  /** Called when the server has accepted the request. What it gives takes the bytes of the answer as they come. */
  open?: () => (chunk: Buffer) => void;
}

function isSuccess({ statusCode }: Head): boolean {
  return statusCode < 300;
}

/** Path and query of a call, below the server's own path. */
export function pathOf({ verb, resource, ref, subresource, query }: Call): string {
  const named = verb !== 'create' || subresource !== undefined;
  const parts = [
    resource.group === '' ? 'api' : 'apis',
    apiVersionOf(resource),
    ...(resource.namespaced && ref?.namespace ? ['namespaces', encodeURIComponent(ref.namespace)] : []),
    resource.plural,
    ...(named && ref?.name !== undefined ? [encodeURIComponent(ref.name)] : []),
    ...(subresource ? [subresource] : []),
  ];
  const given = Object.entries(query ?? {}).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return `/${parts.join('/')}${given.length > 0 ? `?${new URLSearchParams(given)}` : ''}`;
}

/** What the callers of a client see: an error of this project, or the reason of their own signal. */
export function asKubeError(call: Call, error: unknown): unknown {
  if (call.signal?.aborted) return call.signal.reason;
  if (error instanceof RolevendError) return error;
  const timedOut = isTimeout(error);
  return new KubeError(call, {
    status: 0,
    code: 'Unreachable',
    message: networkProblem(error),
    timedOut,
    cause: error,
  });
}

/** Whether nothing came in time: as the reason of a signal, not as an error of this project. */
export function isTimeout(error: unknown): boolean {
  return (error as { name?: unknown }).name === 'TimeoutError';
}

function isRead({ verb }: Call): boolean {
  return methods[verb] === 'GET';
}

/** The caller may ask for smaller pages of a list. */
function tooLarge(call: Call, origin: string, { code, message }: TooLarge): KubeError {
  const advice = `No API server sends that much: check what answers at ${origin}`;
  return new KubeError(call, { status: 0, code, message: `${message}. ${advice}` });
}

function contentHeaders({ accept, body, contentType }: Call): Record<string, string> {
  const json = 'application/json';
  return { accept: accept ?? json, 'user-agent': 'rolevend', ...(body && { 'content-type': contentType ?? json }) };
}

function parse<T>(call: Call, { statusCode, headers, text }: Answer): T {
  try {
    return JSON.parse(text()) as T;
  } catch {
    const what = [`HTTP ${statusCode}`, mediaType(headers['content-type'])].filter((word) => word !== undefined);
    const message = `the answer is no JSON (${what.join(', ')}): something else than the API server gave it`;
    throw new KubeError(call, { status: 0, code: 'Unreachable', message });
  }
}

/** `now` is the time of this side, for servers that do not tell theirs. */
function errorOfResponse(call: Call, { statusCode, headers }: Head, text: string, now: number): KubeError {
  const retryAfter = [headers['retry-after']].flat()[0];
  const status = statusIn(text);
  const media = status === undefined ? mediaType(headers['content-type']) : undefined;
  return errorOfStatus(call, status ?? {}, statusCode, { retryAfter, now: parseTime(headers.date) ?? now, media });
}

/** Proxies and load balancers answer with pages of their own, which say nothing that is worth showing. */
function statusIn(text: string): KubeStatus | undefined {
  try {
    const status = JSON.parse(text) as KubeStatus | null;
    return status?.kind === 'Status' ? status : undefined;
  } catch {
    return undefined;
  }
}

/** Codes (`ECONNREFUSED`, `CERT_HAS_EXPIRED` …) say what is wrong without quoting anything that was sent. */
function networkProblem(error: unknown): string {
  const { code, cause, name, message } = error as {
    code?: unknown;
    cause?: unknown;
    name?: unknown;
    message?: unknown;
  };
  if (isTimeout(error) || error instanceof ProxyError) return String(message);
  const inner = (cause as { code?: unknown } | undefined)?.code;
  return [inner, code, name].find((text) => typeof text === 'string' && text !== '') as string;
}
