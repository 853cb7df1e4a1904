import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from './install/run.ts';

/** Where a Pod finds its token, the cluster's authority and its namespace. */
const ACCOUNT = 'var/run/secrets/kubernetes.io/serviceaccount';
/** As in the distroless image: without it Node.js knows no home for the user, and the AWS SDK fails. */
const PASSWD = 'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n';
/** Of the machine, since an image is only simulated here; what the distroless image has instead. */
const SYSTEM = ['lib', 'lib64', 'usr/lib', 'proc', 'dev'];

/**
 * Runs a command in a mount namespace of its own, with "$1" as its read-only root, as user and group "$2", without
 * capabilities or a way to new ones. The command takes the place of this shell, so that a signal reaches it.
 */
const SCRIPT = `
set -eu
tree=$1 user=$2 node=$3
shift 3
mount --bind "$tree" "$tree"
for part in ${SYSTEM.join(' ')}; do
  [ ! -e "/$part" ] || mount --rbind "/$part" "$tree/$part"
done
mount --bind "$node" "$tree/nodejs/bin/node"
mount -o remount,bind,ro "$tree/nodejs/bin/node"
mount -o remount,bind,ro "$tree"
exec setpriv --no-new-privs chroot --userspec="$user:$user" --groups= "$tree" "$@"
`;

/** A file tree as an image has it, and what runs in it. */
export interface Container {
  /** Directory with the files of the image; see `prepareTree`. */
  tree: string;
  /** Number of user and group. */
  user: number;
  command: readonly string[];
}

/** Who a container is to its API server. */
export interface ContainerAccount {
  namespace: string;
  token: string;
  /** PEM file of the API server's authority. */
  caFile: string;
}

/** Adds to the directory what every container has: places for the machine's libraries and Node.js, and files of a kubelet. */
export async function prepareTree(tree: string, account?: ContainerAccount): Promise<void> {
  for (const part of [...SYSTEM, ACCOUNT, 'etc']) await mkdir(join(tree, part), { recursive: true });
  for (const name of ['hosts', 'resolv.conf']) await copyFile(join('/etc', name), join(tree, 'etc', name));
  await writeFile(join(tree, 'etc/passwd'), PASSWD);
  const node = join(tree, 'nodejs/bin/node');
  await mkdir(dirname(node), { recursive: true });
  await writeFile(node, '');
  if (account === undefined) return;
  const files = { token: account.token, namespace: account.namespace, 'ca.crt': await readFile(account.caFile) };
  for (const [name, content] of Object.entries(files)) await writeFile(join(tree, ACCOUNT, name), content);
}

/** The command that runs the container, for `run` and `startGuarded`. Its environment is that of the container. */
export function containerCommand({ tree, user, command }: Container): string[] {
  const own = ['unshare', '--mount', '--propagation=private', 'sh', '-c', SCRIPT, 'container'];
  return [...own, tree, String(user), process.execPath, ...command];
}

/** Why this machine cannot run containers, for the message of a test that is skipped; undefined where it can. */
export async function containerProblem(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'only Linux has mount namespaces';
  if (process.getuid?.() !== 0) return 'mount namespaces need root';
  const trial = [
    'unshare',
    '--mount',
    '--propagation=private',
    'setpriv',
    '--no-new-privs',
    'mount',
    '--bind',
    '/',
    '/mnt',
  ];
  const { code, stderr } = await run(trial);
  return code === 0 ? undefined : `unshare, setpriv or mount does not work here: ${stderr.trim()}`;
}

/** The variables that Kubernetes puts into every Pod. */
export function clusterEnvironment(server: string): Record<string, string> {
  const { hostname, port } = new URL(server);
  return { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
}
