import { connect } from 'node:net';
import { createSecureContext, createServer, type SecureContext } from 'node:tls';
import type { Authority } from '../certificates.ts';

/** TLS before an HTTP server, under whatever name it is asked for. */
export interface TlsFront {
  port: number;
  stop(): Promise<void>;
}

/**
 * Ends TLS on a free port of 127.0.0.1 with certificates of the authority, made for each name, and passes everything
 * inside on to `target` (`http://127.0.0.1:<port>`) as it is, so that signatures over the Host header hold.
 */
export async function startTlsFront(target: string, authority: Authority): Promise<TlsFront> {
  const contexts = new Map<string, Promise<SecureContext>>();
  const contextOf = (name: string) => {
    const known = contexts.get(name) ?? authority.issue(name).then(createSecureContext);
    contexts.set(name, known);
    return known;
  };
  const { hostname, port } = new URL(target);
  const open = new Set<{ destroy(): unknown }>();
  const server = createServer(
    { SNICallback: (name, done) => contextOf(name).then((context) => done(null, context), done) },
    (client) => {
      const inner = connect(Number(port), hostname);
      const end = () => [client.destroy(), inner.destroy()];
      for (const socket of [client, inner]) {
        open.add(socket);
        socket.once('error', end).once('close', () => end() && open.delete(socket));
      }
      client.pipe(inner).pipe(client);
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}
