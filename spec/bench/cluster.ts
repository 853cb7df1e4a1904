import type { AWSAssumeRole } from '../../lib/api/aws-assume-role.ts';
import { systemClock as clock } from '../../lib/clock.ts';
import { KubeClient } from '../../lib/kube/client.ts';
import { loadConnection } from '../../lib/kube/connection.ts';
import { type KubeObject, namespaces } from '../../lib/kube/objects.ts';
import { createLogger } from '../../lib/log.ts';
import { createMetrics } from '../../lib/metrics.ts';
import type { ControlPlane } from '../lab/index.ts';

/** Creates at a time, of the operator's objects and of the bare loop. */
export const CONCURRENCY = 32;

/** The API server as the benchmark uses it. */
export interface Cluster {
  client: KubeClient;
  /** The writes that the API server has accepted so far, by anybody. */
  writes(): Promise<Writes>;
  /** Creates a namespace. */
  createNamespace(name: string): Promise<void>;
  close(): Promise<void>;
}

/** How often something was written, in whatever way. */
export interface Writes {
  secrets: number;
  /** Status of AWSAssumeRoles. */
  statuses: number;
}

/** Connects. */
export function openCluster(plane: ControlPlane): Cluster {
  const { client, close } = openClient(plane.kubeconfig);
  return {
    client,
    writes: async () => writesIn(String((await plane.request('GET', '/metrics')).body)),
    createNamespace: async (name) => {
      const namespace: KubeObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
      await client.create(namespaces, namespace);
    },
    close,
  };
}

/** A client alone. */
export function openClient(kubeconfig: string): Pick<Cluster, 'client' | 'close'> {
  const connection = loadConnection({ kubeconfig, clock, log: createLogger({ level: 'error' }) });
  const client = new KubeClient({ connection, clock, metrics: createMetrics() });
  return { client, close: () => connection.close() };
}

/** Reads the API server's own count of its requests. */
function writesIn(metrics: string): Writes {
  const writes = { secrets: 0, statuses: 0 };
  for (const [, labels = '', count] of metrics.matchAll(/^apiserver_request_total\{(.*)\} (\S+)$/gm)) {
    if (!/code="2\d\d"/.test(labels) || !/verb="(POST|PUT|PATCH|APPLY|DELETE)"/.test(labels)) continue;
    if (labels.includes('resource="secrets"')) writes.secrets += Number(count);
    if (labels.includes('resource="awsassumeroles"') && labels.includes('subresource="status"'))
      writes.statuses += Number(count);
  }
  return writes;
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
