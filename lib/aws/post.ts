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

/** Sends one POST and gives its whole answer. Rejects with what Node.js says of the network, or the signal's `AbortError`. */
export function post(options: PostOptions): Promise<Posted> {
  const { url, headers, body, agents, clock, connectTimeoutMs, signal, course } = options;
  return new Promise((resolve, reject) => {
    const [send, agent] =
      url.protocol === 'https:' ? [httpsRequest, agents.httpsAgent] : [httpRequest, agents.httpAgent];
    const request = send(url, { method: 'POST', path: url.pathname, agent, headers, signal }, (answer) => {
      course.answered(answer.headers.date);
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => {
        text += chunk;
      });
      answer.once('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }));
      answer.on('error', reject);
    });
    const cancel = clock.after(connectTimeoutMs, () => request.destroy(connectTimeout(connectTimeoutMs)));
    request.once('socket', (socket) => {
      if (socket.connecting) socket.once('connect', cancel);
      else cancel();
    });
    request.once('close', cancel);
    request.on('error', reject);
    course.sent();
    request.end(body);
  });
}

function connectTimeout(ms: number): Error {
  return Object.assign(new Error(`no connection within ${ms} ms`), { code: 'ETIMEDOUT' });
}
