import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Issued } from './certificates.ts';

/** A forward proxy that carries TLS connections (HTTP CONNECT), as it stands between many a cluster and AWS. */
export interface ConnectProxy {
  /** For HTTPS_PROXY, with user and password where it asks for them. */
  url: string;
  /** What it was asked to connect to, as `host:port`, oldest first, refused ones included. */
  readonly targets: string[];
  stop(): Promise<void>;
}

export interface ConnectProxyOptions {
  /** Port of 127.0.0.1 to which all connections go, whatever their target. */
  port: number;
  /** `user:password` that it asks for. Default: it asks nobody. */
  login?: string;
  /** Speaks TLS with its clients, with this certificate. */
  tls?: Issued;
}

/** Starts one on a free port of 127.0.0.1. */
export async function startConnectProxy({ port, login, tls }: ConnectProxyOptions): Promise<ConnectProxy> {
  const targets: string[] = [];
  const open = new Set<Duplex>();
  const refuse = (_: IncomingMessage, response: ServerResponse) => void response.writeHead(405).end();
  const server = tls ? createTlsServer(tls, refuse) : createServer(refuse);
  server.on('connect', (request: IncomingMessage, client: Duplex, head: Buffer) => {
    targets.push(request.url ?? '');
    open.add(client);
    client.once('close', () => open.delete(client)).on('error', () => client.destroy());
    if (!isAllowed(request, login)) return void client.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
    const inner = connect(port, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      inner.write(head);
      inner.pipe(client).pipe(inner);
    });
    inner.on('error', () => client.destroy());
    client.once('close', () => inner.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const own = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http${tls ? 's' : ''}://${login === undefined ? '' : `${login}@`}127.0.0.1:${own}`,
    targets,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}

function isAllowed({ headers }: IncomingMessage, login: string | undefined): boolean {
  const wanted = `Basic ${Buffer.from(login ?? '').toString('base64')}`;
  return login === undefined || headers['proxy-authorization'] === wanted;
}
