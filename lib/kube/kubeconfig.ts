import { readFileSync, statSync } from 'node:fs';
import { delimiter, dirname, isAbsolute, resolve } from 'node:path';
import { type DocumentOptions, type ParseOptions, parse, type SchemaOptions, type Tags } from 'yaml';
import type { Impersonation } from './impersonation.ts';
import { clusterPart, userPart } from './kubeconfig-parts.ts';
import { misfit } from './kubeconfig-shape.ts';
import { invalidConfig, type Material } from './material.ts';

export { invalidConfig, type Material, readMaterial } from './material.ts';

/** How to reach an API server and how to log in; files are named, not read. */
export interface ClusterConfig {
  server: string;
  ca?: Material;
  /** Name that the server's certificate must hold, where it is not the server's own. */
  serverName?: string;
  insecure: boolean;
  clientCertificate?: { certificate: Material; key: Material };
  token?: Material;
  basic?: { username: string; password: string };
  exec?: ExecConfig;
  oidc?: OidcConfig;
  impersonate?: Impersonation;
  /** An http, https or socks5 URL, perhaps with a password: never to be shown. */
  proxyUrl?: string;
}

/** A credential plugin as a kubeconfig names it (client.authentication.k8s.io). */
export interface ExecConfig {
  apiVersion: string;
  command: string;
  args: string[];
  env: Record<string, string>;
  installHint?: string;
  /** What the plugin is told of the cluster, where it asks for that. */
  cluster?: Record<string, unknown>;
}

/** A login at an OpenID Connect provider, as kubectl's `auth-provider: oidc` keeps it. */
export interface OidcConfig {
  issuer: string;
  clientId: string;
  clientSecret?: string;
  /** Serves until its end. One of the two is there. */
  idToken?: string;
  refreshToken?: string;
  /** Of the issuer's authority. Default: those that the system trusts. */
  ca?: Material;
}

interface Named {
  name: string;
}
interface ClusterEntry extends Named {
  cluster?: Record<string, unknown>;
}
interface UserEntry extends Named {
  user?: Record<string, unknown>;
}
interface ContextEntry extends Named {
  context?: { cluster?: string; user?: string };
}

interface Kubeconfig {
  'current-context'?: string;
  clusters: ClusterEntry[];
  users: UserEntry[];
  contexts: ContextEntry[];
}

/**
 * The current context of a kubeconfig file, or of several whose paths are joined as in `KUBECONFIG` (what a name means is
 * decided by the first file that has it; those that are missing are skipped, as in client-go, unless all are). Throws
 * `InvalidConfig`.
 */
export function readKubeconfig(path: string): ClusterConfig {
  const paths = path.split(delimiter).filter((one) => one !== '' && isThere(one));
  const config = merge((paths.length > 0 ? paths : [path]).map(readOne));
  const current = config['current-context'];
  if (!current)
    throw invalidConfig(`kubeconfig ${path} has no current-context; set one with: kubectl config use-context NAME`);
  const context = find(path, 'context', config.contexts, current).context ?? {};
  const cluster = find(path, 'cluster', config.clusters, context.cluster).cluster ?? {};
  const user = context.user ? (find(path, 'user', config.users, context.user).user ?? {}) : {};
  return { ...clusterPart(path, cluster), ...userPart(path, user, cluster) };
}

/** What cannot be looked at counts as there, so that reading it tells why. */
function isThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return true;
  }
}

function readOne(path: string): Kubeconfig {
  const config = parseFile(path);
  const [clusters, users, contexts] = [config.clusters ?? [], config.users ?? [], config.contexts ?? []];
  for (const { cluster } of clusters) absolute(path, cluster, ['certificate-authority']);
  for (const { user } of users) absolute(path, user, ['client-certificate', 'client-key', 'tokenFile']);
  for (const { user } of users) {
    absoluteCommand(path, user?.['exec']);
    const provider = user?.['auth-provider'] as { config?: Record<string, unknown> } | null | undefined;
    absolute(path, provider?.config, ['idp-certificate-authority']);
  }
  return { ...config, clusters, users, contexts };
}

function parseFile(path: string): Partial<Kubeconfig> {
  const fix = 'give --kubeconfig or KUBECONFIG the path of a kubeconfig file that can be read';
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw invalidConfig(`kubeconfig ${path} cannot be read (${(error as NodeJS.ErrnoException).code}); ${fix}`, error);
  }
  let config: unknown;
  try {
    config = parse(text, yaml);
  } catch (error) {
    throw invalidConfig(`kubeconfig ${path} is no valid YAML; ${fix}`, error);
  }
  if (typeof config !== 'object' || config === null || Array.isArray(config))
    throw invalidConfig(`kubeconfig ${path} is empty or no kubeconfig; ${fix}`);
  const { apiVersion, kind } = config as Partial<Record<string, unknown>>;
  if ((apiVersion || 'v1') !== 'v1' || (kind || 'Config') !== 'Config')
    throw invalidConfig(`kubeconfig ${path} is of another kind than v1 Config; ${fix}`);
  const problem = misfit(config);
  if (problem !== undefined) throw invalidConfig(`kubeconfig ${path}: ${problem}`);
  return config;
}

/** As kubectl reads it: `yes` is true and `1_000` a number, but times are no numbers, and dates are text. */
const yaml: ParseOptions & DocumentOptions & SchemaOptions = {
  version: '1.1',
  customTags: (tags) => tags.filter((tag) => !isTime(tag)),
};

function isTime(tag: Tags[number]): boolean {
  return typeof tag === 'object' && ('format' in tag ? tag.format === 'TIME' : tag.tag.endsWith(':timestamp'));
}

function merge(configs: Kubeconfig[]): Kubeconfig {
  const current = configs.map((config) => config['current-context']).find(Boolean);
  return {
    ...(current && { 'current-context': current }),
    clusters: configs.flatMap(({ clusters }) => clusters),
    users: configs.flatMap(({ users }) => users),
    contexts: configs.flatMap(({ contexts }) => contexts),
  };
}

function find<T extends Named>(path: string, what: string, entries: T[], name: string | undefined): T {
  const found = entries.find((entry) => entry.name === name);
  if (found) return found;
  throw invalidConfig(`kubeconfig ${path} has no ${what} named "${name ?? ''}", which its current-context asks for`);
}

/** Paths in a kubeconfig are relative to its directory. */
function absolute(path: string, entry: Record<string, unknown> | undefined, names: string[]): void {
  for (const name of names) {
    const value = entry?.[name];
    if (entry && typeof value === 'string' && value !== '') entry[name] = resolve(dirname(path), value);
  }
}

function absoluteCommand(path: string, exec: unknown): void {
  const plugin = exec as { command?: unknown } | undefined;
  if (typeof plugin?.command !== 'string' || isAbsolute(plugin.command) || !/[\\/]/.test(plugin.command)) return;
  plugin.command = resolve(dirname(path), plugin.command);
}
