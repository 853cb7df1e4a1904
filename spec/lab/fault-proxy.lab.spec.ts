import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Agent, type Dispatcher, request } from 'undici';
import { systemClock } from '../../lib/clock.ts';
import { eventually, HANG_LIMIT_MS } from '../support/eventually.ts';
import { type FaultProxy, type FaultRule, type KubeFault, kubeFaults, startFaultProxy } from './fault-proxy.ts';
import {
  type AttachedControlPlane,
  expectSuccess,
  sharedControlPlane,
  type TestNamespace,
  testNamespace,
} from './index.ts';
import { readKubeconfig } from './kubeconfig.ts';

/** A caller gives up after so many milliseconds where no answer is to come. */
const PATIENCE_MS = 400;

type Method = 'GET' | 'POST' | 'DELETE';

describe('the fault proxy', () => {
  let plane: AttachedControlPlane;
  let ns: TestNamespace;
  let proxy: FaultProxy;
  let agent: Agent;
  let path: string;
  let token: string;

  beforeEach(async () => {
    plane = sharedControlPlane();
    ns = await testNamespace(plane);
    proxy = await startFaultProxy(plane);
    agent = new Agent();
    path = `/api/v1/namespaces/${ns.name}/configmaps`;
    token = (await (await readKubeconfig(plane.kubeconfig)).token()) ?? '';
  });
  afterEach(async () => {
    await agent?.destroy();
    await proxy?.close();
    await ns?.remove();
  });

  const send = (
    method: Method,
    target: string,
    body?: object,
    signal?: AbortSignal,
  ): Promise<Dispatcher.ResponseData> => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const options = { method, headers, dispatcher: agent, body: body ? JSON.stringify(body) : null };
    return request(`${proxy.url}${target}`, { ...options, ...(signal && { signal }) });
  };
  const create = async (name: string) => (await send('POST', path, { metadata: { name } })).statusCode;
  const names = async () => {
    const { items } = expectSuccess(
      await plane.request<{ items: { metadata: { name: string } }[] }>('GET', path),
      path,
    );
    return items.map(({ metadata }) => metadata.name).filter((name) => name !== 'kube-root-ca.crt');
  };
  /** What the caller gets: a status, `silence` or the code of a network error; and whether the API server acted. */
  const outcome = async (
    method: Method,
    target: string,
    body?: object,
    patienceMs = HANG_LIMIT_MS,
  ): Promise<number | string> => {
    const signal = AbortSignal.timeout(patienceMs);
    try {
      const { statusCode, body: answer } = await send(method, target, body, signal);
      await answer.text();
      return statusCode;
    } catch (error) {
      return signal.aborted ? 'silence' : ((error as { code?: string }).code ?? 'error');
    }
  };
  const arm = (fault: KubeFault, rule: Partial<FaultRule> = {}) =>
    proxy.arm({ verb: 'create', resource: 'configmaps', fault, ...rule });

  test('passes requests and answers on, the login too, and tells which', async () => {
    expect(await create('one')).toBe(201);
    expect(await outcome('GET', `${path}?labelSelector=x`)).toBe(200);
    expect((await request(`${proxy.url}${path}/one`)).statusCode).toBe(403);
    const about = { at: expect.any(Number), resource: 'configmaps', namespace: ns.name, passed: true };
    expect(proxy.requests).toEqual([
      { ...about, verb: 'create', status: 201 },
      { ...about, verb: 'list', status: 200 },
      { ...about, verb: 'get', name: 'one', status: 403 },
    ]);
  });

  test.each<[KubeFault, (number | string)[], string[]]>([
    ['drop', ['silence', 201], ['two']],
    ['reset', ['ECONNRESET', 201], ['two']],
    ['reset-after', ['ECONNRESET', 201], ['one', 'two']],
    ['half-open', ['silence', 201], ['two']],
    ['401', [401, 401, 201], ['three']],
    ['403', [403, 201], ['two']],
    ['409', [409, 201], ['two']],
    ['410', [410, 201], ['two']],
    ['429', [429, 429, 201], ['three']],
    ['frozen', ['silence', 201], ['one', 'two']],
    ['kill-before', ['ECONNRESET', 201], ['two']],
    ['kill-applied', ['ECONNRESET', 201], ['one', 'two']],
    ['kill-after', [201, 201], ['one', 'two']],
  ])('%s acts on what was meant and leaves the next alone', async (fault, outcomes, made) => {
    const kills: KubeFault[] = [];
    arm(fault, { kill: async () => kills.push(fault) });
    const found = [];
    for (const [at, expected] of outcomes.entries()) {
      const metadata = { name: ['one', 'two', 'three'][at] };
      found.push(await outcome('POST', path, { metadata }, expected === 'silence' ? PATIENCE_MS : HANG_LIMIT_MS));
    }
    await eventually('the kill', () => kills.length === (fault.startsWith('kill') ? 1 : 0));
    expect({ found, made: await names() }).toEqual({ found: outcomes, made });
    expect(proxy.requests.map((one) => one.fault === fault)).toEqual(outcomes.map((_, at) => at < outcomes.length - 1));
  });

  test('5xx answers three requests, with 500, 503 and 504 in turn', async () => {
    arm('5xx');
    const codes = [];
    for (const name of ['one', 'two', 'three', 'four']) codes.push(await create(name));
    expect(codes).toEqual([500, 503, 504, 201]);
  });

  test.each<KubeFault>(['delay', 'slow-body'])('%s answers two seconds late', async (fault) => {
    arm(fault);
    const start = systemClock.monotonic();
    const { body } = await send('POST', path, { metadata: { name: 'one' } });
    expect(await body.json()).toMatchObject({ metadata: { name: 'one' } });
    expect(systemClock.monotonic() - start).toBeGreaterThan(1_500);
  });

  test('acts on the n-th request that matches name and condition, once', async () => {
    let isOpen = false;
    arm('403', { verb: 'get', name: 'one', nth: 2, when: () => isOpen });
    const get = (name: string) => outcome('GET', `${path}/${name}`);
    const codes = [await get('one')];
    isOpen = true;
    for (const name of ['one', 'two', 'one', 'one']) codes.push(await get(name));
    expect(codes).toEqual([404, 404, 404, 403, 404]);
  });

  test('does nothing any more once disarmed', async () => {
    arm('403');
    proxy.disarm();
    expect(await create('one')).toBe(201);
  });

  test('a stale answer shows the state of the version it was told', async () => {
    await create('old');
    const { metadata } = expectSuccess(
      await plane.request<{ metadata: { resourceVersion: string } }>('GET', path),
      path,
    );
    proxy.staleFrom(metadata.resourceVersion);
    await create('new');
    await send('DELETE', `${path}/old`);
    for (const verb of ['get', 'get', 'list'] as const) arm('stale', { verb });
    expect([await outcome('GET', `${path}/new`), await outcome('GET', `${path}/old`)]).toEqual([404, 200]);
    const { items } = (await (await send('GET', path)).body.json()) as { items: { metadata: { name: string } }[] };
    expect(items.map((item) => item.metadata.name).filter((name) => name !== 'kube-root-ca.crt')).toEqual(['old']);
    expect([await outcome('GET', `${path}/new`), await outcome('GET', `${path}/old`)]).toEqual([200, 404]);
  });

  describe('at a watch', () => {
    /** Names of the objects that a watch shows, as they come. */
    const watch = async (query = '') => {
      const { body } = await send('GET', `${path}?watch=true${query}`);
      const seen: string[] = [];
      const ended = (async () => {
        for await (const chunk of body.setEncoding('utf8')) {
          for (const line of String(chunk).split('\n').filter(Boolean)) {
            const { type, object } = JSON.parse(line) as {
              type: string;
              object: { metadata?: { name: string }; code?: number };
            };
            const name = object.metadata?.name ?? String(object.code);
            if (name !== 'kube-root-ca.crt') seen.push(`${type} ${name}`);
          }
        }
      })().catch((error: { code?: string }) => void seen.push(error.code ?? 'error'));
      return { seen, ended };
    };
    const armed = (fault: KubeFault, rule: Partial<FaultRule> = {}) => arm(fault, { verb: 'watch', ...rule });

    test.each<[KubeFault, string[]]>([
      ['lost-event', ['ADDED two', 'ADDED three']],
      ['duplicated-event', ['ADDED one', 'ADDED one', 'ADDED two', 'ADDED three']],
    ])('that runs, %s is about the next event that is meant', async (fault, expected) => {
      const { seen } = await watch();
      armed(fault, { isMeant: ({ metadata }) => metadata?.name === 'one' });
      for (const name of ['one', 'two', 'three']) await create(name);
      await eventually('the last event', () => seen.includes('ADDED three'));
      expect(seen).toEqual(expected);
      expect(proxy.requests[0]).toMatchObject({ verb: 'watch', fault });
    });

    test.each<KubeFault>(['frozen', 'half-open'])('that runs, %s stops it without a word', async (fault) => {
      const { seen } = await watch();
      armed(fault);
      await create('one');
      const other = await watch();
      await eventually('another watch to show it', () => other.seen.includes('ADDED one'));
      expect(seen).toEqual([]);
    });

    test('that runs, reset ends it', async () => {
      const { seen, ended } = await watch();
      armed('reset');
      await ended;
      expect(seen).toEqual(['ECONNRESET']);
    });

    test('that is to come, 410 is an event until the next list, and stale begins earlier', async () => {
      const { metadata } = expectSuccess(
        await plane.request<{ metadata: { resourceVersion: string } }>('GET', path),
        path,
      );
      await create('one');
      proxy.staleFrom(metadata.resourceVersion);
      armed('410');
      const refused = await watch();
      const again = await watch();
      await Promise.all([refused.ended, again.ended]);
      await send('GET', path).then(({ body }) => body.text());
      armed('stale');
      const stale = await watch('&resourceVersion=999999999');
      await eventually('an event of before', () => stale.seen.length > 0);
      expect([refused.seen, again.seen, stale.seen]).toEqual([['ERROR 410'], ['ERROR 410'], ['ADDED one']]);
    });
  });

  test('every fault is tried above', () => {
    const tried = 'delay drop reset reset-after half-open 401 403 409 410 429 5xx slow-body frozen stale';
    const more = 'lost-event duplicated-event kill-before kill-applied kill-after';
    expect(Object.keys(kubeFaults)).toEqual(expect.arrayContaining(`${tried} ${more}`.split(' ')));
    expect(Object.keys(kubeFaults)).toHaveLength(19);
  });
});
