import type { AWSAssumeRole } from '../../lib/api/aws-assume-role.ts';
import { awsAssumeRoles } from '../../lib/api/aws-assume-role.ts';
import { findCondition } from '../../lib/api/conditions.ts';
import { managedLabel } from '../../lib/api/names.ts';
import { systemClock as clock } from '../../lib/clock.ts';
import { KubeClient } from '../../lib/kube/client.ts';
import { loadConnection } from '../../lib/kube/connection.ts';
import { type KubeObject, namespaces, secrets } from '../../lib/kube/objects.ts';
import { Reflector } from '../../lib/kube/reflector.ts';
import { Store } from '../../lib/kube/store.ts';
import { createLogger } from '../../lib/log.ts';
import { createMetrics } from '../../lib/metrics.ts';

/** A client and caches of a benchmark. They record when things were seen, in milliseconds of the monotonic clock. */
export interface Cluster {
  client: KubeClient;
  /** By name of the object: when its Secret was first seen. */
  secretSeen: Map<string, number>;
  /** By name of the object: when it was first seen to be Ready. */
  readySeen: Map<string, number>;
  /** `uid resourceVersion` of every Secret that the operator manages, sorted. */
  secretVersions(): string[];
  close(): Promise<void>;
}

const log = createLogger({ level: 'error' });

/** Connects and watches the namespace, which is created. */
export async function openCluster(kubeconfig: string, namespace: string): Promise<Cluster> {
  const connection = loadConnection({ kubeconfig, clock, log });
  const metrics = createMetrics();
  const client = new KubeClient({ connection, clock, metrics });
  await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  const end = new AbortController();
  const secretSeen = new Map<string, number>();
  const readySeen = new Map<string, number>();
  const seen = (times: Map<string, number>, { metadata }: KubeObject) => {
    if (!times.has(metadata.name)) times.set(metadata.name, clock.monotonic());
  };
  const common = { client, clock, log, metrics, namespace };
  const secretStore = new Store<KubeObject>();
  const reflectors = [
    new Reflector<KubeObject>({
      ...common,
      resource: secrets,
      labelSelector: `${managedLabel}=true`,
      metadataOnly: true,
      store: secretStore,
      onChange: ({ object }) => seen(secretSeen, object),
    }),
    new Reflector<AWSAssumeRole>({
      ...common,
      resource: awsAssumeRoles,
      store: new Store<AWSAssumeRole>(),
      onChange: ({ object }) => {
        if (findCondition(object.status?.conditions, 'Ready')?.status === 'True') seen(readySeen, object);
      },
    }),
  ];
  const running = reflectors.map((reflector) => reflector.run(end.signal));
  await Promise.all(reflectors.map((reflector) => reflector.synced(end.signal)));
  return {
    client,
    secretSeen,
    readySeen,
    secretVersions: () => [...secretStore.list()].map(({ metadata: m }) => `${m.uid} ${m.resourceVersion}`).sort(),
    async close() {
      end.abort();
      await Promise.allSettled(running);
      await connection.close();
    },
  };
}

/** An object that asks for the role `app`. Its Secret has its name. */
export function objectOf(namespace: string, name: string): AWSAssumeRole {
  return {
    apiVersion: 'pincette.net/v1',
    kind: 'AWSAssumeRole',
    metadata: { name, namespace },
    spec: { roleName: 'app', secretName: name, secretType: 'Map', durationSeconds: 3600 },
  };
}

/** `prefix-0`, `prefix-1` and so on. */
export function namesOf(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
}
