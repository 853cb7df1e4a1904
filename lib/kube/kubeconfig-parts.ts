import { type Impersonation, isHeaderValue } from './impersonation.ts';
import { keyPairProblem } from './key-pair.ts';
import type { ClusterConfig, ExecConfig, OidcConfig } from './kubeconfig.ts';
import { invalidConfig, type Material, readMaterial } from './material.ts';
import { isToken } from './token.ts';

/** What stands under `cluster` or `user` of an entry, with the types that `misfit` has looked at. */
export type Entry = Record<string, unknown>;

/** How to reach the server. Throws `InvalidConfig`, with the path and the fix. */
export function clusterPart(path: string, cluster: Entry): Pick<ClusterConfig, 'server' | 'insecure' | 'ca'> {
  const ca = material(path, cluster, 'certificate-authority');
  const serverName = text(cluster['tls-server-name']);
  const insecure = cluster['insecure-skip-tls-verify'] === true;
  if (ca && insecure)
    throw refused(path, 'insecure-skip-tls-verify stands beside a certificate authority; take one of the two out');
  const proxyUrl = proxyOf(path, cluster);
  return {
    server: serverOf(path, cluster),
    insecure,
    ...(ca && { ca }),
    ...(serverName && { serverName }),
    ...(proxyUrl && { proxyUrl }),
  };
}

/** How to log in. Throws `InvalidConfig`, with the path and the fix. */
export function userPart(path: string, user: Entry, cluster: Entry): Partial<ClusterConfig> {
  const clientCertificate = pairOf(path, user);
  const [token, basic] = [tokenOf(path, user), basicOf(user)];
  if (token && basic) throw refused(path, 'the user has a token and a name with password; take one of the two out');
  const own = { ...(clientCertificate && { clientCertificate }), ...(token && { token }), ...(basic && { basic }) };
  const impersonate = impersonationOf(path, user);
  return { ...own, ...(impersonate && { impersonate }), ...providerOf(path, user, cluster, own) };
}

function serverOf(path: string, cluster: Entry): string {
  const server = text(cluster['server']);
  if (!server || !URL.canParse(server) || !/^https?:$/.test(new URL(server).protocol))
    throw refused(path, "the cluster's server must be an http or https URL");
  const { username, password } = new URL(server);
  if (username || password) {
    throw refused(
      path,
      "the cluster's server holds user information; take it out, and give the user a login of its own",
    );
  }
  return server;
}

function proxyOf(path: string, cluster: Entry): string | undefined {
  const url = text(cluster['proxy-url']);
  if (!url || (URL.canParse(url) && /^(https?|socks5):$/.test(new URL(url).protocol) && new URL(url).hostname))
    return url;
  throw refused(path, 'proxy-url must be an http, https or socks5 URL, such as http://proxy.example.com:3128');
}

/** A certificate without its key logs nobody in, while a key alone does no harm, as in kubectl. */
function pairOf(path: string, user: Entry): { certificate: Material; key: Material } | undefined {
  const [certificate, key] = [material(path, user, 'client-certificate'), material(path, user, 'client-key')];
  if (!certificate) return undefined;
  if (!key) throw refused(path, 'client-certificate has no key; give its client-key or client-key-data, too');
  const problem = keyPairProblem({ certificate: readMaterial(certificate), key: readMaterial(key) });
  if (problem === undefined) return { certificate, key };
  const files = [certificate, key].flatMap((one) => ('file' in one ? one.file : []));
  const where = files.length > 0 ? ` (${files.join(', ')})` : '';
  throw refused(path, `the client certificate${where} cannot be used, since ${problem}; give a pair without password`);
}

/** A token file wins over a token, as in client-go. */
function tokenOf(path: string, user: Entry): Material | undefined {
  const [file, token] = [text(user['tokenFile']), text(user['token'])?.trim()];
  if (file) return { file };
  if (token && !isToken(token)) throw refused(path, 'token holds blanks or other characters that no token has');
  return token ? { text: token } : undefined;
}

function basicOf(user: Entry): ClusterConfig['basic'] {
  const [username, password] = [text(user['username']), text(user['password'])];
  return username || password ? { username: username ?? '', password: password ?? '' } : undefined;
}

function impersonationOf(path: string, user: Entry): Impersonation | undefined {
  const [as, uid] = [text(user['as']), text(user['as-uid'])];
  const groups = list<string>(user['as-groups']);
  const extra = (user['as-user-extra'] ?? {}) as Record<string, string[]>;
  const isMore = uid !== undefined || groups.length > 0 || Object.keys(extra).length > 0;
  if (!as && isMore) throw refused(path, 'as-uid, as-groups and as-user-extra need a name in as; give it');
  if (!as) return undefined;
  const values = [as, uid ?? '', ...groups, ...Object.values(extra).flat()];
  if (!values.every(isHeaderValue))
    throw refused(path, 'as, as-uid, as-groups or as-user-extra hold control characters');
  return { user: as, ...(uid && { uid }), groups, extra };
}

