import { spawn } from 'node:child_process';
import type { Clock } from '../clock.ts';
import { parseTime } from '../clock.ts';
import { RolevendError } from '../errors.ts';
import type { ExecConfig } from './kubeconfig.ts';

/** What a credential plugin gave. */
export interface ExecCredential {
  token?: string;
  clientCertificate?: { certificate: string; key: string };
  /** Milliseconds since 1970; absent: until it is refused. */
  expiresAt?: number;
}

export interface ExecOptions {
  exec: ExecConfig;
  clock: Clock;
  /** Environment of the plugin. The variables of the kubeconfig and `KUBERNETES_EXEC_INFO` are added. */
  environment: Readonly<Record<string, string | undefined>>;
  /** Default 30,000. */
  timeoutMs?: number;
}

/** A credential is replaced so long before it expires, or in the last fifth of its life where that is shorter. */
const refreshAheadMs = 60_000;
/** Refused credentials do not make a plugin run more often than this. */
const leastIntervalMs = 5_000;

/** The credential of a plugin: one run at a time, a new one ahead of the expiry or when the last one was refused. */
export class ExecCredentials {
  readonly #options: ExecOptions;
  #current: ExecCredential | undefined;
  #refreshAt = 0;
  #running: Promise<ExecCredential> | undefined;
  #renewedAt = Number.NEGATIVE_INFINITY;

  constructor(options: ExecOptions) {
    this.#options = options;
  }

  /** Throws `ExecPluginFailed` when there is no valid credential and the plugin gives none. */
  async current(): Promise<ExecCredential> {
    const now = this.#options.clock.now();
    const known = this.#current;
    if (known && !this.#running && now < this.#refreshAt) return known;
    try {
      return await this.#run();
    } catch (error) {
      if (known?.expiresAt !== undefined && now < known.expiresAt) return known;
      throw error;
    }
  }

  /** Gets a new credential although the one at hand has not expired. */
  async renew(): Promise<void> {
    const now = this.#options.clock.monotonic();
    if (!this.#running && now - this.#renewedAt < leastIntervalMs) return;
    this.#renewedAt = now;
    await this.#run();
  }

  #run(): Promise<ExecCredential> {
    this.#running ??= this.#fetch().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #fetch(): Promise<ExecCredential> {
    const credential = await runPlugin(this.#options);
    const now = this.#options.clock.now();
    const life = (credential.expiresAt ?? Number.POSITIVE_INFINITY) - now;
    this.#refreshAt = now + life - Math.min(refreshAheadMs, life / 5);
    this.#current = credential;
    return credential;
  }
}

/** Runs the plugin once, without a shell. Its error output may hold anything, so it is not kept. */
export async function runPlugin({
  exec,
  clock,
  environment,
  timeoutMs = 30_000,
}: ExecOptions): Promise<ExecCredential> {
  const info = {
    apiVersion: exec.apiVersion,
    kind: 'ExecCredential',
    spec: { interactive: false, ...(exec.cluster && { cluster: exec.cluster }) },
  };
  const env = { ...environment, ...exec.env, KUBERNETES_EXEC_INFO: JSON.stringify(info) };
  return credentialOf(exec, await output(exec, env, clock, timeoutMs));
}

function output(exec: ExecConfig, env: NodeJS.ProcessEnv, clock: Clock, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(exec.command, exec.args, { env, stdio: ['ignore', 'pipe', 'ignore'], windowsHide: true });
    const chunks: Buffer[] = [];
    const fail = (problem: string) => {
      cancel();
      reject(pluginFailed(exec, problem));
    };
    const cancel = clock.after(timeoutMs, () => {
      child.kill('SIGKILL');
      child.stdout.destroy();
      fail(`gave nothing within ${timeoutMs} ms`);
    });
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.on('error', (error: NodeJS.ErrnoException) => fail(`cannot be started (${error.code})`));
    child.on('close', (code, signal) => {
      if (code !== 0) return fail(code === null ? `was ended by ${signal}` : `ended with exit code ${code}`);
      cancel();
      resolve(Buffer.concat(chunks).toString('utf8'));
    });
  });
}

interface ExecAnswer {
  apiVersion?: string;
  kind?: string;
  status?: { token?: string; clientCertificateData?: string; clientKeyData?: string; expirationTimestamp?: string };
}

function credentialOf(exec: ExecConfig, text: string): ExecCredential {
  const { kind, apiVersion, status } = parseAnswer(exec, text);
  if (kind !== 'ExecCredential' || apiVersion !== exec.apiVersion) {
    throw pluginFailed(exec, `did not answer with an ExecCredential of ${exec.apiVersion}`);
  }
  const { token, clientCertificateData: certificate, clientKeyData: key } = status ?? {};
  if (!token && !(certificate && key)) throw pluginFailed(exec, 'gave neither a token nor a client certificate');
  const expiresAt = parseTime(status?.expirationTimestamp);
  return {
    ...(token && { token }),
    ...(certificate && key && { clientCertificate: { certificate, key } }),
    ...(expiresAt !== undefined && { expiresAt }),
  };
}

function parseAnswer(exec: ExecConfig, text: string): ExecAnswer {
  try {
    return (JSON.parse(text) ?? {}) as ExecAnswer;
  } catch {
    throw pluginFailed(exec, 'did not answer with JSON');
  }
}

function pluginFailed({ command, installHint }: ExecConfig, problem: string): RolevendError {
  const hint = installHint ? ` ${installHint.trim()}` : '';
  return new RolevendError(`the credential plugin ${command} of the kubeconfig ${problem}.${hint}`, {
    code: 'ExecPluginFailed',
    consequence: 'retry',
  });
}
