import { afterEach, describe, expect, it } from '@jest/globals';
import { KubeError } from '../../lib/kube/errors.ts';
import { Reflector, type ReflectorOptions } from '../../lib/kube/reflector.ts';
import { Store } from '../../lib/kube/store.ts';
import { createLogger } from '../../lib/log.ts';
import { createMetrics } from '../../lib/metrics.ts';
import { ManualClock } from '../support/clock.ts';
import { type ConfigMap, configMap, configMaps } from './support/cluster.ts';
import { ScriptedClient } from './support/scripted-client.ts';

const SECOND = 1_000;
const running: AbortController[] = [];

afterEach(() => {
  for (const end of running.splice(0)) end.abort();
});

describe('a reflector whose watches are cut', () => {
  it.each(['cut', 'ended', 'silent'] as const)(
    'opens one that is %s again and again at once, without a warning',
    async (how) => {
      const { client, clock, lines } = await watching();
      for (let turn = 1; turn <= 50; turn += 1) {
        await clock.advance(20 * SECOND);
        client.lastWatch.end(how);
        await clock.advance(0);
        expect(client.watches.length).toBe(turn + 1);
        client.lastWatch.open();
      }
      expect(client.lists.length).toBe(1);
      expect(lines.filter(({ level }) => level !== 'debug')).toEqual([]);
    },
  );

  it('goes on from the version that it had come to', async () => {
    const { client, clock, store } = await watching();
    client.lastWatch.onEvent({ type: 'ADDED', object: versioned('one', '12') });
    await clock.advance(20 * SECOND);
    client.lastWatch.end('cut');
    await clock.advance(0);
    expect(client.watches.map(({ resourceVersion }) => resourceVersion)).toEqual(['10', '12']);
    expect(store.size).toBe(1);
  });

  it('backs off when they are accepted and end at once', async () => {
    const { client, clock, lines } = await watching();
    const waits: unknown[] = [];
    for (let turn = 0; turn < 7; turn += 1) {
      client.lastWatch.open();
      client.lastWatch.end('cut');
      await clock.advance(0);
      waits.push(lines.at(-1)?.['retryInMs']);
      await clock.advance(clock.nextInMs ?? 0);
    }
    expect(waits).toEqual([800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000]);
    expect(client.watches.length).toBe(8);
  });

  it('starts no more than one a second when each tells something and ends', async () => {
    const { client, clock } = await watching();
    for (let turn = 11; turn < 21; turn += 1) {
      client.lastWatch.open();
      client.lastWatch.onEvent({ type: 'ADDED', object: versioned('one', `${turn}`) });
      client.lastWatch.end('cut');
      await clock.advance(999);
      expect(client.watches.length).toBe(turn - 10);
      await clock.advance(1);
    }
    expect(client.watches.length).toBe(11);
  });

  it('waits shortly again after a watch that lived, however it ended', async () => {
    const { client, clock, lines } = await watching();
    const waits: unknown[] = [];
    const fail = async () => {
      client.lastWatch.fail(refusal(500));
      await clock.advance(0);
      waits.push(lines.at(-1)?.['retryInMs']);
      await clock.advance(clock.nextInMs ?? 0);
    };
    for (let turn = 0; turn < 3; turn += 1) await fail();
    client.lastWatch.open();
    await clock.advance(5 * SECOND);
    await fail();
    expect(waits).toEqual([800, 1_600, 3_200, 800]);
  });

  it('counts the acceptance of a watch as a sign of life, where no events come', async () => {
    const { client, clock, reflector } = await watching();
    await clock.advance(70 * SECOND);
    client.lastWatch.end('cut');
    await clock.advance(0);
    expect(clock.monotonic() - reflector.lastEventAt).toBe(70 * SECOND);
    client.lastWatch.open();
    expect(clock.monotonic() - reflector.lastEventAt).toBe(0);
  });
});

