import { systemClock as clock } from '../../lib/clock.ts';
import type { WatchEvent, WatchOptions } from '../../lib/kube/client.ts';
import type { Resource } from '../../lib/kube/objects.ts';
import type { Cluster } from './cluster.ts';

const WATCH_S = 600;
const IDLE_MS = 120_000;

/** When objects of a namespace were seen. */
export interface Seen {
  /** By name, in milliseconds of the monotonic clock; of several events the last. */
  times: ReadonlyMap<string, number>;
  /** Ends the watch. @throws what ended it before */
  end(): Promise<void>;
}

/**
 * Watches for events of one type from now on, by metadata alone, so that watching costs as little as it can of the cores
 * that everything shares.
 */
export async function watchNamespace(
  cluster: Cluster,
  namespace: string,
  resource: Resource,
  type: 'ADDED' | 'MODIFIED',
): Promise<Seen> {
  const stop = new AbortController();
  const times = new Map<string, number>();
  const opened = Promise.withResolvers<void>();
  const { metadata } = await cluster.client.list(resource, { namespace, limit: 1 });
  const running = note(cluster, resource, type, times, {
    namespace,
    resourceVersion: metadata.resourceVersion,
    metadataOnly: true,
    signal: stop.signal,
    timeoutSeconds: WATCH_S,
    idleMs: IDLE_MS,
    onOpen: () => opened.resolve(),
  });
  await Promise.race([opened.promise, running]);
  return {
    times,
    async end() {
      stop.abort();
      await running;
    },
  };
}

/** A server ends a watch that lags behind; it goes on where it was. */
async function note(
  { client }: Cluster,
  resource: Resource,
  wanted: 'ADDED' | 'MODIFIED',
  times: Map<string, number>,
  options: Omit<WatchOptions, 'onEvent'>,
): Promise<void> {
  let { resourceVersion } = options;
  const onEvent = ({ type, object }: WatchEvent) => {
    resourceVersion = object.metadata.resourceVersion ?? resourceVersion;
    if (type === wanted) times.set(object.metadata.name, clock.monotonic());
  };
  try {
    while (!options.signal.aborted) await client.watch(resource, { ...options, resourceVersion, onEvent });
  } catch (error) {
    if (!options.signal.aborted) throw error;
  }
}
