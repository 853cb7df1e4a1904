import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Agent, request } from 'node:https';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { reset } from '../reset.ts';
import type { KubeRequest } from './request.ts';
import { WatchStream } from './stream.ts';

/** A request that came to the proxy, and what became of it. */
export interface SeenRequest extends KubeRequest {
  /** Arrival, milliseconds since 1970. */
  at: number;
  /** Whether the API server got it. */
  passed: boolean;
  /** HTTP status that the client got, or would have got, once it is there. */
  status?: number;
  /** The fault that acted on it. */
  fault?: string;
  /** Of a watch: namespace, or name where there is none, of the object of each event so far. */
  events?: string[];
}

/** Where an exchange goes. */
export interface Upstream {
  server: string;
  agent: Agent;
}

/** Another address or other headers than those of the client. */
export interface Detour {
  url?: string;
  accept?: string | undefined;
}

/** One request of a client and its answer, and all that can be done to them. */
export class Exchange {
  readonly seen: SeenRequest;
  readonly url: string;
  readonly accept: string | undefined;
  /** The answer of a watch, once it runs. */
  stream: WatchStream | undefined;
  readonly #incoming: IncomingMessage;
  readonly #outgoing: ServerResponse;
  readonly #upstream: Upstream;

  constructor(seen: SeenRequest, incoming: IncomingMessage, outgoing: ServerResponse, upstream: Upstream) {
    this.seen = seen;
    this.url = incoming.url ?? '/';
    this.accept = incoming.headers.accept;
    this.#incoming = incoming;
    this.#outgoing = outgoing;
    this.#upstream = upstream;
  }

  /** Lets the API server carry the request out and gives its answer. */
  async forward({ url = this.url, accept = this.accept }: Detour = {}): Promise<IncomingMessage> {
    const { server, agent } = this.#upstream;
    const { method, headers } = this.#incoming;
    const target = new URL(url, server);
    this.seen.passed = true;
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const options = { method, agent, headers: { ...headers, ...(accept && { accept }), host: target.host } };
      const onward = request(target, options);
      onward.once('response', resolve).once('error', reject);
      // A client that goes away ends what it asked for.
      this.#outgoing.once('close', () => onward.destroy());
      this.#incoming.pipe(onward);
    });
    this.seen.status = answer.statusCode ?? 0;
    return answer;
  }

  /** Gives the client the answer. Resolves when it has all of it. */
  async reply(answer: IncomingMessage): Promise<void> {
    this.#outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    // A watch has headers long before it has anything to tell.
    this.#outgoing.flushHeaders();
    if (this.seen.verb !== 'watch' || answer.statusCode !== 200) return pipeline(answer, this.#outgoing);
    const events: string[] = [];
    this.seen.events = events;
    this.stream = new WatchStream(({ metadata }) => events.push(metadata?.namespace ?? metadata?.name ?? ''));
    await pipeline(answer, this.stream, this.#outgoing);
  }

  /** Starts an answer that never gets a body. */
  replyWithoutBody(answer: IncomingMessage): void {
    this.#outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    this.#outgoing.flushHeaders();
    answer.resume();
  }

  /** Writes an answer piece by piece. `pause` is waited for between two pieces. */
  async replySlowly(answer: IncomingMessage, pieces: number, pause: () => Promise<void>): Promise<void> {
    const body = Buffer.from(await text(answer));
    const size = Math.max(1, Math.ceil(body.length / pieces));
    this.#outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    for (let at = 0; at < body.length && !this.#outgoing.destroyed; at += size) {
      this.#outgoing.write(body.subarray(at, at + size));
      await pause();
    }
    this.#outgoing.end();
  }

  /** Answers in the place of the API server. */
  async answer(status: number, body: object, headers: Record<string, string> = {}): Promise<void> {
    this.seen.status = status;
    this.#incoming.resume();
    this.#outgoing.writeHead(status, { ...headers, 'content-type': 'application/json' });
    await new Promise<void>((resolve) => this.#outgoing.end(`${JSON.stringify(body)}\n`, () => resolve()));
  }

  /** Ends the connection with a reset. */
  reset(): void {
    reset(this.#incoming.socket);
  }
}
