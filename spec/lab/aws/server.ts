import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { sleep, systemClock } from '../../../lib/clock.ts';
import { reset } from '../reset.ts';
import type { Answer } from './call.ts';
import { NoAnswer } from './faults.ts';

const SLOW_PIECES = 20;
const SLOW_MS = 2_000;

/** A small HTTP server on a free port of 127.0.0.1. */
export interface LoopbackServer {
  url: string;
  close(): Promise<void>;
}

/**
 * Answers every request with what `answer` gives. `NoAnswer` leaves the connection open or resets it, any other error is HTTP 502.
 * @param now the time of the Date header
 */
export async function serveLoopback(
  answer: (request: IncomingMessage) => Promise<Answer>,
  now: () => number,
): Promise<LoopbackServer> {
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    response.sendDate = false;
    answer(request).then(
      (given) => write(response, given, now()),
      (error: unknown) => fail(request, response, error),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function write(response: ServerResponse, answer: Answer, now: number): void {
  const date = new Date(now).toUTCString();
  response.writeHead(answer.status, { ...answer.headers, date, 'content-length': answer.body.length });
  if (answer.pace === 'frozen') response.write(answer.body.subarray(0, answer.body.length / 2));
  else if (answer.pace === 'slow') void writeSlowly(response, answer.body);
  else response.end(answer.body, () => answer.onAnswered?.());
}

async function writeSlowly(response: ServerResponse, body: Buffer): Promise<void> {
  const size = Math.ceil(body.length / SLOW_PIECES);
  for (let at = 0; at < body.length && !response.destroyed; at += size) {
    response.write(body.subarray(at, at + size));
    await sleep(systemClock, SLOW_MS / SLOW_PIECES);
  }
  response.end();
}

function fail(request: IncomingMessage, response: ServerResponse, error: unknown): void {
  if (!(error instanceof NoAnswer)) {
    response.writeHead(502, { 'content-type': 'text/plain' });
    response.end(error instanceof Error ? error.message : 'failed');
  } else if (error.kind === 'reset') {
    reset(request.socket);
  }
}
