import type { LookupAddress, LookupOptions } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { type Clock, orAborted, sleep, withDeadline } from '../clock.ts';
import type { Logger } from '../log.ts';
import { type Address, zoneOf } from './names.ts';
import { type Found, notFound, Resolver, type ResolverOptions } from './resolver.ts';
import { Slots } from './slots.ts';

/** Most milliseconds for an answer, waiting for a place included. */
const DEADLINE_MS = 6_000;
/** How long a question is waited for while there are addresses whose time is over, in milliseconds. */
const PATIENCE_MS = 500;
/** How long such addresses are given out, and how long nobody asks again after a question failed (RFC 8767, section 5). */
const STALE_MS = 86_400_000;
const PAUSE_MS = 30_000;
/** How long a name without address is not asked for again. */
const ABSENT_MS = 2_000;
/** Names that are kept of each sort. */
const MOST_NAMES = 1_000;
/** Questions at a time about names that have no addresses yet. */
const MOST_QUESTIONS = { inAll: 64, inGroup: 16 };

interface Entry {
  addresses: Address[];
  /** On the steady clock, like the next. */
  freshUntil: number;
  staleUntil: number;
  /** When a question may be asked after one failed. */
  askAgainAt: number;
  /** The last question failed. */
  isStale: boolean;
}

/**
 * Addresses of hosts, for all connections of a process. An answer is kept for its time to live, and longer while name
 * servers do not answer. There is one question at a time for a name, it ends with a deadline, and names that were never
 * found share a bounded number of places, a zone a part of them: a zone that does not answer holds up no other, and no name
 * that was found before.
 */
export class Lookup {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #resolver: Pick<Resolver, 'local' | 'ask'>;
  readonly #slots = new Slots(MOST_QUESTIONS);
  /** In the order of their last use. */
  readonly #known = new Map<string, Entry>();
  /** Until when a name counts as absent. */
  readonly #absent = new Map<string, number>();
  readonly #flights = new Map<string, Promise<Address[]>>();

  /** `resolver` stands in for that of the machine. */
  constructor(options: ResolverOptions & { resolver?: Pick<Resolver, 'local' | 'ask'> }) {
    this.#clock = options.clock;
    this.#log = options.log;
    this.#resolver = options.resolver ?? new Resolver(options);
  }

  /** For `net.connect` and `tls.connect`: takes the place of `dns.lookup`. */
  readonly forSockets: LookupFunction = (host, options, callback) => {
    this.addresses(host).then(
      (found) => answer(host, found, options, callback),
      (error: NodeJS.ErrnoException) => callback(error, []),
    );
  };

  /**
   * The addresses of a host, the preferred ones first; never none. Throws an error with the code `ENOTFOUND` where it has
   * none, `EAI_AGAIN` where no name server could tell.
   */
  async addresses(host: string): Promise<Address[]> {
    const family = isIP(host);
    if (family !== 0) return [{ address: host, family: family as Address['family'] }];
    const local = this.#resolver.local(host);
    if (local !== undefined) return local;
    const now = this.#clock.monotonic();
    const known = this.#use(host, now);
    if (known !== undefined && now < known.freshUntil) return known.addresses;
    if (now < (this.#absent.get(host) ?? now)) throw notFound(host, 'ENOTFOUND');
    if (known === undefined) return await this.#fly(host);
    return now < known.askAgainAt ? known.addresses : await this.#refreshed(host, known);
  }

  /** New addresses if they come soon, else the old ones. */
  async #refreshed(host: string, known: Entry): Promise<Address[]> {
    const flight = this.#fly(host, known);
    const enough = new AbortController();
    const patience = sleep(this.#clock, PATIENCE_MS, enough.signal).then(
      () => known.addresses,
      () => known.addresses,
    );
    const orOld = flight.catch((error: unknown) => {
      if (isAbsent(error)) throw error;
      return known.addresses;
    });
    return await Promise.race([orOld, patience]).finally(() => enough.abort());
  }

  /** One question at a time, however many ask. */
  #fly(host: string, known?: Entry): Promise<Address[]> {
    const running = this.#flights.get(host);
    if (running !== undefined) return running;
    const flight = this.#question(host, known)
      .then(
        (found) => this.#keep(host, found, known),
        (error: unknown) => this.#failed(host, error, known),
      )
      .finally(() => this.#flights.delete(host));
    this.#flights.set(host, flight);
    // Nobody may be waiting any more.
    flight.catch(() => {});
    return flight;
  }

  #question(host: string, known: Entry | undefined): Promise<Found> {
    return withDeadline(this.#clock, DEADLINE_MS, undefined, (signal) => {
      const ask = () => orAborted(this.#resolver.ask(host, signal), signal);
      // What was found before is bounded by what is kept, and waits for nobody.
      return known === undefined ? this.#slots.run(zoneOf(host), signal, ask) : ask();
    });
  }

  #keep(host: string, { addresses, ttlMs }: Found, known: Entry | undefined): Address[] {
    const freshUntil = this.#clock.monotonic() + ttlMs;
    const entry = { addresses, freshUntil, staleUntil: freshUntil + STALE_MS, askAgainAt: freshUntil, isStale: false };
    this.#absent.delete(host);
    put(this.#known, host, entry);
    if (known?.isStale) this.#log.info({ host }, 'name servers answer again');
    return addresses;
  }

  #failed(host: string, error: unknown, known: Entry | undefined): never {
    const now = this.#clock.monotonic();
    if (isAbsent(error)) {
      this.#known.delete(host);
      put(this.#absent, host, now + ABSENT_MS);
      throw error;
    }
    if (known !== undefined) {
      known.askAgainAt = now + PAUSE_MS;
      if (!known.isStale) this.#log.warn({ host }, 'no name server answers, going on with the last known addresses');
      known.isStale = true;
    }
    throw notFound(host, 'EAI_AGAIN');
  }

  #use(host: string, now: number): Entry | undefined {
    const entry = this.#known.get(host);
    if (entry === undefined) return undefined;
    this.#known.delete(host);
    if (now >= entry.staleUntil) return undefined;
    this.#known.set(host, entry);
    return entry;
  }
}

/** Puts it behind all others and drops the first where they are too many. */
function put<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  const [first] = map.keys();
  if (map.size > MOST_NAMES && first !== undefined) map.delete(first);
}

function isAbsent(error: unknown): boolean {
  return (error as { code?: unknown }).code === 'ENOTFOUND';
}

/** Hands the addresses over in the form that was asked for. */
function answer(host: string, found: Address[], options: LookupOptions, callback: Parameters<LookupFunction>[2]): void {
  const wanted = Number(String(options.family ?? 0).replace('IPv', ''));
  const [first, ...others]: LookupAddress[] = found.filter(({ family }) => wanted === 0 || family === wanted);
  if (first === undefined) return callback(notFound(host, 'ENOTFOUND'), []);
  if (options.all) callback(null, [first, ...others]);
  else callback(null, first.address, first.family);
}
