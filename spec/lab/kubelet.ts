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
  containers: { command?: string[]; args?: string[]; env?: { name: string; value: string }[] }[];
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
  const env = Object.fromEntries((first?.env ?? []).map(({ name, value }) => [name, value]));
  return {
    tree,
    user: securityContext.runAsUser,
    command,
    env: { ...clusterEnvironment(plane.server), ...env },
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
