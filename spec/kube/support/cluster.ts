import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { V1ConfigMap } from '@kubernetes/client-node';
import { parse, stringify } from 'yaml';
import { type Clock, systemClock } from '../../../lib/clock.ts';
import { type ClientOptions, KubeClient } from '../../../lib/kube/client.ts';
import { type Connection, loadConnection } from '../../../lib/kube/connection.ts';
import type { BuiltIn, KubeObject, Resource } from '../../../lib/kube/objects.ts';
import { createLogger, type Logger } from '../../../lib/log.ts';
import { createMetrics, type Metrics } from '../../../lib/metrics.ts';
import type { AttachedControlPlane } from '../../lab/index.ts';
import { ManualClock } from '../../support/clock.ts';

export type ConfigMap = BuiltIn<V1ConfigMap>;

export const configMaps: Resource = {
  group: '',
  version: 'v1',
  plural: 'configmaps',
  kind: 'ConfigMap',
  namespaced: true,
};

export const customResourceDefinitions: Resource = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
};

/** A client with everything that it was made of. */
export interface TestClient {
  client: KubeClient;
  connection: Connection;
  metrics: Metrics;
  clock: Clock;
  log: Logger;
  /** What was logged. */
  lines: Record<string, unknown>[];
}

/** A client for the control plane, or for a proxy in front of it; `connection.close()` ends it. */
export async function clientFor(
  plane: AttachedControlPlane,
  options: Partial<ClientOptions> & { server?: string; kubeconfig?: string } = {},
): Promise<TestClient> {
  const { server, kubeconfig = plane.kubeconfig, ...rest } = options;
  const lines: Record<string, unknown>[] = [];
  const log = createLogger({ level: 'debug', destination: { write: (line) => lines.push(JSON.parse(line)) } });
  const [clock, metrics] = [options.clock ?? systemClock, createMetrics()];
  const path = server ? await kubeconfigFor(plane, server, kubeconfig) : kubeconfig;
  const connection = loadConnection({ kubeconfig: path, clock, log });
  return { client: new KubeClient({ connection, clock, metrics, ...rest }), connection, metrics, clock, log, lines };
}

/** The client of a test itself, for which no answer is too late: its clock stands still. */
export function patientClient(plane: AttachedControlPlane): Promise<TestClient> {
  return clientFor(plane, { clock: new ManualClock() });
}

export function configMap(namespace: string, name: string, data: Record<string, string> = {}): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name }, data };
}

/** A CRD with a status subresource that keeps every field. */
export function crd(group: string, plural: string, kind: string): KubeObject & { spec: object } {
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural, kind, singular: kind.toLowerCase() },
      versions: [{ name: 'v1', served: true, storage: true, schema, subresources: { status: {} } }],
    },
  };
}

export async function kubeconfigFor(
  plane: AttachedControlPlane,
  server: string,
  kubeconfig = plane.kubeconfig,
): Promise<string> {
  const config = parse(await readFile(kubeconfig, 'utf8')) as { clusters: { cluster: { server: string } }[] };
  for (const { cluster } of config.clusters) cluster.server = server;
  const path = join(plane.dir, `${randomUUID()}.kubeconfig`);
  await writeFile(path, stringify(config), { mode: 0o600 });
  return path;
}
