import { randomUUID } from 'node:crypto';
import type { AttachedControlPlane } from '../lab/attach.ts';
import { type PodSpec, variablesOf } from '../lab/kubelet.ts';
import type { Program, RolevendProcess } from '../support/process.ts';
import { kubectl } from './cluster.ts';

/**
 * Starts a replica of an installed Deployment with its rights, arguments and variables, as a kubelet would in a new Pod, and
 * does not wait until it is ready.
 */
export async function startReplica(
  program: Program,
  cluster: AttachedControlPlane,
  { namespace, name }: { namespace: string; name: string },
): Promise<RolevendProcess> {
  const template = 'jsonpath={.spec.template.spec}';
  const text = await kubectl(cluster, 'get', 'deployment', name, '-n', namespace, '--output', template);
  const { serviceAccountName, containers } = JSON.parse(text) as PodSpec;
  const [{ args: [command, ...rest] = [], env } = {}] = containers;
  if (command !== 'controller') throw new Error(`the Deployment starts ${command}`);
  const flags = Object.fromEntries(rest.map((arg) => arg.replace(/^--/, '').split('=') as [string, string]));
  const kubeconfig = await cluster.kubeconfigFor({ serviceAccount: { namespace, name: serviceAccountName } });
  const added = { kubeconfig, 'leader-election-namespace': namespace };
  return program.start({ flags: { ...flags, ...added }, env: variablesOf(env, randomUUID()) });
}
