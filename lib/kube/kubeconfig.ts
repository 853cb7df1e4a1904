import { readFileSync, statSync } from 'node:fs';
import { delimiter, dirname, isAbsolute, resolve } from 'node:path';
import { parse } from 'yaml';
import { RolevendError } from '../errors.ts';

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
  impersonate?: string;
}

/** PEM or a token: itself, or the file that holds it and may be replaced at any time. */
export type Material = { text: string } | { file: string };

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

/** A problem of the configuration: nothing works until somebody changes it. */
export function invalidConfig(message: string, cause?: unknown): RolevendError {
  return new RolevendError(message, { code: 'InvalidConfig', consequence: 'stop', cause });
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
  const lists = [config.clusters, config.users, config.contexts].map((list) => list ?? []);
  if (!lists.every(Array.isArray))
    throw invalidConfig(`kubeconfig ${path}: clusters, users and contexts must be lists`);
  const [clusters, users, contexts] = lists as [ClusterEntry[], UserEntry[], ContextEntry[]];
  for (const { cluster } of clusters) absolute(path, cluster, ['certificate-authority']);
  for (const { user } of users) absolute(path, user, ['client-certificate', 'client-key', 'tokenFile']);
  for (const { user } of users) absoluteCommand(path, user?.['exec']);
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
    config = parse(text);
  } catch (error) {
    throw invalidConfig(`kubeconfig ${path} is no valid YAML; ${fix}`, error);
  }
  if (typeof config !== 'object' || config === null)
    throw invalidConfig(`kubeconfig ${path} is empty or no kubeconfig; ${fix}`);
  return config;
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

function clusterPart(
  path: string,
  cluster: Record<string, unknown>,
): Pick<ClusterConfig, 'server' | 'insecure' | 'ca'> {
  const server = text(cluster['server']);
  if (!server || !URL.canParse(server) || !/^https?:$/.test(new URL(server).protocol)) {
    throw invalidConfig(`kubeconfig ${path}: the cluster's server must be an http or https URL`);
  }
  refuse(path, cluster, 'proxy-url', 'reach the API server directly');
  const ca = material(cluster, 'certificate-authority-data', 'certificate-authority');
  const serverName = text(cluster['tls-server-name']);
  const insecure = cluster['insecure-skip-tls-verify'] === true;
  return { server, insecure, ...(ca && { ca }), ...(serverName && { serverName }) };
}

function userPart(
  path: string,
  user: Record<string, unknown>,
  cluster: Record<string, unknown>,
): Partial<ClusterConfig> {
  refuse(path, user, 'auth-provider', 'use an exec plugin instead, such as kubelogin for OIDC');
  refuse(path, user, 'as-groups', 'use a user that has the rights itself');
  const certificate = material(user, 'client-certificate-data', 'client-certificate');
  const key = material(user, 'client-key-data', 'client-key');
  const [username, impersonate] = [text(user['username']), text(user['as'])];
  const token = tokenOf(user);
  return {
    ...(certificate && key && { clientCertificate: { certificate, key } }),
    ...(token && { token }),
    ...(username && { basic: { username, password: text(user['password']) ?? '' } }),
    ...(impersonate && { impersonate }),
    ...(user['exec'] !== undefined && user['exec'] !== null && { exec: execPart(path, user['exec'], cluster) }),
  };
}

/** A token file wins over a token, as in client-go. */
function tokenOf(user: Record<string, unknown>): Material | undefined {
  const [file, token] = [text(user['tokenFile']), text(user['token'])];
  if (file) return { file };
  return token ? { text: token } : undefined;
}

function execPart(path: string, value: unknown, cluster: Record<string, unknown>): ExecConfig {
  const exec = value as Record<string, unknown>;
  const [command, apiVersion, installHint] = [
    text(exec['command']),
    text(exec['apiVersion']),
    text(exec['installHint']),
  ];
  if (!command) throw invalidConfig(`kubeconfig ${path}: the exec plugin has no command`);
  if (!apiVersion || !/^client\.authentication\.k8s\.io\/v1(beta1)?$/.test(apiVersion)) {
    throw invalidConfig(`kubeconfig ${path}: exec plugins must use client.authentication.k8s.io/v1 or v1beta1`);
  }
  if (exec['interactiveMode'] === 'Always')
    throw invalidConfig(`kubeconfig ${path}: the exec plugin ${command} needs a terminal`);
  return {
    apiVersion,
    command,
    args: list<string>(exec['args']),
    env: Object.fromEntries(list<{ name: string; value: string }>(exec['env']).map(({ name, value }) => [name, value])),
    ...(installHint && { installHint }),
    ...(exec['provideClusterInfo'] === true && { cluster: clusterInfo(cluster) }),
  };
}

/** The `spec.cluster` of an ExecCredential. */
function clusterInfo(cluster: Record<string, unknown>): Record<string, unknown> {
  const names = ['server', 'tls-server-name', 'insecure-skip-tls-verify', 'certificate-authority-data', 'proxy-url'];
  const info = Object.fromEntries(
    names.filter((name) => cluster[name] !== undefined).map((name) => [name, cluster[name]]),
  );
  const file = text(cluster['certificate-authority']);
  if (file && !info['certificate-authority-data']) {
    info['certificate-authority-data'] = Buffer.from(readMaterial({ file })).toString('base64');
  }
  const extensions = list<{ name: string; extension: unknown }>(cluster['extensions']);
  const config = extensions.find(({ name }) => name === 'client.authentication.k8s.io/exec')?.extension;
  return config === undefined ? info : { ...info, config };
}

/** The text of a material, read anew where it is a file. Throws `InvalidConfig`. */
export function readMaterial(from: Material): string {
  if ('text' in from) return from.text;
  try {
    return readFileSync(from.file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw invalidConfig(`${from.file}, which the connection to the API server needs, cannot be read (${code})`, error);
  }
}

function material(entry: Record<string, unknown>, dataName: string, fileName: string): Material | undefined {
  const [data, file] = [text(entry[dataName]), text(entry[fileName])];
  if (data) return { text: Buffer.from(data, 'base64').toString('utf8') };
  return file ? { file } : undefined;
}

function refuse(path: string, entry: Record<string, unknown>, name: string, advice: string): void {
  if (entry[name]) throw invalidConfig(`kubeconfig ${path}: ${name} is not supported; ${advice}`);
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function list<T>(value: unknown): T[] {
  return Array.isArray(value) ? (value as T[]) : [];
}
