import { type AttachedControlPlane, attach, type ControlPlaneDescription } from './attach.ts';
import { type ControlPlane, startControlPlane } from './control-plane.ts';

/** The environment variable that holds the JSON description of the control plane that all test files share. */
const VARIABLE = 'ROLEVEND_LAB';

let running: ControlPlane | undefined;

/** The JSON description of a control plane, to be put into the environment variable `ROLEVEND_LAB`. */
export function describe(plane: ControlPlaneDescription): string {
  const { name, dir, server, issuer, caFile, kubeconfig, kubectlPath, helmPath } = plane;
  const description: ControlPlaneDescription = { name, dir, server, issuer, caFile, kubeconfig, kubectlPath, helmPath };
  return JSON.stringify(description);
}

/** Starts the control plane that all test files share, unless `ROLEVEND_LAB` names one that runs (`make lab`). */
export async function startShared(): Promise<void> {
  if (process.env[VARIABLE]) return;
  running = await startControlPlane({ name: 'shared', audit: true });
  process.env[VARIABLE] = describe(running);
}

/** Stops what `startShared` started. */
export async function stopShared(): Promise<void> {
  if (!running) return;
  delete process.env[VARIABLE];
  await running.stop();
  running = undefined;
}

/**
 * The control plane that all test files share: each test takes a namespace of its own in it (`testNamespace`). It cannot
 * be stopped or restarted; a test that needs that, or cluster-wide objects, starts its own.
 *
 * @throws Error when none was started
 */
export function sharedControlPlane(): AttachedControlPlane {
  const description = process.env[VARIABLE];
  if (!description) {
    throw new Error(
      `${VARIABLE} is not set: run the test through jest's laboratory project, which starts the control plane`,
    );
  }
  return attach(JSON.parse(description) as ControlPlaneDescription);
}
