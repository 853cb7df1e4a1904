import type { LookupAddress } from 'node:dns';
import { afterEach, describe, expect, test } from '@jest/globals';
import { createLogger } from '../../lib/log.ts';
import { Lookup } from '../../lib/net/lookup.ts';
import type { Address } from '../../lib/net/names.ts';
import type { Found } from '../../lib/net/resolver.ts';
import { ManualClock } from '../support/clock.ts';

const clockOf = () => new ManualClock();
const v4 = (address: string): Address => ({ address, family: 4 });
const absent = () => Object.assign(new Error(), { code: 'ENOTFOUND' });
const trouble = () => Object.assign(new Error(), { code: 'EAI_AGAIN' });

let clock = clockOf();
let lines: string[] = [];
afterEach(() => {
  clock = clockOf();
  lines = [];
});

/** A look-up whose questions the test answers. */
function setUp() {
  const asked: {
    host: string;
    signal: AbortSignal;
    give: (ip: string, ttlMs?: number) => void;
    fail: (e: Error) => void;
  }[] = [];
  const resolver = {
    local: (host: string) => (host === 'localhost' ? [v4('127.0.0.1')] : undefined),
    ask: (host: string, signal: AbortSignal) => {
      const { promise, resolve, reject } = Promise.withResolvers<Found>();
      asked.push({ host, signal, give: (ip, ttlMs = 60_000) => resolve({ addresses: [v4(ip)], ttlMs }), fail: reject });
      return promise;
    },
  };
  const log = createLogger({ destination: { write: (line) => lines.push(JSON.parse(line).msg) } });
  return { lookup: new Lookup({ clock, log, resolver }), asked };
}

const outcome = (found: Promise<Address[]>) =>
  found.then(
    (addresses) => addresses.map(({ address }) => address).join(),
    (error: { code: string }) => error.code,
  );

test('addresses and local names are no question', async () => {
  const { lookup, asked } = setUp();
  expect(await Promise.all(['192.0.2.1', '::1', 'localhost'].map((host) => lookup.addresses(host)))).toEqual([
    [v4('192.0.2.1')],
    [{ address: '::1', family: 6 }],
    [v4('127.0.0.1')],
  ]);
  expect(asked).toEqual([]);
});

test('a name is asked for once, however many want it, and then when its time is over', async () => {
  const { lookup, asked } = setUp();
  const both = [lookup.addresses('a.test'), lookup.addresses('a.test')].map(outcome);
  await clock.advance(0);
  asked[0]?.give('192.0.2.1', 30_000);
  expect(await Promise.all(both)).toEqual(['192.0.2.1', '192.0.2.1']);
  await clock.advance(29_999);
  expect([await outcome(lookup.addresses('a.test')), asked.length]).toEqual(['192.0.2.1', 1]);
  await clock.advance(1);
  const later = outcome(lookup.addresses('a.test'));
  asked[1]?.give('192.0.2.2');
  expect([await later, asked.length]).toEqual(['192.0.2.2', 2]);
});

test('a question that nobody answers ends with its deadline, and is not asked on', async () => {
  const { lookup, asked } = setUp();
  const result = outcome(lookup.addresses('a.test'));
  await clock.advance(5_999);
  expect(asked[0]?.signal.aborted).toBe(false);
  await clock.advance(1);
  expect([await result, asked[0]?.signal.aborted]).toEqual(['EAI_AGAIN', true]);
  expect(clock.pending).toBe(0);
});

test('a name that does not exist is not asked for again at once', async () => {
  const { lookup, asked } = setUp();
  const first = outcome(lookup.addresses('a.test'));
  await clock.advance(0);
  asked[0]?.fail(absent());
  expect([await first, await outcome(lookup.addresses('a.test')), asked.length]).toEqual(['ENOTFOUND', 'ENOTFOUND', 1]);
  await clock.advance(2_000);
  const next = outcome(lookup.addresses('a.test'));
  await clock.advance(0);
  asked[1]?.give('192.0.2.1');
  expect(await next).toBe('192.0.2.1');
});

