import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { reset } from '../lab/reset.ts';

/** Carries bytes between a client and a server, until a test wants the network to fail. */
export interface TcpProxy {
  readonly port: number;
  /** Connections that are open now. */
  readonly connections: number;
  /** Connections that were opened since the start. */
  readonly opened: number;
  /** Resets every connection and each new one, until `restore`. */
  cut(): void;
  /** Resets the connections that are open; new ones work. */
  reset(): void;
  /** Nothing gets through any more, and nobody is told, until `restore`. Connections of before stay dead. */
  freeze(): void;
  restore(): void;
  stop(): Promise<void>;
}

/** A proxy on a free loopback port in front of `target` (`https://127.0.0.1:<port>`). */
export async function startTcpProxy(target: string): Promise<TcpProxy> {
  const { hostname, port } = new URL(target);
  const pairs = new Set<[Socket, Socket]>();
  let state: 'open' | 'cut' | 'frozen' = 'open';
  let opened = 0;
  const server = createServer((client) => {
    if (state === 'cut') return reset(client);
    const pair: [Socket, Socket] = [client, connect({ host: hostname, port: Number(port) })];
    opened += 1;
    join(pair, () => pairs.delete(pair));
    pairs.add(pair);
    if (state === 'frozen') stall(pair);
  });
  const resetAll = () => {
    for (const [client, upstream] of pairs) {
      reset(client);
      upstream.destroy();
    }
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return pairs.size;
    },
    get opened() {
      return opened;
    },
    cut() {
      state = 'cut';
      resetAll();
    },
    reset: resetAll,
    freeze() {
      state = 'frozen';
      for (const pair of pairs) stall(pair);
    },
    restore() {
      state = 'open';
    },
    stop() {
      resetAll();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function join([client, upstream]: [Socket, Socket], ended: () => void): void {
  client.pipe(upstream).pipe(client);
  const end = () => {
    client.destroy();
    upstream.destroy();
    ended();
  };
  for (const socket of [client, upstream]) socket.once('error', end).once('close', end);
}

function stall(pair: [Socket, Socket]): void {
  for (const socket of pair) socket.unpipe().pause();
}
