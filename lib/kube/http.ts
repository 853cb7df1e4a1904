import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { RolevendError } from '../errors.ts';
import { type ListenAddress, parseAddress } from './address.ts';

export interface Answer {
  status: number;
  body: string;
  /** Default `text/plain; charset=utf-8`. */
  contentType?: string;
}

export interface ServeOptions {
  /** See `parseAddress`; `0` is off. */
  address: string;
  /** What each path answers. One that throws answers 500 and tells nothing of the error. */
  routes: Record<string, () => Answer | Promise<Answer>>;
  /** Is told what a route has thrown. Default: nobody. */
  onError?: (error: unknown) => void;
}

export interface HttpServer {
  port: number;
  /** Stops listening and cuts the open connections. */
  close(): Promise<void>;
}

/**
 * A small server for probes and metrics: GET and HEAD of exact paths. Undefined where the address is off.
 * @throws RolevendError `InvalidConfig` for an address that is none, `CannotListen` (naming it) where the system refuses it
 */
export async function serve(options: ServeOptions): Promise<HttpServer | undefined> {
  const address = parseAddress(options.address);
  if (address === undefined) return undefined;
  const routes = new Map(Object.entries(options.routes));
  const server = createServer({ requestTimeout: 10_000, keepAliveTimeout: 75_000 }, (request, response) => {
    void reply(routes, request, response, options.onError);
  });
  await listen(server, address, options.address);
  return { port: (server.address() as AddressInfo).port, close: () => close(server) };
}

async function reply(
  routes: Map<string, ServeOptions['routes'][string]>,
  request: IncomingMessage,
  response: ServerResponse,
  onError: ServeOptions['onError'],
): Promise<void> {
  const answer = await answerTo(routes, request, onError);
  response.writeHead(answer.status, {
    'content-type': answer.contentType ?? 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(answer.body),
    'cache-control': 'no-store',
    ...(answer.status === 405 && { allow: 'GET, HEAD' }),
  });
  // Node leaves the body out of the answer to HEAD.
  response.end(answer.body);
}

async function answerTo(
  routes: Map<string, ServeOptions['routes'][string]>,
  { url = '/', method }: IncomingMessage,
  onError: ServeOptions['onError'],
): Promise<Answer> {
  const route = routes.get(url.split('?', 1)[0] ?? '/');
  if (route === undefined) return { status: 404, body: 'not found\n' };
  if (method !== 'GET' && method !== 'HEAD') return { status: 405, body: 'only GET and HEAD\n' };
  try {
    return await route();
  } catch (error) {
    onError?.(error);
    return { status: 500, body: 'internal error\n' };
  }
}

function listen(server: Server, address: ListenAddress, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(cannotListen(text, error)));
    server.listen(address, resolve);
  });
}

const hints: Record<string, string> = {
  EADDRINUSE: 'the port is in use by another process',
  EACCES: 'the port needs a privilege that this process does not have',
  EADDRNOTAVAIL: 'this machine does not have the address',
  ENOTFOUND: 'the host name is not known',
};

function cannotListen(address: string, error: NodeJS.ErrnoException): RolevendError {
  const code = error.code ?? error.name;
  return new RolevendError(`cannot listen on ${address}: ${hints[code] ?? code}`, {
    code: 'CannotListen',
    consequence: 'stop',
    cause: error,
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
