import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { connect, isIP, type LookupFunction, type Socket } from 'node:net';
import { getCACertificates, connect as tlsConnect } from 'node:tls';
import { buildConnector } from 'undici';
import { type Clock, orAborted, withDeadline } from '../clock.ts';

export interface ProxyOptions {
  /** An http, https or socks5 URL, perhaps with user and password. */
  url: string;
  /** What connections to the server itself are opened with. */
  tls: buildConnector.BuildOptions & { rejectUnauthorized?: boolean };
  /** PEM of an authority that an https proxy may have its certificate from, beside those that the system trusts. */
  ca?: string | undefined;
  /** For the whole way through the proxy, in milliseconds. */
  timeoutMs: number;
  clock: Clock;
  /** Looks the proxy's name up. Default: `getaddrinfo`. */
  lookup?: LookupFunction | undefined;
}

/** A proxy that leads nowhere. The message names it without user and password, and is fit to be shown. */
export class ProxyError extends Error {
  override readonly name = 'ProxyError';
}

/**
 * Opens connections through a proxy: for the `connect` of undici's agents. Names are looked up by the proxy, as in client-go.
 * Errors of the proxy are `ProxyError`s.
 */
export function throughProxy(options: ProxyOptions): buildConnector.connector {
  const direct = buildConnector({ ...options.tls, allowH2: false });
  return (target, callback) => {
    const isTls = target.protocol === 'https:';
    const port = Number(target.port) || (isTls ? 443 : 80);
    tunnel(options, target.hostname, port).then(
      (socket) => (isTls ? direct({ ...target, httpSocket: socket }, callback) : callback(null, socket)),
      (error: Error) => callback(error, null),
    );
  };
}

/** A connection that leads to the host. */
async function tunnel(options: ProxyOptions, host: string, port: number): Promise<Socket> {
  const proxy = new URL(options.url);
  const socket = open(proxy, options);
  const through = proxy.protocol === 'socks5:' ? socks : httpConnect;
  try {
    return await withDeadline(options.clock, options.timeoutMs, undefined, async (signal) => {
      await once(socket, proxy.protocol === 'https:' ? 'secureConnect' : 'connect', { signal });
      await orAborted(through(socket, proxy, host, port, options.timeoutMs), signal);
      return socket;
    });
  } catch (error) {
    socket.on('error', () => {}).destroy();
    throw new ProxyError(`the proxy ${proxy.protocol}//${proxy.host} ${problemOf(error, options)}`);
  }
}

const defaultPorts: Record<string, number> = { 'http:': 80, 'https:': 443, 'socks5:': 1080 };

function open(proxy: URL, { tls, ca, lookup }: ProxyOptions): Socket {
  const host = withoutBrackets(proxy.hostname);
  const to = { host, port: Number(proxy.port) || (defaultPorts[proxy.protocol] as number), ...(lookup && { lookup }) };
  if (proxy.protocol !== 'https:') return connect(to);
  return tlsConnect({
    ...to,
    rejectUnauthorized: tls.rejectUnauthorized ?? true,
    ...(isIP(host) === 0 && { servername: host }),
    ...(ca !== undefined && { ca: [...getCACertificates('default'), ca] }),
  });
}

/** What a proxy answered instead of opening the way. */
class Refusal extends Error {}

async function httpConnect(socket: Socket, proxy: URL, host: string, port: number): Promise<void> {
  const authority = `${host}:${port}`;
  const login = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  const headers = {
    host: authority,
    ...(login !== ':' && { 'proxy-authorization': `Basic ${Buffer.from(login).toString('base64')}` }),
  };
  const asked = request({ method: 'CONNECT', path: authority, headers, createConnection: () => socket });
  asked.end();
  const [{ statusCode = 0 }, , head] = (await once(asked, 'connect')) as [IncomingMessage, Socket, Buffer];
  if (statusCode === 407) throw new Refusal('asks for another user and password (HTTP 407)');
  if (statusCode < 200 || statusCode > 299)
    throw new Refusal(`does not open the way to ${authority} (HTTP ${statusCode})`);
  if (head.length > 0) socket.unshift(head);
}

async function socks(socket: Socket, proxy: URL, host: string, port: number, timeout: number): Promise<void> {
  const { SocksClient } = await import('socks');
  const login = { userId: decodeURIComponent(proxy.username), password: decodeURIComponent(proxy.password) };
  await SocksClient.createConnection({
    command: 'connect',
    proxy: { host: proxy.hostname, port: 1, type: 5, ...(login.userId !== '' && login) },
    destination: { host: withoutBrackets(host), port },
    existing_socket: socket,
    timeout,
  }).catch((error: Error & { options?: unknown }) => {
    // What the library says itself comes with the options of the connection; it is a fixed text.
    throw error.options === undefined
      ? error
      : new Refusal(`does not open the way to ${host}:${port} (${error.message})`);
  });
}

function problemOf(error: unknown, { timeoutMs }: ProxyOptions): string {
  if (error instanceof Refusal) return error.message;
  const { name, code, cause } = error as { name?: string; code?: string; cause?: { name?: string } };
  if (name === 'TimeoutError' || cause?.name === 'TimeoutError') return `gave no answer within ${timeoutMs} ms`;
  return `cannot be reached (${code ?? name})`;
}

function withoutBrackets(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}