describe('while name servers do not answer', () => {
  /** A look-up that found `a.test` once, whose time is over. */
  async function stale() {
    const { lookup, asked } = setUp();
    const first = lookup.addresses('a.test');
    await clock.advance(0);
    asked[0]?.give('192.0.2.1', 10_000);
    await first;
    await clock.advance(10_000);
    return { lookup, asked, ask: () => outcome(lookup.addresses('a.test')) };
  }

  test('the last known addresses come after a short wait, then at once, for a day; it is told once', async () => {
    const { asked, ask } = await stale();
    const waiting = ask();
    await clock.advance(499);
    expect(await Promise.race([waiting, 'waits'])).toBe('waits');
    await clock.advance(1);
    expect(await waiting).toBe('192.0.2.1');
    await clock.advance(5_500);
    expect([await ask(), asked.length]).toEqual(['192.0.2.1', 2]);
    await clock.advance(30_000);
    const again = ask();
    asked[2]?.fail(trouble());
    expect([await again, asked.length]).toEqual(['192.0.2.1', 3]);
    expect(lines).toEqual(['no name server answers, going on with the last known addresses']);
    await clock.advance(86_400_000);
    const late = ask();
    await clock.advance(6_000);
    expect(await late).toBe('EAI_AGAIN');
  });

  test('an answer that comes later takes their place', async () => {
    const { asked, ask } = await stale();
    const waiting = ask();
    await clock.advance(6_000);
    await clock.advance(30_000);
    const next = ask();
    await clock.advance(600);
    asked[2]?.give('192.0.2.9');
    expect([await waiting, await next, await ask(), asked.length]).toEqual(['192.0.2.1', '192.0.2.1', '192.0.2.9', 3]);
    expect(lines.at(-1)).toBe('name servers answer again');
  });

  test('they are gone when the name is', async () => {
    const { asked, ask } = await stale();
    const waiting = ask();
    asked[1]?.fail(absent());
    expect([await waiting, await ask()]).toEqual(['ENOTFOUND', 'ENOTFOUND']);
  });

  test('names that were never found do not hold them up, however many are asked for', async () => {
    const { asked, ask, lookup } = await stale();
    for (let n = 0; n < 100; n += 1) void outcome(lookup.addresses(`n${n}.z${n}.dead`));
    await clock.advance(0);
    expect(asked).toHaveLength(1 + 64);
    const waiting = ask();
    asked.at(-1)?.give('192.0.2.2');
    expect([await waiting, asked.at(-1)?.host]).toEqual(['192.0.2.2', 'a.test']);
  });
});

test('names of a zone that does not answer have a part of the places, and others are asked for at once', async () => {
  const { lookup, asked } = setUp();
  const dead = Array.from({ length: 30 }, (_, n) => outcome(lookup.addresses(`sts.r${n}.c2s.ic.gov`)));
  const good = outcome(lookup.addresses('sts.eu-west-1.amazonaws.com'));
  await clock.advance(0);
  expect(asked.map(({ host }) => host)).toEqual([
    ...Array.from({ length: 16 }, (_, n) => `sts.r${n}.c2s.ic.gov`),
    'sts.eu-west-1.amazonaws.com',
  ]);
  asked.at(-1)?.give('192.0.2.1');
  expect(await good).toBe('192.0.2.1');
  await clock.advance(6_000);
  expect(new Set(await Promise.all(dead))).toEqual(new Set(['EAI_AGAIN']));
});

test('a place that becomes free goes to the next of the zone', async () => {
  const { lookup, asked } = setUp();
  const all = Array.from({ length: 17 }, (_, n) => outcome(lookup.addresses(`n${n}.x.test`)));
  await clock.advance(0);
  expect(asked).toHaveLength(16);
  asked[3]?.fail(absent());
  await clock.advance(0);
  expect([await all[3], asked.at(-1)?.host]).toEqual(['ENOTFOUND', 'n16.x.test']);
});

test('a thousand names are kept at most: those that were used last', async () => {
  const { lookup, asked } = setUp();
  const find = async (host: string) => {
    const found = outcome(lookup.addresses(host));
    await clock.advance(0);
    asked.at(-1)?.give('192.0.2.1', 3_600_000);
    await found;
  };
  await find('first.test');
  await find('second.test');
  for (let n = 0; n < 998; n += 1) await find(`n${n}.test`);
  await find('first.test');
  await find('last.test');
  const before = asked.length;
  await find('first.test');
  expect(asked).toHaveLength(before);
  await find('second.test');
  expect(asked).toHaveLength(before + 1);
});

test('sockets are given what they ask for', async () => {
  const { lookup, asked } = setUp();
  const ask = (options: object) =>
    new Promise((resolve) => {
      lookup.forSockets('a.test', options, (error, address, family) => resolve(error ? error.code : [address, family]));
    });
  const all = ask({ all: true });
  await clock.advance(0);
  asked[0]?.give('192.0.2.1');
  const addresses: LookupAddress[] = [v4('192.0.2.1')];
  expect(await Promise.all([all, ask({}), ask({ family: 4 }), ask({ family: 'IPv6', all: true })])).toEqual([
    [addresses, undefined],
    ['192.0.2.1', 4],
    ['192.0.2.1', 4],
    'ENOTFOUND',
  ]);
});
