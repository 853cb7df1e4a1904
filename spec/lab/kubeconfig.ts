import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { parse, stringify } from 'yaml';

/** Who a kubeconfig speaks for. */
export type KubeconfigUser = { token: string } | { tokenFile: string };

/** A cluster as a kubeconfig names it. */
export interface KubeconfigCluster {
  server: string;
  /** PEM file of the authority that signed the server's certificate. */
  caFile: string;
}

/** Writes a kubeconfig that only we may read, and returns its path, by default a new file in `directory`. */
export async function writeKubeconfig(
  directory: string,
  cluster: KubeconfigCluster,
  user: KubeconfigUser,
  name = `${randomBytes(4).toString('hex')}.kubeconfig`,
): Promise<string> {
  const file = join(directory, name);
  const document = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'lab', cluster: { server: cluster.server, 'certificate-authority': cluster.caFile } }],
    users: [{ name: 'user', user }],
    contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'user' } }],
    'current-context': 'lab',
  };
  await writeFile(file, stringify(document), { mode: 0o600 });
  return file;
}

/** What a client needs to speak with a cluster. */
export interface Access {
  server: string;
  /** PEM text of the authority, or undefined for those that the system trusts. */
  ca: string | undefined;
  /** The bearer token of now; a token file is read each time. */
  token(): Promise<string | undefined>;
}

interface Kubeconfig {
  'current-context'?: string;
  contexts?: { name: string; context: { cluster: string; user: string } }[];
  clusters?: { name: string; cluster: Record<string, string> }[];
  users?: { name: string; user: Record<string, string> }[];
}

/**
 * Reads the current context of a kubeconfig whose user has a token or a token file, as those of the laboratory do.
 *
 * @throws Error that names the file when it has no such context
 */
export async function readKubeconfig(file: string): Promise<Access> {
  const config = parse(await readFile(file, 'utf8')) as Kubeconfig;
  const context = config.contexts?.find((entry) => entry.name === config['current-context'])?.context;
  const cluster = config.clusters?.find((entry) => entry.name === context?.cluster)?.cluster;
  const user = config.users?.find((entry) => entry.name === context?.user)?.user;
  if (!cluster?.server || !user) throw new Error(`${file}: no current context with a cluster and a user`);
  const path = (name: string) => resolve(dirname(file), name);
  const caData = cluster['certificate-authority-data'];
  const caFile = cluster['certificate-authority'];
  return {
    server: cluster.server,
    ca: caData ? Buffer.from(caData, 'base64').toString() : caFile && (await readFile(path(caFile), 'utf8')),
    token: async () => (user.tokenFile ? (await readFile(path(user.tokenFile), 'utf8')).trim() : user.token),
  };
}