describe('a reflector whose store is to be current', () => {
  it('trusts a watch that told something lately', async () => {
    const { clock, client, reflector } = await watching();
    await clock.advance(60 * SECOND);
    client.lastWatch.onEvent({ type: 'BOOKMARK', object: versioned('', '20') });
    await clock.advance(4_999);
    await reflector.current(AbortSignal.timeout(60_000));
    expect([client.lists.length, client.watches.length]).toEqual([1, 1]);
  });

  it('lists before it trusts a watch that was silent, and opens a new one', async () => {
    const { clock, client, reflector, store } = await watching();
    await clock.advance(5 * SECOND);
    const { isOver } = currentOf(reflector);
    await clock.advance(0);
    expect([client.lists.length, client.lastWatch.signal.aborted, isOver()]).toEqual([2, true, false]);
    client.lastList.answer({ items: [versioned('meanwhile', '30')], metadata: { resourceVersion: '30' } });
    await clock.advance(0);
    expect([client.lastWatch.resourceVersion, isOver()]).toEqual(['30', false]);
    client.lastWatch.open();
    await clock.advance(0);
    expect([isOver(), store.size]).toEqual([true, 1]);
  });

  it('lists as well where a watch was asked for and nothing has answered', async () => {
    const { clock, client, reflector } = await watching({ isOpen: false });
    await clock.advance(5 * SECOND);
    currentOf(reflector);
    await clock.advance(0);
    expect([client.lists.length, client.lastWatch.signal.aborted]).toEqual([2, true]);
  });

  it('waits for the watch after a list, where that is just being opened', async () => {
    const { clock, client, reflector } = await watching({ isOpen: false });
    const { isOver } = currentOf(reflector);
    await clock.advance(SECOND);
    client.lastWatch.open();
    await clock.advance(0);
    expect([isOver(), client.lists.length]).toEqual([true, 1]);
  });

  it('does not take what a watch tells while it is cut short for what the list has to tell', async () => {
    const { clock, client, reflector } = await watching();
    await clock.advance(5 * SECOND);
    const { signal, onEvent } = client.lastWatch;
    signal.addEventListener('abort', () => onEvent({ type: 'ADDED', object: versioned('late', '12') }));
    currentOf(reflector);
    await clock.advance(0);
    expect(client.lists.length).toBe(2);
  });

  it('goes on after 10 s of silence, but waits for a list whose pages come', async () => {
    const { clock, client, reflector } = await watching();
    await clock.advance(5 * SECOND);
    const { isOver } = currentOf(reflector);
    for (let page = 1; page <= 3; page += 1) {
      await clock.advance(9 * SECOND);
      client.lastList.answer({ items: [], metadata: { resourceVersion: '30', continue: `${page}` } });
      await clock.advance(0);
    }
    expect([client.lists.length, isOver()]).toEqual([5, false]);
    await clock.advance(9_999);
    expect(isOver()).toBe(false);
    await clock.advance(1);
    expect(isOver()).toBe(true);
  });

  it('goes on after a minute in any case', async () => {
    const { clock, client, reflector } = await watching();
    await clock.advance(5 * SECOND);
    const { isOver } = currentOf(reflector);
    for (let page = 1; page <= 11; page += 1) {
      await clock.advance(5 * SECOND);
      client.lastList.answer({ items: [], metadata: { resourceVersion: '30', continue: `${page}` } });
    }
    await clock.advance(4_999);
    expect(isOver()).toBe(false);
    await clock.advance(1);
    expect(isOver()).toBe(true);
  });
});

describe('a reflector whose pages are too large', () => {
  const tooLarge = () => new KubeError({ verb: 'list', resource: configMaps }, { status: 0, code: 'AnswerTooLarge' });

  it('asks for half of them, and for the whole number again with the next list', async () => {
    const { client, clock, store } = await watching({ pageSize: 10, relistIntervalMs: 60 * SECOND });
    await clock.advance(60 * SECOND);
    client.lastWatch.end('ended');
    await clock.advance(0);
    client.lastList.fail(tooLarge());
    await clock.advance(0);
    client.lastList.fail(tooLarge());
    await clock.advance(0);
    client.lastList.answer({ items: [versioned('one', '11')], metadata: { resourceVersion: '20', continue: 'more' } });
    await clock.advance(0);
    client.lastList.answer({ items: [versioned('two', '12')], metadata: { resourceVersion: '20' } });
    await clock.advance(0);
    client.lastWatch.open();
    await clock.advance(60 * SECOND);
    client.lastWatch.end('ended');
    await clock.advance(0);
    expect(client.lists.map(({ limit, continue: from }) => [limit, from])).toEqual([
      [10, undefined],
      [10, undefined],
      [5, undefined],
      [2, undefined],
      [2, 'more'],
      [10, undefined],
    ]);
    expect(store.size).toBe(2);
  });

  it('gives up where one object alone is too large', async () => {
    const { client, clock, lines } = await watching({ pageSize: 2, relistIntervalMs: 60 * SECOND });
    await clock.advance(60 * SECOND);
    client.lastWatch.end('ended');
    await clock.advance(0);
    client.lastList.fail(tooLarge());
    await clock.advance(0);
    client.lastList.fail(tooLarge());
    await clock.advance(0);
    expect(client.lists.map(({ limit }) => limit)).toEqual([2, 2, 1]);
    expect(lines.at(-1)?.['problem']).toMatch(/^AnswerTooLarge/);
  });
});

/** A reflector that has listed nothing and watches. */
async function watching({
  isOpen = true,
  ...options
}: Partial<ReflectorOptions<ConfigMap>> & { isOpen?: boolean } = {}) {
  const clock = new ManualClock();
  const client = new ScriptedClient();
  const store = new Store<ConfigMap>();
  const lines: Record<string, unknown>[] = [];
  const log = createLogger({ level: 'debug', destination: { write: (line) => lines.push(JSON.parse(line)) } });
  const parts = { client, clock, log, store, resource: configMaps, metrics: createMetrics(), random: () => 0 };
  const reflector = new Reflector<ConfigMap>({ ...parts, ...options });
  const end = new AbortController();
  running.push(end);
  void reflector.run(end.signal);
  client.lastList.answer({});
  await clock.advance(0);
  if (isOpen) client.lastWatch.open();
  return { clock, client, store, reflector, lines };
}

function currentOf(reflector: Reflector<ConfigMap>): { isOver(): boolean } {
  let isOver = false;
  void reflector.current(new AbortController().signal).then(() => {
    isOver = true;
  });
  return { isOver: () => isOver };
}

function versioned(name: string, resourceVersion: string): ConfigMap {
  const object = configMap('ns', name);
  return { ...object, metadata: { ...object.metadata, uid: `uid-${name}`, resourceVersion } };
}

function refusal(status: number, retryAfterMs?: number): KubeError {
  return new KubeError({ verb: 'watch', resource: configMaps }, { status, code: 'Trouble', retryAfterMs });
}
