import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { RolevendError } from './errors.ts';

/** How an answer begins. */
export interface Head {
  statusCode: number;
  headers: IncomingHttpHeaders;
}

/** An answer that is there as a whole. */
export interface Answer extends Head {
  /** What nobody took while it came. */
  text(): string;
}

/** An answer that is larger than any can be. The connection is closed, and what came beyond the bound was not kept. */
export class TooLarge extends RolevendError {
  /** `what` is the subject of the message. */
  constructor(what: string, mostBytes: number) {
    const size = mostBytes < MIB ? `${mostBytes / 1_024} KiB` : `${mostBytes / MIB} MiB`;
    super(`${what} is larger than ${size}`, { code: 'AnswerTooLarge', consequence: 'retry' });
  }
}

const MIB = 1_048_576;

/** What an exchange tells while it goes on. What they throw ends it. */
export interface Hooks {
  /** Called when a connection takes the request, right before that goes out. */
  mayStart?: (() => void) | undefined;
  /** Called with the head of the answer. What it gives takes the bytes of the answer as they come. */
  onHead?: (head: Head) => ((chunk: Buffer) => void) | undefined;
  /** Most bytes of the answer with this head. Default: any number. */
  mostBytes?: (head: Head) => number;
}

/**
 * Sends one request and gives its whole answer. It is made of undici's callbacks, since a stream for each of thousands of
 * small answers costs more than all that is done with them.
 *
 * Rejects with what a hook throws, with `TooLarge`, with the signal's reason as soon as it aborts, also while the request
 * waits for a connection (then it is never sent), or with undici's error.
 */
export function exchange(
  dispatcher: Dispatcher,
  request: Dispatcher.DispatchOptions,
  signal: AbortSignal,
  { mayStart, onHead, mostBytes }: Hooks = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    let running: Dispatcher.DispatchController | undefined;
    let head: Head = { statusCode: 0, headers: {} };
    const chunks: Buffer[] = [];
    let take = (chunk: Buffer): void => void chunks.push(chunk);
    let [got, most] = [0, Number.POSITIVE_INFINITY];
    const allow = (bytes: number) => {
      if (bytes > most) throw new TooLarge(`the answer of ${request.origin}`, most);
    };
    const abort = () => {
      running?.abort(signal.reason);
      reject(signal.reason);
    };
    const ended = () => signal.removeEventListener('abort', abort);
    signal.addEventListener('abort', abort, { once: true });
    dispatcher.dispatch(request, {
      onRequestStart(controller) {
        if (signal.aborted) return controller.abort(signal.reason);
        mayStart?.();
        running = controller;
      },
      onResponseStart(_, statusCode, headers) {
        // Hints that come before the answer.
        if (statusCode < 200) return;
        head = { statusCode, headers };
        take = onHead?.(head) ?? take;
        most = mostBytes?.(head) ?? most;
        // What says beforehand that it is too much is not begun.
        allow(Number(headers['content-length']));
      },
      onResponseData(_, chunk) {
        got += chunk.length;
        allow(got);
        take(chunk);
      },
      onResponseEnd() {
        ended();
        resolve({ ...head, text: () => Buffer.concat(chunks).toString('utf8') });
      },
      onResponseError(_, error) {
        ended();
        reject(error);
      },
    });
  });
}

/** A media type is words that are registered, without parameters; anything else is not shown. */
export function mediaType(header: unknown): string | undefined {
  const [, type] =
    /^\s*((?:application|font|image|multipart|text)\/[\w.+-]{1,64})\s*(?:;|$)/i.exec(String(header)) ?? [];
  return type?.toLowerCase();
}
