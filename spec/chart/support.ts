import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import type { AttachedControlPlane } from '../lab/attach.ts';
import { run } from '../lab/install/run.ts';
import { findTools, unpackTools } from '../lab/install/tools.ts';
import type { PodSpec } from '../lab/kubelet.ts';

/** Where the chart is. */
export const CHART = fileURLToPath(new URL('../../chart', import.meta.url));
/** The release and the namespace of README.md. */
export const RELEASE = 'rolevend';
export const NAMESPACE = 'rolevend-system';

/** The versions of Helm that the chart is tested with. */
export const helmVersions = ['Helm 3', 'Helm 4'] as const;
export type HelmVersion = (typeof helmVersions)[number];

/** What takes over objects that others made: Helm 4 applies on the server, which knows who else owns a field. */
export const takeOver: Readonly<Record<HelmVersion, readonly string[]>> = {
  'Helm 3': ['--take-ownership'],
  'Helm 4': ['--take-ownership', '--force-conflicts'],
};

/** Metadata of a rendered object. */
export interface RenderedMetadata {
  name: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

/** What tests look at in the spec of a Pod. */
export interface RenderedPod extends PodSpec {
  imagePullSecrets?: object[];
  volumes?: object[];
  containers: (PodSpec['containers'][number] & { image: string; volumeMounts?: object[] })[];
}

/** The fields of all rendered kinds that tests look at, so that a test may say which it expects without a cast. */
export interface RenderedSpec extends RenderedPod {
  replicas: number;
  template: { metadata: RenderedMetadata; spec: RenderedPod };
  selector: { matchLabels: Record<string, string> };
  podSelector: { matchLabels: Record<string, string> };
  egress: { ports: { protocol: string; port: number }[] }[];
}

/** A Kubernetes object as it is rendered. */
export interface Rendered {
  apiVersion: string;
  kind: string;
  metadata: RenderedMetadata;
  spec: RenderedSpec;
}

/** Where a version of Helm is. Throws where it is not. */
export async function pathOf(version: HelmVersion): Promise<string> {
  await unpackTools((line) => process.stderr.write(`${line}\n`));
  const tools = await findTools();
  const path = version === 'Helm 3' ? tools?.helm3 : tools?.helm;
  if (path === undefined) throw new Error(`${version} is not on the PATH. Fix: install it`);
  return path;
}

/** Runs Helm on a cluster, in the namespace of README.md unless another is given. Throws what Helm says where it fails. */
export async function helm(
  version: HelmVersion,
  { kubeconfig }: Pick<AttachedControlPlane, 'kubeconfig'>,
  ...args: string[]
): Promise<string> {
  const namespace = args.includes('--namespace') ? [] : ['--namespace', NAMESPACE];
  const command = [await pathOf(version), ...args, ...namespace];
  const { code, stdout, stderr } = await run(command, { env: { ...process.env, KUBECONFIG: kubeconfig } });
  if (code !== 0) throw new Error(stderr);
  return stdout;
}

/** Where and what is rendered, where it is not what README.md says. */
export interface RenderOptions {
  chart?: string;
  release?: string;
  namespace?: string;
}

/** What the chart gives with these arguments, without a cluster. Throws what Helm says where it fails. */
export async function render(
  version: HelmVersion,
  args: readonly string[] = [],
  { chart = CHART, release = RELEASE, namespace = NAMESPACE }: RenderOptions = {},
): Promise<Rendered[]> {
  const command = [await pathOf(version), 'template', release, chart, '--namespace', namespace, ...args];
  const { code, stdout, stderr } = await run(command, { env: { ...process.env, KUBECONFIG: '/dev/null' } });
  if (code !== 0) throw new Error(stderr);
  return parseAllDocuments(stdout)
    .map((document) => document.toJS() as Rendered | null)
    .filter((object) => object !== null);
}

/** The one rendered object of this kind and name. Throws where there is none. */
export function only(objects: readonly Rendered[], kind: string, name = RELEASE): Rendered {
  const found = objects.find((object) => object.kind === kind && object.metadata.name === name);
  if (found === undefined) throw new Error(`no ${kind} ${name} is rendered`);
  return found;
}

/** The arguments that set values, as `helm --values` reads them from standard input would; nested values are JSON. */
export function set(values: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(values).flatMap(([path, value]) => ['--set-json', `${path}=${JSON.stringify(value)}`]);
}
