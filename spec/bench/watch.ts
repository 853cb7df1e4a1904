import { awsAssumeRoles } from '../../lib/api/aws-assume-role.ts';
import { systemClock as clock } from '../../lib/clock.ts';
import { type Resource, secrets } from '../../lib/kube/objects.ts';
import type { Cluster } from './cluster.ts';

const WATCH_S = 600;
const IDLE_MS = 120_000;

/** When things in a namespace were seen, by name, in milliseconds of the monotonic clock. */
export interface Seen {
  /** When a Secret was there. */
  secrets: ReadonlyMap<string, number>;
  /** When an object changed last. */
  statuses: ReadonlyMap<string, number>;
  /** Ends the watches. @throws what ended one of them before */
  end(): Promise<void>;
}

/**
 * Watches the Secrets and objects of a namespace, by metadata alone, so that watching costs as little as it can of the
 * cores that everything shares. An object changes only when its status is written.
 */
export async function watchNamespace(cluster: Cluster, namespace: string): Promise<Seen> {
  const stop = new AbortController();
  const follow = async (resource: Resource, type: 'ADDED' | 'MODIFIED') => {
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
    return { times, running };
  };
  const [ofSecrets, ofObjects] = [await follow(secrets, 'ADDED'), await follow(awsAssumeRoles, 'MODIFIED')];
  return {
    secrets: ofSecrets.times,
    statuses: ofObjects.times,
    async end() {
      stop.abort();
      await Promise.all([ofSecrets.running, ofObjects.running]);
    },
  };
}

/** A server ends a watch that lags behind; it goes on where it was. */
async function note(
  { client }: Cluster,
  resource: Resource,
  wanted: 'ADDED' | 'MODIFIED',
  times: Map<string, number>,
  options: Parameters<Cluster['client']['watch']>[1],
): Promise<void> {
  let { resourceVersion } = options;
  try {
    while (!options.signal.aborted) {
      for await (const { type, object } of client.watch(resource, { ...options, resourceVersion })) {
        resourceVersion = object.metadata.resourceVersion ?? resourceVersion;
        if (type === wanted) times.set(object.metadata.name, clock.monotonic());
      }
    }
  } catch (error) {
    if (!options.signal.aborted) throw error;
  }
}
