import { generateKeyPair, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { etcdServers } from './etcd.ts';
import { type GuardedProcess, startGuarded } from './guard.ts';

const TOKENS = 'tokens.csv';
const AUDIT_POLICY = 'audit-policy.json';

/** Name of the audit log in the control plane's directory. */
export const AUDIT_LOG = 'audit.log';

/** Name of the certificate that the server makes for itself, with the authority that signed it. */
export const CERTIFICATE = join('certificates', 'apiserver.crt');

/** Name of the certificate's key, which the server writes after the certificate. */
export const CERTIFICATE_KEY = join('certificates', 'apiserver.key');

/** Name of the key that signs the tokens of ServiceAccounts. */
export const SIGNING_KEY = 'service-accounts.key';

/** What one API server is started with; a restart takes the same again. */
export interface ApiServerOptions {
  program: readonly string[];
  directory: string;
  port: number;
  audit: boolean;
  oidc?: OidcIssuer | undefined;
}

/** An OpenID Connect provider whose id-tokens the server takes: the name is their `email`, the groups their `groups`. */
export interface OidcIssuer {
  issuer: string;
  clientId: string;
  /** PEM file of the authority that signed the provider's certificate. */
  caFile: string;
}

/**
 * Writes the files that the server reads at its start: the administrator's token, the key for ServiceAccounts (RS256, as
 * on EKS), the audit policy.
 *
 * @returns the administrator's token
 */
export async function prepareApiServer(directory: string): Promise<string> {
  const token = randomBytes(24).toString('base64url');
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  const policy = {
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived'],
    rules: [{ level: 'Metadata' }],
  };
  await write(directory, TOKENS, `${token},lab-admin,lab-admin,"system:masters"\n`);
  await write(directory, SIGNING_KEY, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  await write(directory, AUDIT_POLICY, JSON.stringify(policy));
  return token;
}

/** Starts the server. Its issuer of ServiceAccount tokens is its own address, so that others can fetch the keys there. */
export function startApiServer(options: ApiServerOptions): GuardedProcess {
  const flags = {
    'etcd-servers': etcdServers,
    'bind-address': '127.0.0.1',
    'advertise-address': '127.0.0.1',
    'secure-port': String(options.port),
    'cert-dir': 'certificates',
    'service-cluster-ip-range': '10.0.0.0/24',
    'authorization-mode': 'RBAC',
    'token-auth-file': TOKENS,
    'service-account-issuer': `https://127.0.0.1:${options.port}`,
    'service-account-signing-key-file': SIGNING_KEY,
    'service-account-key-file': SIGNING_KEY,
    // No Endpoints for the `kubernetes` Service: they may not name loopback addresses.
    'endpoint-reconciler-type': 'none',
    ...(options.audit ? auditFlags : {}),
    ...(options.oidc ? oidcFlags(options.oidc) : {}),
  };
  const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  return startGuarded({
    name: 'kube-apiserver',
    command: [...options.program, ...args],
    cwd: options.directory,
    logFile: join(options.directory, 'kube-apiserver.log'),
  });
}

/** Blocking: an entry stands in the file before the client has its answer. */
const auditFlags = {
  'audit-policy-file': AUDIT_POLICY,
  'audit-log-path': AUDIT_LOG,
  'audit-log-mode': 'blocking',
};

function oidcFlags({ issuer, clientId, caFile }: OidcIssuer) {
  return {
    'oidc-issuer-url': issuer,
    'oidc-client-id': clientId,
    'oidc-ca-file': caFile,
    'oidc-username-claim': 'email',
    'oidc-groups-claim': 'groups',
  };
}

async function write(directory: string, name: string, content: string | Buffer): Promise<void> {
  await writeFile(join(directory, name), content, { mode: 0o600 });
}
