import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Agent, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';

/** What happens to an exchange after a stop: it goes on as if nothing had been, or its connection ends. */
export type Verdict = 'pass' | 'cut';

/** A point at which requests are stopped once. */
export interface Stop {
  method: string;
  /** What the path without its query must match. */
  path: RegExp;
  /** Which of the requests that match from now on, default 1. */
  nth?: number;
  /**
   * `before` the API server sees the request, or `after` it has answered and the caller does not know yet.
   * A request that is cut before is never seen by the API server.
   */
  at: 'before' | 'after';
  /** What to do meanwhile: kill the caller, for example. */
  run(): Verdict | Promise<Verdict>;
}

/** A request that was passed to the API server. */
export interface PassedRequest {
  method: string;
  /** Without its query. */
  path: string;
  /** HTTP status of the API server's answer, once it is there. */
  status?: number;
}

/** A plain HTTP server on loopback in front of an API server. Credentials and everything else go through as they are. */
export interface KillProxy {
  /** For the `server` of a kubeconfig. */
  readonly url: string;
  /** What was passed on so far, oldest first. Empty it to count anew. */
  readonly passed: PassedRequest[];
  /** Stops a request that is to come. Of several stops that match, the earliest acts. */
  stopAt(stop: Stop): void;
  /** Ends every connection. */
  close(): Promise<void>;
}

/** Opens a proxy on a free port in front of the API server at this address. */
export async function startKillProxy(target: { server: string; caFile: string }): Promise<KillProxy> {
  const agent = new Agent({ keepAlive: true, ca: await readFile(target.caFile) });
  const carrier = new Carrier(target.server, agent);
  const server = createServer((incoming, outgoing) => {
    carrier.carry(incoming, outgoing).catch(() => incoming.socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    passed: carrier.passed,
    stopAt: (stop) => carrier.stopAt(stop),
    close: () => close(server, agent),
  };
}

class Carrier {
  readonly passed: PassedRequest[] = [];
  readonly #server: string;
  readonly #agent: Agent;
  #stops: { stop: Stop; left: number }[] = [];

  constructor(server: string, agent: Agent) {
    this.#server = server;
    this.#agent = agent;
  }

  stopAt(stop: Stop): void {
    this.#stops.push({ stop, left: stop.nth ?? 1 });
  }

  async carry(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/', socket } = incoming;
    const [path = '/'] = url.split('?', 1);
    const stop = this.#take(method, path);
    if (stop?.at === 'before' && (await stop.run()) === 'cut') return void socket.destroy();
    const record: PassedRequest = { method, path };
    this.passed.push(record);
    const answer = await this.#send(incoming);
    record.status = answer.statusCode ?? 0;
    if (stop?.at === 'after' && (await stop.run()) === 'cut') {
      answer.destroy();
      return void socket.destroy();
    }
    outgoing.writeHead(record.status, answer.headers);
    // A watch has headers long before it has anything to tell.
    outgoing.flushHeaders();
    await pipeline(answer, outgoing);
  }

  /** The stop that this request has come to. */
  #take(method: string, path: string): Stop | undefined {
    const matching = this.#stops.filter(({ stop }) => stop.method === method && stop.path.test(path));
    for (const one of matching) one.left -= 1;
    const reached = matching.find(({ left }) => left <= 0);
    this.#stops = this.#stops.filter((one) => one !== reached);
    return reached?.stop;
  }

  #send(incoming: IncomingMessage): Promise<IncomingMessage> {
    const { method, url = '/', headers } = incoming;
    const target = new URL(url, this.#server);
    return new Promise((resolve, reject) => {
      const onward = request(target, { method, agent: this.#agent, headers: { ...headers, host: target.host } });
      onward.once('response', resolve).once('error', reject);
      incoming.pipe(onward);
    });
  }
}

function close(server: Server, agent: Agent): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
    agent.destroy();
  });
}
