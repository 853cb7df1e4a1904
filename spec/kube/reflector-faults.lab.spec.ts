import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sleep, systemClock } from '../../lib/clock.ts';
import { keyOf } from '../../lib/kube/objects.ts';
import { Reflector } from '../../lib/kube/reflector.ts';
import { Store } from '../../lib/kube/store.ts';
import { type FaultProxy, type KubeFault, kubeFaults, startFaultProxy } from '../lab/fault-proxy.ts';
import { sharedControlPlane, testNamespace } from '../lab/index.ts';
import { SkipClock } from '../support/clock.ts';
import { hangSignal } from '../support/eventually.ts';
import { type ConfigMap, clientFor, configMap, configMaps, patientClient, type TestClient } from './support/cluster.ts';

const SECOND = 1_000;
/** A watch is dead after 75 s without a bookmark, and then opened anew. */
const NOTICED_MS = 90 * SECOND;
/** What no watch tells is found by the safety relist. */
const RELISTED_MS = 3_600 * SECOND + NOTICED_MS;
const STEP_MS = 5 * SECOND;
/** Real time that a step gets, for answers to come. */
const TURN_MS = 60;

const faults = (Object.keys(kubeFaults) as KubeFault[]).filter((fault) => !fault.startsWith('kill-'));
const cases = faults.flatMap((fault) => {
  const { verbs = ['list', 'watch'] } = kubeFaults[fault] as { verbs?: readonly string[] };
  return (['list', 'watch'] as const).filter((verb) => verbs.includes(verb)).map((verb) => ({ fault, verb }));
});
type Case = (typeof cases)[number];

interface Result {
  struck: number;
  held: ConfigMap[];
  there: ConfigMap[];
  tookMs: number;
}

/** Every fault that a list or a watch can have, each with a namespace and a reflector of its own, side by side. */
describe('a store', () => {
  const plane = sharedControlPlane();
  const cleanUps: (() => Promise<unknown>)[] = [];
  const running = new Map<Case, Promise<Result>>();
  let admin: TestClient;

  beforeAll(async () => {
    admin = await patientClient(plane);
    for (const one of cases) running.set(one, play(one));
    await Promise.allSettled(running.values());
  });
  afterAll(async () => {
    await Promise.allSettled(cleanUps.map((cleanUp) => cleanUp()));
    await admin?.connection.close();
  });

  async function play({ fault, verb }: Case): Promise<Result> {
    const ns = await testNamespace(plane);
    const clock = new SkipClock();
    const proxy = await startFaultProxy(plane, clock);
    cleanUps.push(() => Promise.all([ns.remove(), proxy.close()]));
    const create = (name: string) => admin.client.create(configMaps, configMap(ns.name, name));
    const [changed] = await Promise.all(['changed', 'deleted', 'kept', 'again'].map(create));
    const { metadata } = await admin.client.list(configMaps, { namespace: ns.name });
    proxy.staleFrom(metadata.resourceVersion);
    if (verb === 'list') arm(proxy, fault, verb);
    const { store, reflector } = await start(ns.name, proxy, clock);
    if (verb === 'watch') {
      await reflector.current(hangSignal());
      arm(proxy, fault, verb);
    }
    if (changed) await admin.client.replace(configMaps, { ...changed, data: { is: 'changed' } });
    for (const name of ['deleted', 'again']) await admin.client.delete(configMaps, { namespace: ns.name, name });
    await Promise.all(['again', 'new'].map(create));
    const there = async () => (await admin.client.list<ConfigMap>(configMaps, { namespace: ns.name })).items;
    const held = () => [...store.list()].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
    const versions = (objects: ConfigMap[]) => objects.map(({ metadata: m }) => `${m.uid} ${m.resourceVersion}`).join();
    const startedAt = clock.monotonic();
    const isEqual = async () => versions(held()) === versions(await there());
    for (let elapsed = 0; !(await isEqual()) && elapsed < RELISTED_MS; elapsed = clock.monotonic() - startedAt) {
      await sleep(systemClock, TURN_MS);
      clock.skip(Math.min(STEP_MS, clock.nextInMs ?? STEP_MS));
    }
    const struck = proxy.requests.filter((seen) => seen.fault === fault && seen.verb === verb).length;
    return { struck, held: held(), there: await there(), tookMs: clock.monotonic() - startedAt };
  }

  /** A fault that a watch can only have from its start hits the next one, so the present one is reset. */
  function arm(proxy: FaultProxy, fault: KubeFault, verb: Case['verb']): void {
    proxy.arm({ verb, resource: 'configmaps', fault });
    const struck = proxy.requests.some((seen) => seen.fault === fault);
    const isPending = !struck && !['lost-event', 'duplicated-event'].includes(fault);
    if (verb === 'watch' && isPending) proxy.arm({ verb, resource: 'configmaps', fault: 'reset' });
  }

  async function start(namespace: string, proxy: FaultProxy, clock: SkipClock) {
    const test = await clientFor(plane, { server: proxy.url, clock });
    const store = new Store<ConfigMap>();
    const reflector = new Reflector<ConfigMap>({ ...test, resource: configMaps, namespace, store });
    const end = new AbortController();
    const run = reflector.run(end.signal);
    cleanUps.unshift(async () => {
      end.abort();
      await run;
      await test.connection.close();
    });
    return { store, reflector };
  }

  it.each(cases)('equals the server after a $verb with the fault $fault', async (one) => {
    const { struck, held, there, tookMs } = await (running.get(one) as Promise<Result>);
    expect(struck).toBeGreaterThan(0);
    expect(held).toEqual(there);
    expect(tookMs).toBeLessThan(one.fault === 'lost-event' ? RELISTED_MS : NOTICED_MS);
  });

  it('is the right one to compare with', async () => {
    const [{ there }] = (await Promise.all(running.values())) as [Result];
    expect(there.map(({ metadata }) => metadata.name)).toEqual(['again', 'changed', 'kept', 'kube-root-ca.crt', 'new']);
  });
});
