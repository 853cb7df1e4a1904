import type { IncomingMessage } from 'node:http';
import { json } from 'node:stream/consumers';
import { type Clock, sleep } from '../../../lib/clock.ts';
import type { Exchange } from './exchange.ts';
import type { EventObject, StreamFault, WatchStream } from './stream.ts';

/** What a fault may need besides the exchange that it acts on. */
export interface Surroundings {
  /** For faults that take time. */
  clock: Clock;
  /** No connection that is open now carries anything any more, and nobody is told. New ones work. */
  deaden(): void;
  /** Kills the client. */
  kill(): Promise<unknown>;
  /** How often the same fault acted before. */
  strike: number;
  /** The resource version whose state counts as the stale one. */
  staleVersion: string | undefined;
  /** Whether an object of a watch is one that the fault is about. */
  isMeant(object: EventObject): boolean;
}

interface Fault {
  /** What happens, as a half sentence. */
  what: string;
  /** How many requests in a row, default 1. */
  times?: number;
  /** Which verbs it makes sense for, default all. */
  verbs?: readonly string[];
  act(exchange: Exchange, surroundings: Surroundings): Promise<unknown> | unknown;
}

const DELAY_MS = 2_000;
const SLOW_PIECES = 20;
const reading = ['get', 'list', 'watch'];

/** Everything that can go wrong between a client and an API server. */
export const kubeFaults = {
  delay: {
    what: `it is carried out ${DELAY_MS / 1000} s late`,
    async act(exchange, { clock }) {
      await sleep(clock, DELAY_MS);
      await exchange.reply(await exchange.forward());
    },
  },
  drop: { what: 'it is lost, and the connection stays open without a word', act() {} },
  reset: { what: 'the connection is reset before the API server sees it', act: (exchange) => exchange.reset() },
  'reset-after': {
    what: 'it is carried out, and the connection is reset before the answer',
    async act(exchange) {
      (await exchange.forward()).resume();
      exchange.reset();
    },
  },
  'half-open': {
    what: 'every connection that is open now goes silent for good',
    act: (_exchange, { deaden }) => deaden(),
  },
  '401': { what: 'it is refused as not logged in, twice', times: 2, act: refuse(401, 'Unauthorized') },
  '403': { what: 'it is refused as forbidden', act: refuse(403, 'Forbidden') },
  '409': {
    what: 'it is refused as a conflict',
    act: (exchange) => refuse(409, exchange.seen.verb === 'create' ? 'AlreadyExists' : 'Conflict')(exchange),
  },
  '410': {
    what: 'its version is called too old, that of a watch until the next list',
    async act(exchange) {
      if (exchange.seen.verb !== 'watch') return refuse(410, 'Expired')(exchange);
      // As the API server does: the watch begins, and its first event is the error.
      await exchange.answer(200, { type: 'ERROR', object: status(410, 'Expired') });
    },
  },
  '429': {
    what: 'it is refused as too many with Retry-After: 1, twice',
    times: 2,
    act: (exchange) => exchange.answer(429, status(429, 'TooManyRequests'), { 'retry-after': '1' }),
  },
  '5xx': {
    what: 'three requests in a row get 500, 503 and 504 in turn',
    times: 3,
    act(exchange, { strike }) {
      const code = [500, 503, 504][strike % 3] ?? 500;
      return exchange.answer(code, status(code, ''));
    },
  },
  'slow-body': {
    what: 'its answer comes in twenty pieces over two seconds',
    async act(exchange, { clock }) {
      const answer = await exchange.forward();
      if (exchange.seen.verb === 'watch') return exchange.reply(answer);
      await exchange.replySlowly(answer, SLOW_PIECES, () => sleep(clock, DELAY_MS / SLOW_PIECES));
    },
  },
  frozen: {
    what: 'its answer begins and never goes on',
    async act(exchange, surroundings) {
      if (exchange.stream === undefined) exchange.replyWithoutBody(await exchange.forward());
      else await strikeStream('frozen')(exchange, surroundings);
    },
  },
  stale: {
    what: 'it is answered with the state of some time ago',
    verbs: reading,
    act: (exchange, { staleVersion }) => replyStale(exchange, staleVersion),
  },
  'lost-event': { what: 'an event does not arrive', verbs: ['watch'], act: strikeStream('lost-event') },
  'duplicated-event': { what: 'an event arrives twice', verbs: ['watch'], act: strikeStream('duplicated-event') },
  'kill-before': {
    what: 'the client is killed before the API server sees it',
    async act(exchange, { kill }) {
      await kill();
      exchange.reset();
    },
  },
  'kill-applied': {
    what: 'it is carried out, and the client is killed before it knows',
    async act(exchange, { kill }) {
      const answer = await exchange.forward();
      await kill();
      answer.resume();
      exchange.reset();
    },
  },
  'kill-after': {
    what: 'the client is killed right after it got the answer',
    async act(exchange, { kill }) {
      await exchange.reply(await exchange.forward());
      await kill();
    },
  },
} satisfies Readonly<Record<string, Fault>>;

export type KubeFault = keyof typeof kubeFaults;

/** The fault of this name, with what the table leaves out. */
export function faultOf(name: KubeFault): Fault {
  return kubeFaults[name];
}

/** A watch that runs already has the fault at once; otherwise it is carried out first. */
function strikeStream(fault: StreamFault): Fault['act'] {
  return async (exchange, { isMeant }) => {
    const struck = () => {
      exchange.seen.fault = fault;
    };
    if (exchange.stream !== undefined) return exchange.stream.strike({ fault, isMeant, struck });
    const answer = await exchange.forward();
    const replied = exchange.reply(answer);
    (exchange.stream as WatchStream | undefined)?.strike({ fault, isMeant, struck });
    await replied;
  };
}

function refuse(code: number, reason: string): (exchange: Exchange) => Promise<void> {
  return (exchange) => exchange.answer(code, status(code, reason));
}

/** What the API server would say. */
function status(code: number, reason: string): object {
  const message = 'the fault proxy says so';
  return { apiVersion: 'v1', kind: 'Status', status: 'Failure', code, reason, message };
}

/** Lists and watches have a parameter for an exact version; a single object is looked up in such a list. */
async function replyStale(exchange: Exchange, version: string | undefined): Promise<void> {
  const url = new URL(exchange.url, 'http://api');
  const { verb, name } = exchange.seen;
  if (version === undefined) return exchange.reply(await exchange.forward());
  url.searchParams.set('resourceVersion', version);
  if (verb !== 'watch') url.searchParams.set('resourceVersionMatch', 'Exact');
  url.searchParams.delete('continue');
  if (verb !== 'get') return exchange.reply(await exchange.forward({ url: url.pathname + url.search }));
  url.pathname = url.pathname.replace(/\/[^/]*$/, '');
  url.searchParams.set('fieldSelector', `metadata.name=${name}`);
  const accept = exchange.accept?.replace('as=PartialObjectMetadata;', 'as=PartialObjectMetadataList;');
  await replyItem(exchange, await exchange.forward({ url: url.pathname + url.search, accept }));
}

async function replyItem(exchange: Exchange, answer: IncomingMessage): Promise<void> {
  const { items } = (await json(answer)) as { items?: object[] | null };
  const [item] = items ?? [];
  await (item === undefined ? exchange.answer(404, status(404, 'NotFound')) : exchange.answer(200, item));
}
