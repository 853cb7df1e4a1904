import { isIP } from 'node:net';

/** Where a host is reached. */
export interface Address {
  address: string;
  family: Family;
}

export type Family = 4 | 6;

/** What `resolv.conf` says about names that may be short for longer ones. */
export interface SearchRules {
  /** Domains that are put behind a name, in their order. */
  search: readonly string[];
  /** A name with at least so many dots is asked for as it is first. */
  ndots: number;
}

const MOST_DOTS = 15;

/** The addresses that a file such as `/etc/hosts` gives to each name, in the file's order (hosts(5)). Names are in lower case. */
export function parseHosts(text: string): Map<string, Address[]> {
  const hosts = new Map<string, Address[]>();
  for (const [address = '', ...names] of fieldsOf(text, /#.*/)) {
    const family = isIP(address) as Family | 0;
    if (family === 0) continue;
    for (const name of new Set(names.map(plain))) {
      const known = hosts.get(name) ?? [];
      hosts.set(name, [...known, { address, family }]);
    }
  }
  return hosts;
}

/** Search list and `ndots` of a `resolv.conf` (resolv.conf(5)): the last `search` or `domain` counts. */
export function parseResolvConf(text: string): SearchRules {
  let [search, ndots]: [string[], number] = [[], 1];
  for (const [key, ...values] of fieldsOf(text, /^\s*[#;].*/)) {
    if (key === 'search') search = values.map(plain);
    if (key === 'domain') search = values.slice(0, 1).map(plain);
    const given = key === 'options' ? values.findLast((value) => /^ndots:\d+$/.test(value)) : undefined;
    if (given !== undefined) ndots = Math.min(MOST_DOTS, Number(given.slice('ndots:'.length)));
  }
  return { search: search.filter((domain) => domain !== ''), ndots };
}

/** The full names that a name may stand for, in the order in which they are asked for. A dot at the end makes a name full. */
export function candidates(name: string, { search, ndots }: SearchRules): string[] {
  const full = plain(name);
  if (name.endsWith('.')) return [full];
  const longer = search.map((domain) => `${full}.${domain}`);
  return full.split('.').length - 1 >= ndots ? [full, ...longer] : [...longer, full];
}

/** The name in lower case, without a dot at its end. */
export function plain(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}

/**
 * What name servers of one owner answer for, as far as a name tells: its last two labels. It only has to be the same for
 * names that hang together.
 */
export function zoneOf(name: string): string {
  return plain(name).split('.').slice(-2).join('.');
}

/** The fields of each line that has any, without comments. */
function fieldsOf(text: string, comment: RegExp): string[][] {
  const lines = text.split('\n').map((line) => line.replace(comment, '').trim());
  return lines.filter((line) => line !== '').map((line) => line.split(/\s+/));
}
