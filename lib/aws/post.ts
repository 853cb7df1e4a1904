import { type Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { type Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Clock } from '../clock.ts';
import type { Course } from './course.ts';

/** The connections that all requests of a process share, by the scheme of the URL. */
export interface Agents {
  httpAgent: HttpAgent;
  httpsAgent: HttpsAgent;
}

export interface PostOptions {
  url: URL;
  headers: Readonly<Record<string, string>>;
  body: string;
  agents: Agents;
  clock: Clock;
  /** Most milliseconds to a connection. */
  connectTimeoutMs: number;
  signal: AbortSignal;
  course: Course;
}

export interface Posted {
  status: number;
  headers: IncomingMessage['headers'];
  text: string;
}

/**
 * Sends one POST and gives its whole answer. Rejects with what Node.js says of the network, or the signal's reason. It ends
 * by itself in every case: Node.js tells nothing of a request that is destroyed while a proxy has not opened the way yet.
 */
export function post(options: PostOptions): Promise<Posted> {
  const { url, headers, body, agents, clock, connectTimeoutMs, signal, course } = options;
  return new Promise((resolve, reject) => {
    const [send, agent] =
      url.protocol === 'https:' ? [httpsRequest, agents.httpsAgent] : [httpRequest, agents.httpAgent];
    const request = send(url, { method: 'POST', path: url.pathname, agent, headers });
    const give = (settle: () => void) => {
      connected();
      signal.removeEventListener('abort', abort);
      settle();
    };
    const fail = (error: unknown) => give(() => reject(error));
    const end = (error: unknown) => {
      fail(error);
      request.destroy();
    };
    const abort = () => end(signal.reason);
    const connected = clock.after(connectTimeoutMs, () => end(connectTimeout(connectTimeoutMs)));
    let hasHead = false;
    request.once('response', (answer) => {
      hasHead = true;
      course.answered(answer.headers.date);
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => {
        text += chunk;
      });
      answer.once('end', () => give(() => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text })));
      answer.on('error', fail);
    });
    request.once('socket', (socket) => {
      if (socket.connecting) socket.once('connect', connected);
      else connected();
    });
    // Stays for what comes after the end.
    request.on('error', fail);
    request.once('close', () => {
      if (!hasHead) fail(noAnswer());
    });
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) return abort();
    course.sent();
    request.end(body);
  });
}

function connectTimeout(ms: number): Error {
  return Object.assign(new Error(`no connection within ${ms} ms`), { code: 'ETIMEDOUT' });
}

/** As for a switch to another protocol. */
function noAnswer(): Error {
  return Object.assign(new Error('the connection ended without an answer'), { code: 'ECONNRESET' });
}
