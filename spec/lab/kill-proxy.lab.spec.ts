import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { request } from 'undici';
import { type AttachedControlPlane, sharedControlPlane, type TestNamespace, testNamespace } from './index.ts';
import { type KillProxy, startKillProxy, type Verdict } from './kill-proxy.ts';
import { readKubeconfig } from './kubeconfig.ts';

describe('the kill proxy', () => {
  let plane: AttachedControlPlane;
  let ns: TestNamespace;
  let proxy: KillProxy;
  let path: string;

  beforeEach(async () => {
    plane = sharedControlPlane();
    ns = await testNamespace(plane);
    proxy = await startKillProxy(plane);
    path = `/api/v1/namespaces/${ns.name}/configmaps`;
  });
  afterEach(async () => {
    await proxy?.close();
    await ns?.remove();
  });

  const send = async (method: 'GET' | 'POST', target: string, body?: object) => {
    const token = await (await readKubeconfig(plane.kubeconfig)).token();
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    return request(`${proxy.url}${target}`, { method, headers, body: body ? JSON.stringify(body) : null });
  };
  const create = async (name: string) => (await send('POST', path, { metadata: { name } })).statusCode;
  const exists = async (name: string) => (await plane.request('GET', `${path}/${name}`)).status === 200;

  test('passes requests and answers on, the login too, and tells which', async () => {
    expect(await create('one')).toBe(201);
    const list = (await (await send('GET', `${path}?labelSelector=x`)).body.json()) as { items: unknown[] };
    expect(list.items).toEqual([]);
    expect((await request(`${proxy.url}${path}`)).statusCode).toBe(403);
    expect(proxy.passed).toEqual([
      { method: 'POST', path, status: 201 },
      { method: 'GET', path, status: 200 },
      { method: 'GET', path, status: 403 },
    ]);
  });

  test('passes a watch on as its events come, and ends it with its caller', async () => {
    const { body } = await send('GET', `${path}?watch=true&fieldSelector=metadata.name%3Done`);
    await plane.request('POST', path, { metadata: { name: 'one' } });
    const { value } = await body.setEncoding('utf8')[Symbol.asyncIterator]().next();
    expect(JSON.parse(String(value).split('\n')[0] ?? '')).toMatchObject({
      type: 'ADDED',
      object: { metadata: { name: 'one' } },
    });
    body.destroy();
  });

  test.each([
    ['before', 'cut', false, [false, false]],
    ['after', 'cut', false, [true, true]],
    ['before', 'pass', true, [false, true]],
    ['after', 'pass', true, [true, true]],
  ] as const)(
    'stops a request %s the API server and lets it %s',
    async (at, verdict, answered, [during, afterwards]) => {
      const seen: boolean[] = [];
      const run = async (): Promise<Verdict> => {
        seen.push(await exists('one'));
        return verdict;
      };
      proxy.stopAt({ method: 'POST', path: /\/configmaps$/, at, run });
      const outcome = await create('one').then(
        () => true,
        () => false,
      );
      expect({ outcome, seen, exists: await exists('one') }).toEqual({
        outcome: answered,
        seen: [during],
        exists: afterwards,
      });
      expect(await create('two')).toBe(201);
    },
  );

  test('stops the n-th request that matches, once', async () => {
    const stopped: string[] = [];
    const stopNth = (nth: number) => {
      const run = (): Verdict => {
        stopped.push(`request ${nth}`);
        return 'cut';
      };
      proxy.stopAt({ method: 'POST', path: /\/configmaps$/, nth, at: 'before', run });
    };
    stopNth(2);
    stopNth(3);
    const outcomes = [];
    for (const name of ['one', 'two', 'three', 'four']) outcomes.push(await create(name).catch(() => 'cut'));
    expect({ outcomes, stopped }).toEqual({ outcomes: [201, 'cut', 'cut', 201], stopped: ['request 2', 'request 3'] });
  });
});
