import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type KubeObject, keyOf, type Resource } from '../../lib/kube/objects.ts';
import { Reflector, type ReflectorOptions } from '../../lib/kube/reflector.ts';
import { type Change, Store } from '../../lib/kube/store.ts';
import { type ControlPlane, startControlPlane, type TestNamespace, testNamespace } from '../lab/index.ts';
import { relist } from '../load/reflector.ts';
import { ManualClock, SkipClock } from '../support/clock.ts';
import { eventually, hangSignal } from '../support/eventually.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import {
  type ConfigMap,
  clientFor,
  configMap,
  configMaps,
  crd,
  customResourceDefinitions,
  patientClient,
  type TestClient,
} from './support/cluster.ts';

interface Watched<T extends KubeObject> extends TestClient {
  store: Store<T>;
  reflector: Reflector<T>;
  changes: Change<T>[];
  stop(): Promise<void>;
}

describe('a reflector', () => {
  let plane: ControlPlane;
  let namespace: TestNamespace;
  let proxy: TcpProxy;
  /** Straight to the server, past the proxy. */
  let direct: TestClient;
  const running: { stop(): Promise<void> }[] = [];

  beforeAll(async () => {
    plane = await startControlPlane({ name: 'reflector', crds: false, controllerManager: false });
    [proxy, direct] = await Promise.all([startTcpProxy(plane.server), patientClient(plane)]);
  });

  beforeEach(async () => {
    namespace = await testNamespace(plane);
  });

  afterEach(async () => {
    proxy.restore();
    await Promise.all(running.splice(0).map((watched) => watched.stop()));
  });

  afterAll(async () => {
    await direct?.connection.close();
    await proxy?.stop();
    await plane?.stop();
  });

  /** Starts a reflector for a namespace of its own, through the proxy. */
  async function start<T extends KubeObject = ConfigMap>(
    options: Partial<ReflectorOptions<T>> & { server?: string } = {},
    on: ControlPlane = plane,
  ): Promise<Watched<T>> {
    const { server = `https://127.0.0.1:${proxy.port}`, ...rest } = options;
    const test = await clientFor(on, { server });
    const store = new Store<T>();
    const changes: Change<T>[] = [];
    const onChange = (change: Change<T>) => {
      const held = store.get(keyOf(change.object));
      if (change.type !== 'deleted') expect(held).toBe(change.object);
      changes.push(change);
    };
    const reflector = new Reflector<T>({
      resource: configMaps,
      namespace: namespace.name,
      ...test,
      store,
      onChange,
      ...rest,
    });
    const end = new AbortController();
    const run = reflector.run(end.signal);
    const stop = async () => {
      end.abort();
      await run;
      await test.connection.close();
    };
    running.push({ stop });
    return { ...test, store, reflector, changes, stop };
  }

  const create = (name: string, data = {}) => direct.client.create(configMaps, configMap(namespace.name, name, data));
  const remove = (name: string) => direct.client.delete(configMaps, { namespace: namespace.name, name });
  const change = async (name: string, data: Record<string, string>) => {
    const object = await direct.client.get<ConfigMap>(configMaps, { namespace: namespace.name, name });
    return direct.client.replace(configMaps, { ...object, data });
  };

  /** Waits until the store holds what the server holds, and gives the names. */
  async function equal<T extends KubeObject>(store: Store<T>, resource: Resource = configMaps): Promise<string[]> {
    return eventually('the store to equal the server', async () => {
      const { items } = await direct.client.list<T>(resource, { namespace: namespace.name });
      const held = [...store.list()].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
      expect(held).toEqual(items);
      return items.map(({ metadata }) => metadata.name);
    });
  }

  const told = (changes: Change<KubeObject>[]) => changes.map(({ type, object }) => `${type} ${object.metadata.name}`);

  describe('of a namespace', () => {
    it('holds what was there before, and follows what happens', async () => {
      await create('old');
      const { store, reflector, changes } = await start();
      await reflector.synced(hangSignal());
      expect(store.size).toBe(1);
      await create('new');
      await change('old', { a: '1' });
      await remove('new');
      await eventually('the deletion', () => changes.length === 4);
      expect(told(changes)).toEqual(['added old', 'added new', 'modified old', 'deleted new']);
      expect(await equal(store)).toEqual(['old']);
    });

    it('lists and watches the metadata only, when told so', async () => {
      await create('old', { secret: 'value' });
      const { store, reflector, changes } = await start({ metadataOnly: true });
      await reflector.synced(hangSignal());
      await create('new', { secret: 'value' });
      await eventually('both', () => changes.length === 2);
      const kinds = [...store.list()].map(({ kind, metadata, ...rest }) => [metadata.name, kind, Object.keys(rest)]);
      expect(kinds).toEqual([
        ['old', 'PartialObjectMetadata', ['apiVersion']],
        ['new', 'PartialObjectMetadata', ['apiVersion']],
      ]);
    });

    it('keeps what a transformation leaves', async () => {
      await create('old', { big: 'value' });
      const transform = ({ data: _, ...rest }: ConfigMap): ConfigMap => rest;
      const { store, reflector, changes } = await start({ transform });
      await reflector.synced(hangSignal());
      await create('new', { big: 'value' });
      await eventually('both', () => changes.length === 2);
      expect([...store.list()].map(({ data }) => data)).toEqual([undefined, undefined]);
    });

    it('lists objects that are large in small pages', async () => {
      await Promise.all(Array.from({ length: 30 }, (_, n) => create(`large-${n}`, { text: 'x'.repeat(250_000) })));
      const test = await clientFor(plane);
      const client = Object.create(test.client) as typeof test.client;
      const limits: number[] = [];
      client.page = (resource, options) => {
        limits.push(options.limit);
        return test.client.page(resource, options);
      };
      const { store, reflector } = await start({ client });
      await reflector.synced(hangSignal());
      expect({ limits, objects: store.size }).toEqual({ limits: [10, 8, 8, 8], objects: 30 });
      await test.connection.close();
    });

    it('sees only what has the label', async () => {
      const { store, reflector, changes } = await start({ labelSelector: 'team=red' });
      await reflector.synced(hangSignal());
      const labelled = { ...configMap(namespace.name, 'red') };
      const made = await direct.client.create(configMaps, {
        ...labelled,
        metadata: { ...labelled.metadata, labels: { team: 'red' } },
      });
      await create('none');
      await eventually('the labelled one', () => store.size === 1);
      await direct.client.replace(configMaps, { ...made, metadata: { ...made.metadata, labels: {} } });
      await eventually('it to go', () => store.size === 0);
      expect(told(changes)).toEqual(['added red', 'deleted red']);
    });

    it('learns what was created, changed and deleted while its watch was down', async () => {
      await Promise.all([create('kept'), create('changed'), create('deleted'), create('again')]);
      const { store, reflector, changes } = await start();
      await reflector.synced(hangSignal());
      changes.length = 0;
      proxy.cut();
      await change('changed', { a: '1' });
      await remove('deleted');
      await create('created');
      await remove('again');
      await create('again');
      proxy.restore();
      await eventually('all of it', () => changes.length === 5);
      expect(told(changes)).toEqual([
        'modified changed',
        'deleted deleted',
        'added created',
        'deleted again',
        'added again',
      ]);
      expect(await equal(store)).toEqual(['again', 'changed', 'created', 'kept']);
    });

    it('notices a watch that is dead without a word', async () => {
      const { store, reflector, lines } = await start({ idleMs: 1_000 });
      await reflector.synced(hangSignal());
      await create('first');
      await eventually('the watch to work', () => store.size === 1);
      proxy.freeze();
      await create('second');
      await eventually('the idle watch to be given up', () => lines.length > 0);
      proxy.restore();
      expect(await equal(store)).toEqual(['first', 'second']);
      expect(lines[0]).toMatchObject({
        level: 'debug',
        how: 'silent',
        problem: `Unreachable: watch configmaps ${namespace.name}: Unreachable: nothing came for 1000 ms`,
      });
    });

    it('opens its watch again at once behind a load balancer that cuts what is quiet', async () => {
      const clock = new SkipClock();
      const { store, reflector, lines, metrics } = await start({ clock });
      await reflector.current(hangSignal());
      for (let turn = 0; turn < 6; turn += 1) {
        const before = await requests(metrics);
        clock.skip(20_000);
        proxy.reset();
        await eventually('the next watch', async () => (await requests(metrics)) > before);
      }
      await create('late');
      expect(await equal(store)).toEqual(['late']);
      expect(lines.map(({ level, how }) => `${level} ${how}`)).toEqual(Array(6).fill('debug cut'));
    });

    it('leaves a watch alone while anything comes', async () => {
      const clock = new SkipClock();
      const { store, reflector, lines, metrics } = await start({ clock, idleMs: 120_000 });
      await reflector.synced(hangSignal());
      for (let turn = 1; turn <= 8; turn += 1) {
        clock.skip(30_000);
        await create(`object-${turn}`);
        await eventually('the object', () => store.size === turn);
      }
      expect(lines).toEqual([]);
      expect(await requests(metrics)).toBe(2);
    });

    it('goes on where it was when the server ends a watch in time', async () => {
      const { store, reflector, changes, metrics } = await start({ watchSeconds: 1, random: () => 0.5 });
      await reflector.synced(hangSignal());
      await eventually('some watches', async () => (await requests(metrics)) >= 4);
      await create('late');
      await eventually('the change', () => changes.length === 1);
      expect(await equal(store)).toEqual(['late']);
    });

    it('finds nothing missed in safety relists of a healthy watch', async () => {
      const { store, reflector, metrics } = await start({ relistIntervalMs: 300 });
      await reflector.synced(hangSignal());
      for (let turn = 0; turn < 10; turn += 1) await create(`object-${turn}`);
      await eventually('some relists', async () => (await requests(metrics)) >= 8);
      await equal(store);
      expect(metrics.getSingleMetric('reflector_missed_events_total')).toBeUndefined();
    });

    it('repairs and counts in a safety relist what the store had wrong', async () => {
      await create('real');
      const { store, reflector, metrics } = await start({ relistIntervalMs: 1_500 });
      await reflector.synced(hangSignal());
      store.apply({ type: 'ADDED', object: { ...configMap(namespace.name, 'ghost') } });
      const real = store.get(`${namespace.name}/real`) as ConfigMap;
      store.apply({ type: 'DELETED', object: real });
      expect(await equal(store)).toEqual(['real']);
      expect(await metrics.getMetricsAsJSON()).toContainEqual(
        expect.objectContaining({
          name: 'reflector_missed_events_total',
          values: [{ labels: { resource: 'configmaps' }, value: 2 }],
        }),
      );
    });

    it('waits for a kind that is not there yet, and lists anew when it comes back', async () => {
      const widgets = { group: 'late.example', version: 'v1', plural: 'widgets', kind: 'Widget', namespaced: true };
      const { store, reflector } = await start<KubeObject>({ resource: widgets });
      const definition = crd('late.example', 'widgets', 'Widget');
      const ref = { name: definition.metadata.name };
      const apply = async (name: string) => {
        await direct.client.create(customResourceDefinitions, definition);
        const widget = { apiVersion: 'late.example/v1', kind: 'Widget', metadata: { namespace: namespace.name, name } };
        await eventually('the kind to be served', () => direct.client.create(widgets, widget));
      };
      expect(reflector.hasSynced).toBe(false);
      await apply('one');
      await reflector.synced(hangSignal());
      expect(await equal(store, widgets)).toEqual(['one']);
      await direct.client.delete(customResourceDefinitions, ref);
      await eventually('the kind to go', () =>
        direct.client.get(customResourceDefinitions, ref).then(
          () => false,
          () => true,
        ),
      );
      await apply('two');
      expect(await equal(store, widgets)).toEqual(['two']);
    });

    it('is current again at once after trouble, when somebody waits for that', async () => {
      const clock = new ManualClock();
      const { store, reflector, lines } = await start({ clock, random: () => 0.9 });
      await reflector.current(hangSignal());
      proxy.cut();
      await create('meanwhile');
      const isPatient = () => Number(lines.at(-1)?.['retryInMs']) === 30_000;
      await eventually('the longest wait', async () => {
        if (!isPatient()) await clock.advance(15_000);
        return isPatient();
      });
      proxy.restore();
      // Time stands still, so that nothing comes because a wait is over.
      await reflector.current(hangSignal());
      expect([...store.list()].map(({ metadata }) => metadata.name)).toEqual(['meanwhile']);
    });

    it('goes on after 10 s with what it knows when no watch comes about', async () => {
      const clock = new SkipClock();
      const { reflector, lines } = await start({ clock });
      await reflector.current(hangSignal());
      proxy.cut();
      let isOver = false;
      await eventually('the watch to be cut', () => lines.length > 0);
      const waiting = reflector.current(hangSignal()).then(() => {
        isOver = true;
      });
      await new Promise((resolve) => setImmediate(resolve));
      // Timers run in the order of their times, so that this one finds what is so before the ten seconds are over.
      const earlier = Promise.withResolvers<boolean>();
      clock.after(9_000, () => earlier.resolve(isOver));
      clock.skip(9_000);
      expect(await earlier.promise).toBe(false);
      clock.skip(1_000);
      await waiting;
    });

    it('stops when told so, also before it has synced', async () => {
      proxy.cut();
      const { reflector, stop } = await start();
      const waiting = reflector.synced(AbortSignal.timeout(200));
      await expect(waiting).rejects.toMatchObject({ name: 'TimeoutError' });
      await stop();
    });
  });

  describe('of a server that forgets or restarts', () => {
    it('lists anew after a compaction', async () => {
      await Promise.all([create('kept'), create('deleted')]);
      const { store, reflector, changes, lines } = await start();
      await reflector.synced(hangSignal());
      changes.length = 0;
      proxy.cut();
      await remove('deleted');
      await create('created');
      await plane.compact();
      proxy.restore();
      expect(await equal(store)).toEqual(['created', 'kept']);
      expect(lines).toContainEqual(
        expect.objectContaining({ problem: expect.stringContaining('410 Expired'), next: 'list' }),
      );
      expect(told(changes).sort()).toEqual(['added created', 'deleted deleted']);
    });

    it('equals the server after the API server was restarted', async () => {
      await Promise.all([create('kept'), create('deleted')]);
      const { store, reflector } = await start();
      await reflector.synced(hangSignal());
      await plane.stopApiServer();
      await plane.startApiServer();
      await remove('deleted');
      await create('created');
      expect(await equal(store)).toEqual(['created', 'kept']);
    });

    it('of two clusters in one process follows each on its own', async () => {
      const other = await startControlPlane({ name: 'other', crds: false, controllerManager: false });
      try {
        const there = await clientFor(other);
        await there.client.create(
          { ...configMaps, plural: 'namespaces', namespaced: false },
          namespaceObject(namespace.name),
        );
        const [here, far] = await Promise.all([start(), start({ server: other.server }, other)]);
        await Promise.all([here, far].map(({ reflector }) => reflector.synced(hangSignal())));
        await there.client.create(configMaps, configMap(namespace.name, 'there'));
        await create('here');
        await eventually('both changes', () => here.changes.length === 1 && far.changes.length === 1);
        expect([told(here.changes), told(far.changes)]).toEqual([['added here'], ['added there']]);
        await far.stop();
        await there.connection.close();
      } finally {
        await other.stop();
      }
    });
  });

  describe('of 10,000 objects', () => {
    it('lists them, and lists them again, without holding up the process for more than 50 ms', async () => {
      await createMany(10_000);
      const { objects, ...blocked } = await relist(plane, namespace.name);
      console.info(`10,000 objects: ${JSON.stringify(blocked)}`);
      expect(objects).toBe(10_000);
      expect(blocked.listBlockedMs).toBeLessThan(50);
      expect(blocked.relistBlockedMs).toBeLessThan(50);
    });

    it('lists from the start again when the list is compacted away in the middle', async () => {
      await createMany(30);
      let compactions = 0;
      const test = await clientFor(plane);
      const client = Object.create(test.client) as typeof test.client;
      client.page = async (resource, options) => {
        if (options.continue && compactions++ === 0) {
          await remove('object-0');
          await plane.compact();
        }
        return test.client.page(resource, options);
      };
      const { store, reflector } = await start({ client, pageSize: 10 });
      await reflector.synced(hangSignal());
      expect(await equal(store)).toHaveLength(29);
      await test.connection.close();
    });

    async function createMany(count: number): Promise<void> {
      const names = Array.from({ length: count }, (_, index) => `object-${index}`);
      const worker = async () => {
        for (let name = names.pop(); name; name = names.pop()) await create(name, { text: 'x'.repeat(300) });
      };
      await Promise.all(Array.from({ length: 32 }, worker));
    }
  });
});

function namespaceObject(name: string): KubeObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
}

async function requests(metrics: TestClient['metrics']): Promise<number> {
  const [metric] = (await metrics.getMetricsAsJSON()).filter(({ name }) => name === 'rest_client_requests_total');
  return metric?.values.reduce((sum, { value }) => sum + value, 0) ?? 0;
}
