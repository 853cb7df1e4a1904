import { errors } from 'undici';
import { mediaType } from '../exchange.ts';

/** What is read of a failed call. Nothing but `text` may hold words of the other side. */
export interface Seen {
  /** The name of the error; AWS's code where AWS answered. */
  code: string;
  /** HTTP status, 0 where there was no answer. */
  status: number;
  /** Media type of the answer, as `text/html`. */
  media: string | undefined;
  requestId: string | undefined;
  /** What the network said where there was no answer, as `ECONNREFUSED`. */
  network: string | undefined;
  /** The header whose value cannot be sent. */
  header: string | undefined;
  /** The service's own words: looked at, never passed on, because they may quote the request. */
  text: string;
}

/** Looks at whatever a call threw. */
export function look(error: unknown): Seen {
  const raw = (typeof error === 'object' && error !== null ? error : {}) as {
    message?: unknown;
    /** Of STS, whose header may be missing. */
    RequestId?: unknown;
    $metadata?: { httpStatusCode?: number; requestId?: string };
    $response?: { statusCode?: number; headers?: Readonly<Record<string, unknown>> };
  };
  const text = typeof raw.message === 'string' ? raw.message : '';
  return {
    code: nameOf(error),
    status: raw.$metadata?.httpStatusCode ?? raw.$response?.statusCode ?? 0,
    media: mediaType(raw.$response?.headers?.['content-type']),
    requestId: idOf(raw.$metadata?.requestId) ?? idOf(raw.RequestId),
    network: networkOf(error),
    header: error instanceof errors.InvalidArgumentError ? /^invalid ([\w-]+) header$/.exec(text)?.[1] : undefined,
    text,
  };
}

/** Whoever answers writes it, so it is looked at before it is shown. */
function idOf(text: unknown): string | undefined {
  return typeof text === 'string' && /^[\w.:=/+-]{1,128}$/.test(text) ? text : undefined;
}

function nameOf(error: unknown): string {
  const name = (error as { name?: unknown } | null | undefined)?.name;
  return typeof name === 'string' ? name : '';
}

/** What the network said, or the proxy; undici hides what is wrong with a proxy's certificate behind a code of its own. */
function networkOf(error: unknown): string | undefined {
  if (isProxyRefusal(error)) return 'ERR_PROXY_TUNNEL';
  if (nameOf(error) === 'TimeoutError') return 'TIMEOUT';
  const code = codeOf(error);
  const cause = codeOf((error as { cause?: unknown } | null | undefined)?.cause);
  return networkCode(code === 'UND_ERR_PRX_TLS' ? cause : (code ?? cause));
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null | undefined)?.code;
}

/**
 * Whether a proxy did not open the way, as undici tells it; the text is undici's own. What a signal ended never comes here,
 * which has the same code.
 */
function isProxyRefusal(error: unknown): boolean {
  if (error instanceof errors.RequestAbortedError || codeOf(error) === 'UND_ERR_PRX_CONN') return true;
  return error instanceof errors.InvalidArgumentError && error.message.startsWith('Proxy Authentication Required');
}

/** Codes of Node.js and OpenSSL are words of their own and quote nothing. */
function networkCode(code: unknown): string | undefined {
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,63}$/.test(code) ? code : undefined;
}