/** Who gives the login, where the user has none of its own; as in client-go that wins. */
function providerOf(
  path: string,
  user: Entry,
  cluster: Entry,
  own: Partial<ClusterConfig>,
): Pick<ClusterConfig, 'exec' | 'oidc'> {
  const [exec, provider] = [user['exec'], user['auth-provider']] as [
    Entry | null | undefined,
    Entry | null | undefined,
  ];
  if (exec && provider)
    throw refused(path, 'the user has an exec plugin and an auth-provider; take one of the two out');
  const given = {
    ...(exec && { exec: execPart(path, exec, cluster) }),
    ...(provider && { oidc: oidcPart(path, provider) }),
  };
  if (own.token || own.basic) return {};
  return own.clientCertificate ? { ...(given.oidc && { oidc: given.oidc }) } : given;
}

function execPart(path: string, exec: Entry, cluster: Entry): ExecConfig {
  const [command, apiVersion, installHint] = [
    text(exec['command']),
    text(exec['apiVersion']),
    text(exec['installHint']),
  ];
  if (!command) throw refused(path, 'the exec plugin has no command');
  if (!apiVersion || !/^client\.authentication\.k8s\.io\/v1(beta1)?$/.test(apiVersion))
    throw refused(path, 'exec plugins must use client.authentication.k8s.io/v1 or v1beta1');
  const mode = text(exec['interactiveMode']) ?? 'IfAvailable';
  if (mode === 'Always') throw refused(path, `the exec plugin ${command} needs a terminal`);
  if (!['Never', 'IfAvailable'].includes(mode))
    throw refused(path, `interactiveMode of the exec plugin ${command} must be Never or IfAvailable`);
  const variables = list<{ name?: string; value?: string }>(exec['env']);
  if (!variables.every(({ name }) => name)) throw refused(path, `a variable of the exec plugin ${command} has no name`);
  return {
    apiVersion,
    command,
    args: list<string>(exec['args']),
    env: Object.fromEntries(variables.map(({ name, value }) => [name, value ?? ''])),
    ...(installHint && { installHint }),
    ...(exec['provideClusterInfo'] === true && { cluster: clusterInfo(cluster) }),
  };
}

/** The `spec.cluster` of an ExecCredential. */
function clusterInfo(cluster: Entry): Entry {
  const names = ['server', 'tls-server-name', 'insecure-skip-tls-verify', 'certificate-authority-data', 'proxy-url'];
  const info = Object.fromEntries(
    names.filter((name) => cluster[name] !== undefined).map((name) => [name, cluster[name]]),
  );
  const file = text(cluster['certificate-authority']);
  if (file) info['certificate-authority-data'] = Buffer.from(readMaterial({ file })).toString('base64');
  const extensions = list<{ name: string; extension: unknown }>(cluster['extensions']);
  const config = extensions.find(({ name }) => name === 'client.authentication.k8s.io/exec')?.extension;
  return config === undefined ? info : { ...info, config };
}

function oidcPart(path: string, { name, config }: Entry): OidcConfig {
  if (name !== 'oidc')
    throw refused(path, `auth-provider ${text(name) ?? ''} is not supported, only oidc; use an exec plugin instead`);
  const entry = (config ?? {}) as Entry;
  const of = (key: string) => text(entry[key])?.trim();
  const [issuer, clientId, clientSecret] = [of('idp-issuer-url'), of('client-id'), of('client-secret')];
  if (!issuer || !URL.canParse(issuer) || new URL(issuer).protocol !== 'https:' || new URL(issuer).username)
    throw refused(path, 'auth-provider oidc needs an https URL as idp-issuer-url');
  if (!clientId) throw refused(path, 'auth-provider oidc needs a client-id');
  const [idToken, refreshToken] = [of('id-token'), of('refresh-token')];
  if (!idToken && !refreshToken)
    throw refused(path, 'auth-provider oidc has neither an id-token nor a refresh-token; log in anew');
  const ca = material(path, entry, 'idp-certificate-authority');
  return {
    issuer,
    clientId,
    ...(clientSecret && { clientSecret }),
    ...(idToken && { idToken }),
    ...(refreshToken && { refreshToken }),
    ...(ca && { ca }),
  };
}

/** What stands under a name with `-data` itself, and under the name as a file; kubectl takes only one of them, too. */
function material(path: string, entry: Entry, name: string): Material | undefined {
  const [data, file] = [text(entry[`${name}-data`]), text(entry[name])];
  if (data && file) throw refused(path, `${name} and ${name}-data stand side by side; take one of the two out`);
  if (data) return { text: Buffer.from(data, 'base64').toString('utf8') };
  return file ? { file } : undefined;
}

function refused(path: string, problem: string) {
  return invalidConfig(`kubeconfig ${path}: ${problem}`);
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function list<T>(value: unknown): T[] {
  return Array.isArray(value) ? (value as T[]) : [];
}
