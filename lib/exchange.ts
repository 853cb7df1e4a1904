import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';

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

/** What an exchange tells while it goes on. What they throw ends it. */
export interface Hooks {
  /** Called when a connection takes the request, right before that goes out. */
  mayStart?: (() => void) | undefined;
  /** Called with the head of the answer. What it gives takes the bytes of the answer as they come. */
  onHead?: (head: Head) => ((chunk: Buffer) => void) | undefined;
}

/**
 * Sends one request and gives its whole answer. It is made of undici's callbacks, since a stream for each of thousands of
 * small answers costs more than all that is done with them.
 *
 * Rejects with what a hook throws, with the signal's reason as soon as it aborts, also while the request waits for a
 * connection (then it is never sent), or with undici's error.
 */
export function exchange(
  dispatcher: Dispatcher,
  request: Dispatcher.DispatchOptions,
  signal: AbortSignal,
  { mayStart, onHead }: Hooks = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    let running: Dispatcher.DispatchController | undefined;
    let head: Head = { statusCode: 0, headers: {} };
    const chunks: Buffer[] = [];
    let take = (chunk: Buffer): void => void chunks.push(chunk);
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
      },
      onResponseData: (_, chunk) => take(chunk),
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
