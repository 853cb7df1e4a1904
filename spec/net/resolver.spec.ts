import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { systemClock, withDeadline } from '../../lib/clock.ts';
import { createLogger } from '../../lib/log.ts';
import { Lookup } from '../../lib/net/lookup.ts';
import { Resolver, type ResolverOptions } from '../../lib/net/resolver.ts';
import { ManualClock } from '../support/clock.ts';
import { eventually } from '../support/eventually.ts';
import { type NameServer, startNameServer, type Zone } from '../support/name-server.ts';

let directory: string;
let server: NameServer | undefined;
const log = createLogger({ destination: { write() {} } });
const { signal } = new AbortController();

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rolevend-names-'));
});
afterEach(() => server?.stop());
afterAll(() => rm(directory, { recursive: true }));

async function file(name: string, text: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
  return path;
}

/** A machine with this name server, IPv4 alone and no search list unless told otherwise. */
async function machine(zones: Record<string, Zone>, options: Partial<ResolverOptions> = {}) {
  server = await startNameServer(zones);
  const none = join(directory, 'none');
  const given = { clock: systemClock, log, servers: [server.address], hostsFile: none, resolvConf: none };
  return { ...given, families: () => [4 as const], ...options };
}

const outcome = (found: Promise<{ addresses: { address: string }[] } | { address: string }[]>) =>
  found.then(
    (given) => (Array.isArray(given) ? given : given.addresses).map(({ address }) => address).join(),
    (error: { code?: string; name: string }) => error.code ?? error.name,
  );

test('a name has the addresses of its server, and their shortest time to live within bounds', async () => {
  const zones: Record<string, Zone> = {
    'a.test': { ipv4: ['192.0.2.1', '192.0.2.2'], ttl: 30 },
    'long.test': { ipv4: ['192.0.2.1'], ttl: 86_400 },
    'short.test': { ipv4: ['192.0.2.1'], ttl: 0 },
  };
  const resolver = new Resolver(await machine(zones));
  const [first, second] = [
    { address: '192.0.2.1', family: 4 },
    { address: '192.0.2.2', family: 4 },
  ];
  expect(await resolver.ask('a.test', signal)).toEqual({ addresses: [first, second], ttlMs: 30_000 });
  expect((await resolver.ask('long.test', signal)).ttlMs).toBe(300_000);
  expect((await resolver.ask('short.test', signal)).ttlMs).toBe(1_000);
});

test('both kinds of addresses are asked for, the preferred one first', async () => {
  const zones: Record<string, Zone> = {
    'a.test': { ipv4: ['192.0.2.1'], ipv6: 7 },
    'four.test': { ipv4: ['192.0.2.1'] },
    'six.test': { ipv6: 7 },
  };
  const resolver = new Resolver(await machine(zones, { families: () => [6, 4] }));
  const ask = (name: string) => outcome(resolver.ask(name, signal));
  expect([await ask('a.test'), await ask('four.test'), await ask('six.test'), await ask('no.test')]).toEqual([
    '::7,192.0.2.1',
    '192.0.2.1',
    '::7',
    'ENOTFOUND',
  ]);
});

test('one kind of addresses waits only a moment for the other', async () => {
  const clock = new ManualClock();
  const families = () => [6 as const, 4 as const];
  const resolver = new Resolver(
    await machine({ 'a.test': { ipv4: ['192.0.2.1'], ipv6: 'silent' } }, { clock, families }),
  );
  const asked = outcome(resolver.ask('a.test', signal));
  await eventually('the wait to begin', () => clock.pending === 1);
  await clock.advance(500);
  expect(await asked).toBe('192.0.2.1');
  // It would have been asked for once more.
  expect(server?.asked).toEqual(['AAAA a.test', 'A a.test']);
});

