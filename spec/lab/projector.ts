import { parseArgs } from 'node:util';
import { type Clock, sleep, systemClock } from '../../lib/clock.ts';
import { KubeApi } from './kube-api.ts';
import { payloadOf, project } from './projection.ts';

const INTERVAL_MS = 250;
const USAGE = 'usage: node spec/lab/projector.ts [--kubeconfig file] namespace/secret directory';

/** What to project and where. */
export interface ProjectorOptions {
  /** Kubeconfig of somebody who may get the Secret. */
  kubeconfig: string;
  namespace: string;
  name: string;
  /** Is made when it does not exist. */
  directory: string;
  /** Pause between two looks in milliseconds, default 250. A kubelet takes up to two minutes. */
  intervalMs?: number;
  clock?: Clock;
  /** Called after each change of the directory. */
  onChange?: () => void;
}

/** A projection that goes on. */
export interface Projector {
  /** Looks once and projects now; true when the directory changed. */
  sync(): Promise<boolean>;
  /** Ends it. The directory stays as it is. */
  stop(): Promise<void>;
}

/**
 * Keeps a directory equal to a Secret. Like a kubelet it leaves the last state where it is while the Secret is missing or
 * the API server does not answer.
 */
export async function startProjector(options: ProjectorOptions): Promise<Projector> {
  const { clock = systemClock, intervalMs = INTERVAL_MS } = options;
  const api = await KubeApi.of(options.kubeconfig);
  const ended = new AbortController();
  let last: Promise<unknown> = Promise.resolve();
  // One after the other: two at once would remove each other's directories.
  const sync = () => {
    const next = last.then(() => syncOnce(api, options, clock));
    last = next.catch(() => {});
    return next;
  };
  const loop = repeat(sync, clock, intervalMs, ended.signal);
  return {
    sync,
    async stop() {
      ended.abort();
      await loop;
      await api.close();
    },
  };
}

async function syncOnce(api: KubeApi, options: ProjectorOptions, clock: Clock): Promise<boolean> {
  const path = `/api/v1/namespaces/${options.namespace}/secrets/${options.name}`;
  const { status, body } = await api.request<{ data?: Record<string, string> }>('GET', path);
  if (status !== 200) return false;
  const changed = await project(payloadOf(body), options.directory, clock.now());
  if (changed) options.onChange?.();
  return changed;
}

async function repeat(sync: () => Promise<boolean>, clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    // A kubelet logs the error and tries again.
    await sync().catch(() => false);
    await sleep(clock, ms, signal).catch(() => {});
  }
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ options: { kubeconfig: { type: 'string' } }, allowPositionals: true });
  const [secret = '', directory = ''] = positionals;
  const [namespace = '', name = ''] = secret.split('/');
  const kubeconfig = values.kubeconfig ?? process.env.KUBECONFIG;
  if (!namespace || !name || !directory || !kubeconfig) {
    process.stderr.write(`${USAGE}\nThe kubeconfig may also be named by KUBECONFIG.\n`);
    process.exitCode = 2;
    return;
  }
  const onChange = () => process.stdout.write(`${directory}: a new state of ${secret}\n`);
  const projector = await startProjector({ kubeconfig, namespace, name, directory, onChange });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void projector.stop());
}

if (import.meta.main) await main();
