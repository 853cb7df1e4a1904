import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { sleep, systemClock } from '../../lib/clock.ts';
import { HANG_LIMIT_MS } from '../support/eventually.ts';
import { expectSuccess } from './attach.ts';
import type { KubeApi } from './kube-api.ts';

/** Where the project's own CRDs are. */
export const PROJECT_CRDS = fileURLToPath(new URL('../../manifests/crds', import.meta.url));

const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const BINDINGS = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings';
const POLL_MS = 25;

interface Crd {
  metadata: { name: string };
  status?: { conditions?: { type: string; status: string }[] };
}

/** Lets anybody read the issuer's discovery documents, as a cloud reads them. */
export async function openDiscovery(request: KubeApi['request']): Promise<void> {
  const binding = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: 'lab:issuer-discovery' },
    roleRef: {
      apiGroup: 'rbac.authorization.k8s.io',
      kind: 'ClusterRole',
      name: 'system:service-account-issuer-discovery',
    },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'system:unauthenticated' }],
  };
  expectSuccess(await request('POST', BINDINGS, binding), BINDINGS);
}

/**
 * Applies every CustomResourceDefinition of a directory (`*.yaml`) and waits until all are served.
 * A directory that does not exist counts as empty.
 *
 * @throws Error with the server's message when it refuses one, or when one is not served after `HANG_LIMIT_MS`
 */
export async function applyCrds(request: KubeApi['request'], directory: string = PROJECT_CRDS): Promise<void> {
  const crds = await readCrds(directory);
  await Promise.all(crds.map((crd) => applyCrd(request, crd)));
  await Promise.all(crds.map((crd) => established(request, crd.metadata.name)));
}

async function readCrds(directory: string): Promise<Crd[]> {
  const names = await readdir(directory).catch(() => []);
  const files = names.filter((name) => name.endsWith('.yaml')).map((name) => join(directory, name));
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  return texts.flatMap((text) => parseAllDocuments(text).map((document) => document.toJS() as Crd));
}

async function applyCrd(request: KubeApi['request'], crd: Crd): Promise<void> {
  const path = `${CRDS}/${crd.metadata.name}?fieldManager=lab&force=true`;
  expectSuccess(await request('PATCH', path, crd, 'application/apply-patch+yaml'), path);
}

async function established(request: KubeApi['request'], name: string): Promise<void> {
  const end = systemClock.monotonic() + HANG_LIMIT_MS;
  while (systemClock.monotonic() < end) {
    const { body } = await request<Crd>('GET', `${CRDS}/${name}`);
    const conditions = body.status?.conditions ?? [];
    if (conditions.some(({ type, status }) => type === 'Established' && status === 'True')) return;
    await sleep(systemClock, POLL_MS);
  }
  throw new Error(`CRD ${name} is not served after ${HANG_LIMIT_MS / 1000} s`);
}
