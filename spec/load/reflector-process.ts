// Follows the ConfigMaps of a namespace in a process of its own, where nothing else uses its time and memory, and prints one
// line of JSON. Arguments: what to do (`relist`, or a number of reconnections), namespace, server, file of its authority,
// token. Needs `node --expose-gc`.
import { KubeClient } from '../../lib/kube/client.ts';
import { loadConnection } from '../../lib/kube/connection.ts';
import { type KubeObject, type Resource, withoutManagedFields } from '../../lib/kube/objects.ts';
import { largestPage } from '../../lib/kube/page-size.ts';
import { Reflector } from '../../lib/kube/reflector.ts';
import { Store } from '../../lib/kube/store.ts';
import { createLogger } from '../../lib/log.ts';
import { createMetrics } from '../../lib/metrics.ts';
import { temporaryDirectory } from '../lab/guard.ts';
import { writeKubeconfig } from '../lab/kubeconfig.ts';
import { SkipClock } from '../support/clock.ts';
import { eventually, hangSignal } from '../support/eventually.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { holdings, watchHoldings } from './holdings.ts';

const configMaps: Resource = { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap', namespaced: true };
const [task = '', namespace = '', server = '', caFile = '', token = ''] = process.argv.slice(2);
const HOUR = 3_600_000;
/** The longest back-off. */
const PATIENCE_MS = 30_000;

const clock = new SkipClock();
const metrics = createMetrics();
const log = createLogger({ destination: { write: () => {} } });

/** A store with indexes and a transformation, as an operator has them. */
async function follow(address: string) {
  const directory = await temporaryDirectory('rolevend-reflector-');
  const kubeconfig = await writeKubeconfig(directory.path, { server: address, caFile }, { token });
  const connection = loadConnection({ kubeconfig, clock, log });
  const client = new KubeClient({ connection, clock, metrics });
  const indexes = { uid: uidOf, namespace: ({ metadata }: KubeObject) => [metadata.namespace ?? ''] };
  const store = new Store<KubeObject>({ indexes });
  const options = { client, clock, log, metrics, namespace, store, transform: withoutManagedFields };
  const reflector = new Reflector<KubeObject>({ ...options, resource: configMaps, onChange: () => {} });
  const end = new AbortController();
  const run = reflector.run(end.signal);
  const stop = async () => {
    end.abort();
    await run;
    await connection.close();
    await directory.remove();
  };
  await reflector.current(hangSignal());
  return { store, stop };
}

function uidOf({ metadata }: KubeObject): string[] {
  return [metadata.uid ?? ''];
}

/** How many lists and watches the server has answered. */
async function answers(): Promise<number> {
  const metric = await metrics.getSingleMetric('rest_client_requests_total')?.get();
  const good = metric?.values.filter(({ labels }) => labels['code'] === '200') ?? [];
  return good.reduce((sum, { value }) => sum + value, 0);
}

/** The longest time that the loop was held up, by the processor time that its thread used without a turn of anything else. */
function watchLoop(): () => number {
  let [longest, before] = [0, process.threadCpuUsage()];
  const timer = setInterval(() => {
    const { user, system } = process.threadCpuUsage(before);
    longest = Math.max(longest, user + system);
    before = process.threadCpuUsage();
  }, 1);
  return () => {
    clearInterval(timer);
    return longest / 1000;
  };
}

/** A first list, and a safety relist of the same an hour later. */
async function relist(): Promise<object> {
  const listed = watchLoop();
  const { store, stop } = await follow(server);
  const listBlockedMs = listed();
  // The first pages are smaller.
  const wanted = (await answers()) + Math.ceil(store.size / largestPage) + 4;
  const relisted = watchLoop();
  clock.skip(HOUR);
  // The watch is found dead first, since no bookmark came in that hour.
  const isDone = async () => {
    clock.skip(PATIENCE_MS);
    return (await answers()) >= wanted;
  };
  await eventually('the relist', isDone);
  const result = { objects: store.size, listBlockedMs, relistBlockedMs: relisted() };
  await stop();
  return result;
}

/** Loses its connection so many times, and tells what is held after the first half and at the end. */
async function reconnect(times: number): Promise<object> {
  watchHoldings();
  const proxy = await startTcpProxy(server);
  const { store, stop } = await follow(`https://127.0.0.1:${proxy.port}`);
  const lose = async (count: number) => {
    for (let n = 0; n < count; n += 1) {
      const before = await answers();
      proxy.reset();
      const isBack = async () => {
        clock.skip(PATIENCE_MS);
        return (await answers()) > before;
      };
      await eventually('the next watch', isBack);
    }
    return holdings(clock.pending);
  };
  const before = await lose(times / 2);
  const after = await lose(times / 2);
  const result = { objects: store.size, opened: proxy.opened, before, after };
  await stop();
  await proxy.stop();
  return result;
}

const result = task === 'relist' ? await relist() : await reconnect(Number(task));
process.stdout.write(`${JSON.stringify(result)}\n`);
