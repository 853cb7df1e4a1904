import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { DEFAULT_LEASE_NAME } from '../../lib/config.ts';
import { type AttachedControlPlane, expectSuccess, KubeApi } from '../lab/index.ts';
import { run } from '../lab/install/run.ts';
import { eventually } from '../support/eventually.ts';

const chart = fileURLToPath(new URL('../../chart', import.meta.url));
/** Release, namespace and all names that follow from them; replaced by those of a plan. */
const PLACEHOLDER = 'rolevend-of-a-plan';
/** In place of that of the release, which nobody creates before a term has passed: each plan would wait for it. */
const LEASE = DEFAULT_LEASE_NAME;

const paths: Readonly<Record<string, (namespace: string) => string>> = {
  ServiceAccount: (namespace) => `/api/v1/namespaces/${namespace}/serviceaccounts`,
  Role: (namespace) => `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/roles`,
  RoleBinding: (namespace) => `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`,
  ClusterRole: () => '/apis/rbac.authorization.k8s.io/v1/clusterroles',
  ClusterRoleBinding: () => '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
};

interface Document {
  kind: string;
  metadata: { name: string; namespace?: string };
}

/** The rights that the chart gives an operator for one namespace, as they stand in it. */
export class ChartRights {
  /** A list of objects as JSON. */
  readonly #rendered: string;

  private constructor(rendered: string) {
    this.#rendered = rendered;
  }

  /** Renders the chart once for all namespaces. */
  static async render({ helmPath }: AttachedControlPlane): Promise<ChartRights> {
    const named = ['rbac.namespaces', 'serviceAccountAuth.namespaces'].map((key) => `${key}={${PLACEHOLDER}}`);
    const settings = [...named, 'rolloutRestart.enabled=true'].flatMap((setting) => ['--set', setting]);
    const values = ['--namespace', PLACEHOLDER, ...settings];
    const { code, stdout, stderr } = await run([helmPath, 'template', PLACEHOLDER, chart, ...values]);
    if (code !== 0) throw new Error(`helm template: ${stderr}`);
    const objects = parseAllDocuments(stdout).map((document) => document.toJS() as Document | null);
    const rendered = JSON.stringify(objects.filter((object) => object !== null && object.kind in paths));
    return new ChartRights(rendered.replaceAll(`"${PLACEHOLDER}-controller"`, `"${LEASE}"`));
  }

  /** Gives a ServiceAccount of the namespace these rights and resolves with its token once they hold. */
  async give(plane: AttachedControlPlane, namespace: string): Promise<string> {
    for (const document of this.#documents(namespace)) {
      const path = paths[document.kind]?.(document.metadata.namespace ?? '') ?? '';
      expectSuccess(await plane.request('POST', path, document), `${document.kind} ${document.metadata.name}`);
    }
    const name = this.#documents(namespace).find(({ kind }) => kind === 'ServiceAccount')?.metadata.name ?? '';
    const token = await plane.serviceAccountToken({ namespace, name });
    await untilTheyHold(plane, token, namespace);
    return token;
  }

  /** Takes what `give` made outside of the namespace. */
  async take(plane: AttachedControlPlane, namespace: string): Promise<void> {
    for (const { kind, metadata } of this.#documents(namespace)) {
      if (kind.startsWith('Cluster')) await plane.request('DELETE', `${paths[kind]?.('')}/${metadata.name}`);
    }
  }

  #documents(namespace: string): Document[] {
    return JSON.parse(this.#rendered.replaceAll(PLACEHOLDER, namespace)) as Document[];
  }
}

/** The API server takes some milliseconds to see new bindings. One request for each of them tells. */
async function untilTheyHold(
  { server, caFile }: AttachedControlPlane,
  token: string,
  namespace: string,
): Promise<void> {
  const lease = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/${LEASE}`;
  const places = [`/api/v1/namespaces/${namespace}/secrets?limit=1`, '/api/v1/namespaces?limit=1', lease];
  const api = new KubeApi({ server, ca: await readFile(caFile, 'utf8'), token: async () => token });
  const statusOf = async (path: string) => `${(await api.request('GET', path)).status} ${path}`;
  const holds = eventually('the rights to hold', async (saw) => {
    const answers = saw(await Promise.all(places.map(statusOf)));
    return !answers.some((answer) => answer.startsWith('403'));
  });
  await holds.finally(() => api.close());
}
