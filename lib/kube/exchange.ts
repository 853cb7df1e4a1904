import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';

/** An answer that is there as a whole. */
export interface Answer {
  statusCode: number;
  headers: IncomingHttpHeaders;
  text(): string;
}

/**
 * Sends one request and gives its whole answer. It is made of undici's callbacks, since a stream for each of thousands of
 * small answers costs more than all that is done with them.
 *
 * `mayStart` is called when a connection takes the request, right before that goes out; what it throws ends it unsent.
 * Rejects with that, with the signal's reason as soon as it aborts, also while the request waits for a connection (then it
 * is never sent), or with undici's error.
 */
export function exchange(
  dispatcher: Dispatcher,
  request: Dispatcher.DispatchOptions,
  signal: AbortSignal,
  mayStart: () => void,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    let running: Dispatcher.DispatchController | undefined;
    let [statusCode, headers]: [number, IncomingHttpHeaders] = [0, {}];
    const chunks: Buffer[] = [];
    const abort = () => {
      running?.abort(signal.reason);
      reject(signal.reason);
    };
    const ended = () => signal.removeEventListener('abort', abort);
    signal.addEventListener('abort', abort, { once: true });
    dispatcher.dispatch(request, {
      onRequestStart(controller) {
        if (signal.aborted) return controller.abort(signal.reason);
        mayStart();
        running = controller;
      },
      onResponseStart(_, status, given) {
        [statusCode, headers] = [status, given];
      },
      onResponseData: (_, chunk) => void chunks.push(chunk),
      onResponseEnd() {
        ended();
        resolve({ statusCode, headers, text: () => Buffer.concat(chunks).toString('utf8') });
      },
      onResponseError(_, error) {
        ended();
        reject(error);
      },
    });
  });
}
