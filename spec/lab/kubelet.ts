import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { eventually } from '../support/eventually.ts';
import { type AttachedControlPlane, expectSuccess } from './attach.ts';
import { type Container, clusterEnvironment, containerCommand, prepareTree } from './container.ts';
import { temporaryDirectory } from './guard.ts';
import { copyImage, readImage } from './image.ts';
import { type Outcome, run } from './install/run.ts';

/** The parts of a Pod's spec that are looked at. */
export interface PodSpec {
  serviceAccountName: string;
  securityContext: { runAsUser: number };
  containers: { command?: string[]; args?: string[]; env?: Variable[] }[];
}

/** A variable of a container: a text, or the UID of its Pod, which is all that is asked of the downward API. */
export interface Variable {
  name: string;
  value?: string;
  valueFrom?: { fieldRef: { fieldPath: string } };
}

/** The variables of a container in the Pod with this UID. */
export function variablesOf(env: readonly Variable[] = [], podUid: string): Record<string, string> {
  return Object.fromEntries(env.map(({ name, value, valueFrom }) => [name, valueFrom ? podUid : (value ?? '')]));
}

/** A container of the project's image that can be run. */
export interface ReadyContainer extends Container {
  /** What the Pod sets, and what Kubernetes adds. */
  env: Record<string, string>;
  remove(): Promise<void>;
}

/**
 * Makes the first container of a Pod ready, as a kubelet would: the files of the project's image, the ServiceAccount's
 * token, the user, the variables. The image itself has to be built: `dist` is taken as it is.
 */
export async function prepareContainer(
  plane: AttachedControlPlane,
  namespace: string,
  { serviceAccountName, securityContext, containers: [first] }: PodSpec,
): Promise<ReadyContainer> {
  const directory = await temporaryDirectory('rolevend-container-');
  const tree = join(directory.path, 'root');
  const image = await readImage();
  await copyImage(image, tree);
  const token = await plane.serviceAccountToken({ namespace, name: serviceAccountName });
  await prepareTree(tree, { namespace, token, caFile: plane.caFile });
  const command = [...(first?.command ?? image.entrypoint), ...(first?.args ?? image.cmd)];
  const env = variablesOf(first?.env, randomUUID());
  return {
    tree,
    user: securityContext.runAsUser,
    command,
    env: { ...image.env, ...clusterEnvironment(plane.server), ...env },
    remove: () => directory.remove(),
  };
}

/** Waits for a Pod, runs it to its end and tells the API server how that was. There is no kubelet to do it. */
export async function playPod(plane: AttachedControlPlane, namespace: string, name: string): Promise<Outcome> {
  const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
  const { spec } = await eventually(`the Pod ${name}`, async () => {
    const { status, body } = await plane.request<{ spec: PodSpec; status: { phase: string } }>('GET', path);
    // One of an earlier run has ended and is about to go.
    return status === 200 && body.status.phase === 'Pending' ? body : undefined;
  });
  const container = await prepareContainer(plane, namespace, spec);
  try {
    const env = { PATH: process.env['PATH'], ...container.env };
    const outcome = await run(containerCommand(container), { env });
    const phase = outcome.code === 0 ? 'Succeeded' : 'Failed';
    expectSuccess(await plane.request('PATCH', `${path}/status`, { status: { phase } }), path);
    return outcome;
  } finally {
    await container.remove();
  }
}
