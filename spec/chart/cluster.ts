import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseDocument, stringify } from 'yaml';
import { awsAssumeRoleKind, customResourceDefinition } from '../../lib/api/crd.ts';
import type { AttachedControlPlane } from '../lab/index.ts';
import { eventually, HANG_LIMIT_MS } from '../support/eventually.ts';
import { CHART, type HelmVersion, helm, NAMESPACE, RELEASE } from './support.ts';

const CRD = 'customresourcedefinitions/awsassumeroles.pincette.net';
const OLD_FIELDS = ['roleName', 'secretName', 'secretType', 'durationSeconds', 'ecrRepositoryUrl'];

/** The definition as operators before this one have it: the five fields of then, and a status of any form. */
export function legacyDefinition(): object {
  const crd = structuredClone(customResourceDefinition(awsAssumeRoleKind)) as {
    spec: { versions: { schema: { openAPIV3Schema: { properties: Record<string, object> } } }[] };
  };
  const [version] = crd.spec.versions;
  const { spec } = (version?.schema.openAPIV3Schema.properties ?? {}) as { spec: { properties: object } };
  const kept = Object.entries(spec.properties).filter(([name]) => OLD_FIELDS.includes(name));
  const properties = {
    spec: { type: 'object', properties: Object.fromEntries(kept) },
    status: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
  };
  const schema = { openAPIV3Schema: { type: 'object', properties } };
  return { ...crd, spec: { ...crd.spec, versions: [{ ...version, schema }] } };
}

/** Makes a chart in this directory that has the definition of before among its templates, as such charts do. */
export async function writeLegacyChart(directory: string, ...others: object[]): Promise<void> {
  await mkdir(join(directory, 'templates'));
  const documents = [legacyDefinition(), ...others].map((object) => stringify(object));
  await writeFile(join(directory, 'templates', 'all.yaml'), documents.join('---\n'));
  await writeFile(join(directory, 'Chart.yaml'), stringify({ apiVersion: 'v2', name: 'legacy', version: '1.0.0' }));
}

/** Makes a copy of the chart in this directory whose AWSAssumeRole has the fields of before. */
export async function writeOlderChart(directory: string): Promise<void> {
  await cp(CHART, directory, { recursive: true });
  const file = join(directory, 'files/crds/pincette.net_awsassumeroles.yaml');
  const definition = parseDocument(await readFile(file, 'utf8'));
  definition.set('spec', (legacyDefinition() as { spec: object }).spec);
  await writeFile(file, definition.toString());
}

/** Runs kubectl as administrator and gives what it prints. Throws what it says where it fails. */
export async function kubectl(cluster: AttachedControlPlane, ...args: string[]): Promise<string> {
  const { stdout, stderr, code } = await cluster.kubectl(...args);
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** A field that only our definition has: an API server with another one drops it without a word. */
const NEW_FIELD = { externalId: 'kept' };

/** Makes an object with a new field. Gives whether the API server stored it. */
export async function storesNewField(cluster: AttachedControlPlane, name: string): Promise<boolean> {
  return eventually('the definition to be served', async () => {
    const { status, body } = await postWithNewField(cluster, name);
    // Wrapped, since "not stored" is an answer too.
    return status === 201 ? { isStored: body.spec?.externalId === NEW_FIELD.externalId } : undefined;
  }).then(({ isStored }) => isStored);
}

/** Waits until the API server, which takes a moment for a changed definition, would store a new field. */
export async function knowsNewField(cluster: AttachedControlPlane): Promise<void> {
  await eventually('the new definition to be served', async () => {
    const { body } = await postWithNewField(cluster, 'trial', '?dryRun=All');
    return body.spec?.externalId === NEW_FIELD.externalId;
  });
}

function postWithNewField(cluster: AttachedControlPlane, name: string, query = '') {
  const path = `/apis/pincette.net/v1/namespaces/default/awsassumeroles${query}`;
  const spec = { roleArn: 'arn:aws:iam::444455556666:role/x', secretName: name, secretType: 'Map', ...NEW_FIELD };
  const object = { apiVersion: 'pincette.net/v1', kind: 'AWSAssumeRole', metadata: { name }, spec };
  return cluster.request<{ spec?: { externalId?: string } }>('POST', path, object);
}

/** Whether the definition goes with the release or stays. */
export async function keepsDefinition(cluster: AttachedControlPlane): Promise<boolean> {
  const annotation = 'jsonpath={.metadata.annotations.helm\\.sh/resource-policy}';
  return (await kubectl(cluster, 'get', CRD, '--output', annotation)) === 'keep';
}

/** Leaves nothing of a test in the cluster but its namespaces. */
export async function clear(cluster: AttachedControlPlane, version: HelmVersion): Promise<void> {
  await helm(version, cluster, 'uninstall', RELEASE, 'legacy', '--ignore-not-found');
  // Objects first: a definition that has some goes only once the API server has found them gone, which it asks every 5 s for
  // a minute, and then again. A kind that is not there is no trouble.
  for (const kind of ['awsassumeroles', 'rolegrants'])
    await cluster.kubectl('delete', kind, '--all', '--all-namespaces');
  await kubectl(cluster, 'delete', 'crds', '--all', `--timeout=${HANG_LIMIT_MS / 1000}s`);
  await kubectl(cluster, 'delete', 'clusterroles,clusterrolebindings', '--selector=helm.sh/chart');
}

/** `helm install` or `helm upgrade` of README.md. Gives the notes. */
export function install(version: HelmVersion, cluster: AttachedControlPlane, ...args: string[]): Promise<string> {
  return helm(version, cluster, 'install', RELEASE, CHART, '--create-namespace', ...args);
}

/** As README.md says it, with the values of before. */
export function upgrade(version: HelmVersion, cluster: AttachedControlPlane, ...args: string[]): Promise<string> {
  return helm(version, cluster, 'upgrade', RELEASE, CHART, '--reset-then-reuse-values', ...args);
}

/** Names of the RoleGrants, each with its uid. */
export async function grants(cluster: AttachedControlPlane): Promise<string> {
  const output = 'jsonpath={range .items[*]}{.metadata.name} {.metadata.uid} {end}';
  return (await kubectl(cluster, 'get', 'rolegrants', '--output', output)).trim();
}

/** Lets the namespace of the release accept only Pods that meet the restricted standard. */
export async function enforceRestricted(cluster: AttachedControlPlane): Promise<void> {
  const label = 'pod-security.kubernetes.io/enforce=restricted';
  await kubectl(cluster, 'label', 'namespace', NAMESPACE, label, '--overwrite');
}
