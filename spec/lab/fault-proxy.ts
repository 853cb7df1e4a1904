import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Agent } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { Exchange, type SeenRequest } from './fault-proxy/exchange.ts';
import { faultOf, type KubeFault } from './fault-proxy/faults.ts';
import { type KubeVerb, kubeRequest } from './fault-proxy/request.ts';
import type { EventObject } from './fault-proxy/stream.ts';

export type { SeenRequest } from './fault-proxy/exchange.ts';
export { faultOf, type KubeFault, kubeFaults } from './fault-proxy/faults.ts';
export { isRead, type KubeRequest, type KubeVerb, kubeRequest } from './fault-proxy/request.ts';

/** A fault at one request that is to come, or at a watch that runs. */
export interface FaultRule {
  verb: KubeVerb;
  /** The plural, with its subresource where there is one: `awsassumeroles/status`. */
  resource: string;
  /** Name of the object, default any; a create has none. */
  name?: string;
  fault: KubeFault;
  /** Which of the requests that match from now on, default 1. */
  nth?: number;
  /** Requests that come while this does not hold do not count. Default: all do. */
  when?: () => boolean;
  /** For the faults that kill: ends the client. */
  kill?: () => Promise<unknown>;
  /** Which objects of a watch a lost or duplicated event is about, default all. */
  isMeant?: (object: EventObject) => boolean;
}

/** A plain HTTP server on loopback in front of an API server. Credentials and everything else go through as they are. */
export interface FaultProxy {
  /** For the `server` of a kubeconfig. */
  readonly url: string;
  /** What came so far, oldest first. Empty it to count anew. */
  readonly requests: SeenRequest[];
  /** How many requests are under way now, watches aside. */
  readonly open: number;
  /**
   * Arms a fault. One of a watch acts on the newest watch of that kind that runs, if it is one that can, else on the
   * request that is to come. Of several rules that match a request the earliest acts.
   */
  arm(rule: FaultRule): void;
  /** Takes back the faults that have not acted yet. */
  disarm(): void;
  /** From now on a `stale` answer shows the state of this resource version. */
  staleFrom(resourceVersion: string): void;
  /** Ends every connection. */
  close(): Promise<void>;
}

/**
 * Opens a proxy on a free port in front of the API server at this address.
 *
 * @param clock what its list of requests tells the times of, and what its faults take their time by
 */
