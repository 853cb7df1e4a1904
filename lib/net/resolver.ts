import { promises as dns, getDefaultResultOrder, type RecordWithTtl } from 'node:dns';
import { networkInterfaces } from 'node:os';
import { type Clock, sleep } from '../clock.ts';
import type { Logger } from '../log.ts';
import { FileCopy } from './file-copy.ts';
import {
  type Address,
  candidates,
  type Family,
  parseHosts,
  parseResolvConf,
  plain,
  type SearchRules,
} from './names.ts';

/** What a name server answered. */
export interface Found {
  addresses: Address[];
  /** Milliseconds for which the answer holds. */
  ttlMs: number;
}

export interface ResolverOptions {
  clock: Clock;
  log: Logger;
  /** Name servers, as `127.0.0.1:53`. Default: those of `resolv.conf`. */
  servers?: readonly string[];
  /** Default `/etc/hosts`. */
  hostsFile?: string;
  /** Default `/etc/resolv.conf`. */
  resolvConf?: string;
  /** The kinds of addresses that this machine can use, the preferred one first. Default: those that its interfaces have. */
  families?: () => Family[];
}

/**
 * First and longest milliseconds for one try at one name server, and how often each is tried: together less than a
 * connection may take, so that it is told why there is none.
 */
const TRY = { timeout: 1_000, maxTimeout: 1_500, tries: 2 };
/** How long the other kind of addresses is waited for once one is there, in milliseconds. */
const GRACE_MS = 500;
const LEAST_TTL_MS = 1_000;
const MOST_TTL_MS = 300_000;

/**
 * Asks name servers as `getaddrinfo` does with `files dns`: the hosts file, then the search list of `resolv.conf`, both
 * read again when they change. But it asks through c-ares, which uses sockets of its own: `getaddrinfo` takes one of the
 * four threads that also read files, and gives it back only when its name server answers or gives up.
 */
export class Resolver {
  readonly #options: ResolverOptions;
  readonly #hosts: FileCopy<Map<string, Address[]>>;
  readonly #rules: FileCopy<SearchRules>;

  constructor(options: ResolverOptions) {
    const { hostsFile = '/etc/hosts', resolvConf = '/etc/resolv.conf' } = options;
    this.#options = options;
    this.#hosts = new FileCopy({ ...options, path: hostsFile, parse: parseHosts, absent: new Map() });
    this.#rules = new FileCopy({ ...options, path: resolvConf, parse: parseResolvConf, absent: parseResolvConf('') });
  }

  /** What the hosts file says; of `localhost` what everybody knows. */
  local(host: string): Address[] | undefined {
    const name = plain(host);
    const known = this.#hosts.value.get(name);
    if (known !== undefined || !/(^|\.)localhost$/.test(name)) return known;
    return [
      { address: '127.0.0.1', family: 4 },
      { address: '::1', family: 6 },
    ];
  }

  /**
   * Asks the name servers. Throws an error with code `ENOTFOUND` where the name has no address, `EAI_AGAIN` where that
   * cannot be told, and the signal's reason when that aborts; then no question is under way any more.
   */
  async ask(host: string, signal: AbortSignal): Promise<Found> {
    const resolver = new dns.Resolver(TRY);
    if (this.#options.servers) resolver.setServers([...this.#options.servers]);
    const cancel = () => resolver.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    try {
      return await this.#search(resolver, host, signal);
    } finally {
      signal.removeEventListener('abort', cancel);
      // Of two questions the one that is not waited for any more.
      cancel();
    }
  }

  async #search(resolver: dns.Resolver, host: string, signal: AbortSignal): Promise<Found> {
    let isUncertain = false;
    for (const name of candidates(host, this.#rules.value)) {
      const { records, failed } = await this.#records(resolver, name);
      signal.throwIfAborted();
      if (records.length > 0) return found(records);
      isUncertain ||= failed;
    }
    throw notFound(host, isUncertain ? 'EAI_AGAIN' : 'ENOTFOUND');
  }

  /** The addresses of a full name, of all kinds that can be used. */
  async #records(resolver: dns.Resolver, name: string): Promise<Answered> {
    const families = (this.#options.families ?? usableFamilies)();
    const answers: (Answered | undefined)[] = families.map(() => undefined);
    const asked = families.map(async (family, index) => {
      answers[index] = await question(resolver, name, family);
      return answers[index];
    });
    const enough = new AbortController();
    const grace = async () => {
      await Promise.any(asked.map(async (one) => ((await one).records.length > 0 ? true : Promise.reject())));
      await sleep(this.#options.clock, GRACE_MS, enough.signal);
    };
    await Promise.race([Promise.all(asked), grace().catch(() => Promise.all(asked))]).finally(() => enough.abort());
    return {
      records: answers.flatMap((answer) => answer?.records ?? []),
      failed: answers.some((answer) => answer === undefined || answer.failed),
    };
  }
}

interface Answered {
  records: (Address & { ttl: number })[];
  /** No name server could tell. */
  failed: boolean;
}

async function question(resolver: dns.Resolver, name: string, family: Family): Promise<Answered> {
  const ask = (): Promise<RecordWithTtl[]> =>
    family === 4 ? resolver.resolve4(name, { ttl: true }) : resolver.resolve6(name, { ttl: true });
  try {
    const records = (await ask()).map(({ address, ttl }) => ({ address, ttl, family }));
    return { records, failed: false };
  } catch (error) {
    return { records: [], failed: !absences.has((error as { code?: string }).code ?? '') };
  }
}

/** The name does not exist, has no such address, or is none. */
const absences: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA', 'EBADNAME']);

function found(records: Answered['records']): Found {
  const ttlMs = Math.min(...records.map(({ ttl }) => ttl * 1000));
  return {
    addresses: records.map(({ address, family }) => ({ address, family })),
    ttlMs: Math.min(MOST_TTL_MS, Math.max(LEAST_TTL_MS, ttlMs)),
  };
}

/** An error as `getaddrinfo` gives it. */
export function notFound(host: string, code: 'ENOTFOUND' | 'EAI_AGAIN'): Error {
  return Object.assign(new Error(`${code} ${host}`), { code, hostname: host });
}

/**
 * The kinds of addresses that some interface has beyond loopback, as `AI_ADDRCONFIG` counts them; both where there is none.
 * IPv6 comes first where there is an address of the whole internet for it, as RFC 6724 orders them.
 */
function usableFamilies(): Family[] {
  const outward = Object.values(networkInterfaces()).flatMap((list) =>
    (list ?? []).filter(({ internal }) => !internal),
  );
  const hasIpv4 = outward.some(({ family }) => family === 'IPv4');
  const ipv6 = outward.filter(({ family, address }) => family === 'IPv6' && !/^fe[89ab]/i.test(address));
  if (hasIpv4 !== ipv6.length > 0) return hasIpv4 ? [4] : [6];
  const order = getDefaultResultOrder();
  if (order !== 'verbatim') return order === 'ipv6first' ? [6, 4] : [4, 6];
  return ipv6.some(({ address }) => /^[23]/.test(address)) ? [6, 4] : [4, 6];
}
