import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AUDIT_LOG } from './api-server.ts';
import { type Outcome, run } from './install/run.ts';
import { type ApiAnswer, KubeApi } from './kube-api.ts';
import { type KubeconfigUser, writeKubeconfig } from './kubeconfig.ts';

/** Everything that another process needs to use a control plane. Plain data, fit for JSON. */
export interface ControlPlaneDescription {
  /** What it is called in messages. */
  name: string;
  /** Its directory: data, logs, kubeconfigs. */
  dir: string;
  /** `https://127.0.0.1:<port>`; the port stays for its whole life. */
  server: string;
  /** Issuer of its ServiceAccount tokens, where `/.well-known/openid-configuration` answers anybody. */
  issuer: string;
  /** PEM file of the authority that signed the server's certificate. */
  caFile: string;
  /** Kubeconfig of a member of `system:masters`. */
  kubeconfig: string;
  /** Paths of the command line tools. */
  kubectlPath: string;
  helmPath: string;
}

/** A user for `kubeconfigFor`. A ServiceAccount must exist; its token is for the API server and lasts an hour. */
export type LabUser = KubeconfigUser | { serviceAccount: { namespace: string; name: string } };

/** What can be done with a control plane that somebody runs. */
export interface AttachedControlPlane extends ControlPlaneDescription {
  /** Runs kubectl as administrator. It does not throw: look at `code`. */
  kubectl(...args: string[]): Promise<Outcome>;
  /** Runs kubectl with this standard input, for `apply -f -`. */
  kubectlInput(input: string, ...args: string[]): Promise<Outcome>;
  /** One request as administrator; a PATCH is a merge patch unless `contentType` says otherwise. */
  request: KubeApi['request'];
  /** A token of the TokenRequest API, by default for the API server's own audience and an hour. */
  serviceAccountToken(
    account: { namespace: string; name: string },
    options?: { audiences?: string[]; expirationSeconds?: number },
  ): Promise<string>;
  /** Writes a kubeconfig for this user and returns its path. */
  kubeconfigFor(user: LabUser): Promise<string>;
  /**
   * What the API server answered so far, oldest first, as audit.k8s.io/v1 Events; needs `audit`. With a text, only those that
   * hold it somewhere, which is much faster in a log that all tests share.
   */
  auditLog(text?: string): Promise<AuditEntry[]>;
}

/** The fields of an audit entry that tests look at; the others are there too. */
export interface AuditEntry {
  verb: string;
  user: { username: string };
  requestURI: string;
  objectRef?: { resource: string; namespace?: string; name?: string; apiGroup?: string; subresource?: string };
  responseStatus?: { code: number };
  stage: string;
}

/** Gives the description its actions. Opens nothing before the first call. */
export function attach(description: ControlPlaneDescription): AttachedControlPlane {
  let api: Promise<KubeApi> | undefined;
  const request: KubeApi['request'] = async (...args) => {
    api ??= KubeApi.of(description.kubeconfig);
    return (await api).request(...args);
  };
  const token: AttachedControlPlane['serviceAccountToken'] = async (account, options = {}) => {
    const path = `/api/v1/namespaces/${account.namespace}/serviceaccounts/${account.name}/token`;
    const answer = await request<{ status: { token: string } }>('POST', path, { spec: options });
    return expectSuccess(answer, path).status.token;
  };
  return {
    ...description,
    request,
    serviceAccountToken: token,
    kubectl: (...args) => kubectl(description, '', args),
    kubectlInput: (input, ...args) => kubectl(description, input, args),
    auditLog: (text) => readAuditLog(description.dir, text),
    async kubeconfigFor(user) {
      const plain = 'serviceAccount' in user ? { token: await token(user.serviceAccount) } : user;
      return writeKubeconfig(description.dir, description, plain);
    },
  };
}

/**
 * The body of an answer that must be a success.
 *
 * @throws Error with the server's status and message otherwise
 */
export function expectSuccess<T>(answer: ApiAnswer<T>, what: string): T {
  if (answer.status < 300) return answer.body;
  const { message } = answer.body as { message?: string };
  throw new Error(`${what}: HTTP ${answer.status}: ${message ?? 'no message'}`);
}

function kubectl(description: ControlPlaneDescription, input: string, args: string[]): Promise<Outcome> {
  const flags = ['--kubeconfig', description.kubeconfig, '--cache-dir', join(description.dir, 'kubectl-cache')];
  return run([description.kubectlPath, ...flags, ...args], { input, env: { ...process.env, KUBERC: 'off' } });
}

async function readAuditLog(directory: string, text = ''): Promise<AuditEntry[]> {
  const log = await readFile(join(directory, AUDIT_LOG), 'utf8');
  // The last line is empty, or one that is being written.
  const lines = log.split('\n').slice(0, -1);
  const meant = lines.filter((line) => line.includes(text));
  return meant.map((line) => JSON.parse(line) as AuditEntry);
}
