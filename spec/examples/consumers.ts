import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type AttachedControlPlane, expectSuccess, KubeApi, type LabAws, startProjector } from '../lab/index.ts';
import { findPython } from '../lab/install/python.ts';
import { type Outcome, run } from '../lab/install/run.ts';
import { startRegistry } from './registry.ts';

const BOTO3 = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])";

/** What an example's container is told. */
export interface ExamplePod {
  volumes: { name: string; secret: { secretName: string } }[];
  imagePullSecrets?: { name: string }[];
  containers: {
    image: string;
    env: { name: string; value: string }[];
    volumeMounts: { name: string; mountPath: string }[];
  }[];
}

/** The Pod of a Deployment in the cluster. */
export async function podOf(plane: AttachedControlPlane, namespace: string, deployment: string): Promise<ExamplePod> {
  const path = `/apis/apps/v1/namespaces/${namespace}/deployments/${deployment}`;
  const answer = await plane.request<{ spec: { template: { spec: ExamplePod } } }>('GET', path);
  return expectSuccess(answer, path).spec.template.spec;
}

/**
 * Mounts the Secret of a Pod as a kubelet does, and lets the AWS CLI and boto3 ask who they are, with nothing but the
 * Pod's variables and mount. Gives the ARNs. @param root the file system of the container
 */
export async function askFromMount(
  plane: AttachedControlPlane,
  aws: LabAws,
  namespace: string,
  { volumes: [volume], containers: [container] }: ExamplePod,
  root: string,
): Promise<string[]> {
  const directory = join(root, container?.volumeMounts[0]?.mountPath ?? '');
  const name = volume?.secret.secretName ?? '';
  const projector = await startProjector({ kubeconfig: plane.kubeconfig, namespace, name, directory });
  await projector.sync();
  await projector.stop();
  const given = Object.fromEntries((container?.env ?? []).map(({ name: key, value }) => [key, value]));
  const python = (await findPython()) ?? '';
  const env = { PATH: process.env['PATH'], ...aws.environment(), ...given, HOME: join(root, given['HOME'] ?? '') };
  const cli = [python, join(dirname(python), 'aws'), 'sts', 'get-caller-identity', '--query=Arn', '--output=text'];
  const outcomes = await Promise.all([run(cli, { env }), run([python, '-c', BOTO3], { env })]);
  return outcomes.map(({ code, stdout, stderr }) => (code === 0 ? stdout.trim() : stderr));
}

/** The data of a Secret as the holder of a ServiceAccount reads it, decoded; the HTTP status where it may not. */
export async function readAs(
  plane: AttachedControlPlane,
  account: { namespace: string; name: string },
  secret: string,
): Promise<Record<string, string> | number> {
  const api = await KubeApi.of(await plane.kubeconfigFor({ serviceAccount: account }));
  try {
    const path = `/api/v1/namespaces/${account.namespace}/secrets/${secret}`;
    const { status, body } = await api.request<{ data: Record<string, string> }>('GET', path);
    if (status !== 200) return status;
    const entries = Object.entries(body.data);
    return Object.fromEntries(entries.map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]));
  } finally {
    await api.close();
  }
}

/** Where an example's image is, without its tag. */
export interface Pull {
  /** `registry/repository`. */
  repository: string;
  /** The text of `.dockerconfigjson`. */
  dockerConfig: string;
  accepts(password: string): boolean;
  /** For files. */
  directory: string;
}

/** Pulls with Helm, which logs in to registries with a Docker configuration as container engines do. */
export async function pullWithHelm(helm: string, pull: Pull): Promise<Outcome & { hosts: string[] }> {
  const { directory, repository } = pull;
  const config = join(directory, 'config.json');
  await writeFile(config, pull.dockerConfig);
  await run([helm, 'create', 'web'], { cwd: directory });
  await run([helm, 'package', 'web', '--version=1.0.0'], { cwd: directory });
  const registry = await startRegistry(await readFile(join(directory, 'web-1.0.0.tgz')), pull.accepts);
  try {
    const env = { PATH: process.env['PATH'], HOME: directory, HTTP_PROXY: registry.proxyUrl };
    const flags = [
      '--version=1.0.0',
      '--plain-http',
      `--registry-config=${config}`,
      `--destination=${directory}/pulled`,
    ];
    const outcome = await run([helm, 'pull', `oci://${repository}`, ...flags, '--untar'], { env, cwd: directory });
    const accepted = registry.logins.filter((login) => login.accepted);
    return { ...outcome, hosts: [...new Set(accepted.map(({ host }) => host))] };
  } finally {
    await registry.stop();
  }
}