export async function startFaultProxy(
  target: { server: string; caFile: string },
  clock: Clock = systemClock,
): Promise<FaultProxy> {
  const agent = new Agent({ keepAlive: true, ca: await readFile(target.caFile) });
  const hub = new Hub(target.server, agent, clock);
  const server = createServer((incoming, outgoing) => {
    hub.carry(incoming, outgoing).catch(() => incoming.socket.destroy());
  });
  server.on('connection', (socket) => hub.opened(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: hub.requests,
    get open() {
      return hub.open;
    },
    arm: (rule) => hub.arm(rule),
    disarm: () => hub.disarm(),
    staleFrom: (version) => hub.staleFrom(version),
    close: () => {
      hub.end();
      return close(server, agent);
    },
  };
}

interface Armed {
  rule: FaultRule;
  /** Requests that match until it acts, 0 and less: now. */
  before: number;
  /** Requests that it still acts on, and how many it did. */
  left: number;
  strike: number;
}

type Strike = Pick<Armed, 'rule' | 'strike'>;

/** Faults that a watch can have while it runs. */
const inStream: readonly KubeFault[] = ['frozen', 'lost-event', 'duplicated-event', 'half-open', 'reset'];

class Hub {
  readonly requests: SeenRequest[] = [];
  open = 0;
  readonly #server: string;
  readonly #agent: Agent;
  readonly #clock: Clock;
  readonly #sockets = new Set<Socket>();
  readonly #dead = new WeakSet<Socket>();
  readonly #watches = new Set<Exchange>();
  #armed: Armed[] = [];
  #staleVersion: string | undefined;

  constructor(server: string, agent: Agent, clock: Clock) {
    this.#server = server;
    this.#agent = agent;
    this.#clock = clock;
  }

  opened(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }

  /** Ends what is open, also what went silent. */
  end(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  staleFrom(version: string): void {
    this.#staleVersion = version;
  }

  arm(rule: FaultRule): void {
    const running = [...this.#watches].filter(({ seen }) => isMatch(rule, seen)).at(-1);
    if (running !== undefined && inStream.includes(rule.fault)) void this.#act({ rule, strike: 0 }, running);
    else this.#armed.push({ rule, before: rule.nth ?? 1, left: faultOf(rule.fault).times ?? 1, strike: 0 });
  }

  disarm(): void {
    this.#armed = [];
  }

  async carry(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/', socket } = incoming;
    // A connection that went silent takes everything and gives nothing.
    if (this.#dead.has(socket)) return;
    const seen: SeenRequest = { at: this.#clock.now(), ...kubeRequest(method, url), passed: false };
    this.requests.push(seen);
    const exchange = new Exchange(seen, incoming, outgoing, { server: this.#server, agent: this.#agent });
    if (seen.verb === 'watch') this.#follow(exchange, outgoing);
    else this.#count(outgoing);
    const due = this.#due(seen) ?? this.#stillExpired(seen);
    if (due === undefined) await exchange.reply(await exchange.forward());
    else await this.#act(due, exchange);
  }

  #count(outgoing: ServerResponse): void {
    this.open += 1;
    outgoing.once('close', () => {
      this.open -= 1;
    });
  }

  #follow(exchange: Exchange, outgoing: ServerResponse): void {
    this.#watches.add(exchange);
    outgoing.once('close', () => this.#watches.delete(exchange));
  }

  /** A version that was called too old stays so, until the client has listed anew. */
  #stillExpired({ verb, resource }: SeenRequest): Strike | undefined {
    const last = this.requests.findLast(
      (one) => one.resource === resource && (one.verb === 'list' || one.fault === '410'),
    );
    const isExpired = verb === 'watch' && last?.verb === 'watch';
    return isExpired ? { rule: { verb, resource, fault: '410' }, strike: 0 } : undefined;
  }

  async #act({ rule, strike }: Strike, exchange: Exchange): Promise<void> {
    const isLater = rule.fault === 'lost-event' || rule.fault === 'duplicated-event';
    if (!isLater) exchange.seen.fault = rule.fault;
    await faultOf(rule.fault).act(exchange, {
      clock: this.#clock,
      deaden: () => this.#deaden(),
      strike,
      kill: rule.kill ?? (() => Promise.resolve()),
      staleVersion: this.#staleVersion,
      isMeant: rule.isMeant ?? (() => true),
    });
  }

  /** The rule whose turn it is with this request. */
  #due(seen: SeenRequest): Strike | undefined {
    const matching = this.#armed.filter(({ rule }) => isMatch(rule, seen) && (rule.when?.() ?? true));
    for (const armed of matching) armed.before -= 1;
    const due = matching.find(({ before }) => before <= 0);
    if (due === undefined) return undefined;
    due.left -= 1;
    if (due.left === 0) this.#armed = this.#armed.filter((armed) => armed !== due);
    due.strike += 1;
    return { rule: due.rule, strike: due.strike - 1 };
  }

  /** Nothing is read from these connections any more, and what was to be written to them is kept. */
  #deaden(): void {
    for (const socket of this.#sockets) {
      this.#dead.add(socket);
      socket.cork();
      socket.pause();
    }
  }
}

function isMatch({ verb, resource, name }: FaultRule, seen: SeenRequest): boolean {
  return verb === seen.verb && resource === seen.resource && (name === undefined || name === seen.name);
}

function close(server: Server, agent: Agent): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
    agent.destroy();
  });
}