test('the search list is gone through until a name is there', async () => {
  const resolvConf = await file('pod.conf', 'search ns.svc.test svc.test\noptions ndots:5\n');
  const options = await machine({ 'db.svc.test': { ipv4: ['192.0.2.1'] }, 'sts.example': { ipv4: ['192.0.2.2'] } });
  const resolver = new Resolver({ ...options, resolvConf });
  expect([await outcome(resolver.ask('db', signal)), await outcome(resolver.ask('sts.example', signal))]).toEqual([
    '192.0.2.1',
    '192.0.2.2',
  ]);
  expect(server?.asked).toEqual([
    'A db.ns.svc.test',
    'A db.svc.test',
    'A sts.example.ns.svc.test',
    'A sts.example.svc.test',
    'A sts.example',
  ]);
});

test('a name of which a server could not tell whether it is there is not taken for absent', async () => {
  const resolvConf = await file('two.conf', 'search a.test b.test\n');
  const options = await machine({ 'x.a.test': 'fails', 'y.a.test': 'fails', 'y.b.test': { ipv4: ['192.0.2.1'] } });
  const resolver = new Resolver({ ...options, resolvConf });
  expect(await Promise.all(['x', 'y', 'z'].map((name) => outcome(resolver.ask(name, signal))))).toEqual([
    'EAI_AGAIN',
    '192.0.2.1',
    'ENOTFOUND',
  ]);
});

test('hosts file and search list are read again when they change', async () => {
  const clock = new ManualClock();
  const hostsFile = await file('hosts', '192.0.2.1 a.test\n');
  const resolvConf = await file('resolv.conf', 'search old.test\n');
  const options = await machine({ 'b.old.test': { ipv4: ['192.0.2.2'] }, 'b.new.test': { ipv4: ['192.0.2.3'] } });
  const resolver = new Resolver({ ...options, clock, hostsFile, resolvConf });
  expect([resolver.local('A.test'), await outcome(resolver.ask('b', signal))]).toEqual([
    [{ address: '192.0.2.1', family: 4 }],
    '192.0.2.2',
  ]);
  await file('hosts', '192.0.2.9 a.test\n');
  await file('resolv.conf', 'search new.test\n');
  await clock.advance(5_000);
  expect([resolver.local('a.test'), await outcome(resolver.ask('b', signal))]).toEqual([
    [{ address: '192.0.2.9', family: 4 }],
    '192.0.2.3',
  ]);
});

test('localhost is there without any file', async () => {
  const resolver = new Resolver(await machine({}));
  expect([resolver.local('localhost'), resolver.local('x.localhost.'), resolver.local('nolocalhost')]).toEqual([
    [
      { address: '127.0.0.1', family: 4 },
      { address: '::1', family: 6 },
    ],
    [
      { address: '127.0.0.1', family: 4 },
      { address: '::1', family: 6 },
    ],
    undefined,
  ]);
});

test('a question ends with its signal', async () => {
  const resolver = new Resolver(await machine({ '*.dead': 'silent' }));
  const stop = new AbortController();
  const asked = resolver.ask('sts.dead', stop.signal);
  stop.abort(new DOMException('', 'TimeoutError'));
  await expect(asked).rejects.toMatchObject({ name: 'TimeoutError' });
});

test('twelve names of a zone that does not answer hold up no other name', async () => {
  const options = await machine({ '*.c2s.ic.gov': 'silent', '*.amazonaws.com': { ipv4: ['192.0.2.1'] } });
  const lookup = new Lookup(options);
  let ended = 0;
  const dead = Array.from({ length: 12 }, async (_, n) => {
    const result = await outcome(lookup.addresses(`sts.us-iso-${n}.c2s.ic.gov`));
    ended += 1;
    return result;
  });
  const names = Array.from({ length: 18 }, (_, n) => `sts.r${n}.amazonaws.com`);
  const good = await withDeadline(systemClock, 60_000, undefined, () =>
    Promise.all(names.map((name) => outcome(lookup.addresses(name)))),
  );
  expect({ good: new Set(good), ended }).toEqual({ good: new Set(['192.0.2.1']), ended: 0 });
  expect(new Set(await Promise.all(dead))).toEqual(new Set(['EAI_AGAIN']));
});
