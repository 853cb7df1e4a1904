import type { Clock } from '../clock.ts';
import { parseTime } from '../clock.ts';
import { RolevendError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { Slots } from '../net/slots.ts';
import { type ProcessResult, runProcess } from './exec-process.ts';
import type { KeyPair } from './key-pair.ts';
import { keyPairProblem } from './key-pair.ts';
import type { ExecConfig } from './kubeconfig.ts';
import { Renewal } from './renewal.ts';
import { isToken } from './token.ts';

/** What a credential plugin gave. */
export interface ExecCredential {
  token?: string;
  clientCertificate?: KeyPair;
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

/** Plugins are whole programs: of those of all connections only so many run at once. */
const pluginsOfProcess = new Slots({ inAll: 4, inGroup: 4 });

/** The credential of a plugin. The known one serves until its end; a new run goes ahead of that, or when it was refused. */
export class ExecCredentials {
  readonly #renewal: Renewal<ExecCredential>;
  readonly #ended = new AbortController();

  /** @param slots who share them; default: all of the process */
  constructor(options: ExecOptions & { log: Logger; random?: () => number }, slots: Slots = pluginsOfProcess) {
    const { signal } = this.#ended;
    const fetch = () => slots.run(options.exec.command, signal, () => runPlugin(options, signal));
    const { clock, log, random } = options;
    this.#renewal = new Renewal({ fetch, clock, log, name: options.exec.command, ...(random && { random }) });
  }

  /** Throws `ExecPluginFailed` when there is no valid credential and the plugin gives none. */
  current(): Promise<ExecCredential> {
    return this.#renewal.current();
  }

  /** Gets a new credential although the one at hand has not expired. Throws `ExecPluginFailed`. */
  renew(): Promise<void> {
    return this.#renewal.renew();
  }

  /** Ends a plugin that runs. */
  close(): void {
    this.#ended.abort();
  }
}

/** Runs the plugin once. Throws `ExecPluginFailed`, with the last line of its error output and nothing of its output. */
export async function runPlugin(
  { exec, clock, environment, timeoutMs = 30_000 }: ExecOptions,
  signal: AbortSignal,
): Promise<ExecCredential> {
  const info = {
    apiVersion: exec.apiVersion,
    kind: 'ExecCredential',
    spec: { interactive: false, ...(exec.cluster && { cluster: exec.cluster }) },
  };
  const result = await runProcess({
    command: exec.command,
    args: exec.args,
    environment: { ...environment, ...exec.env, KUBERNETES_EXEC_INFO: JSON.stringify(info) },
    clock,
    timeoutMs,
    signal,
  });
  const given = credentialOf(exec, result);
  if (typeof given !== 'string') return given;
  throw pluginFailed(exec, given, result.lastLine);
}

interface ExecAnswer {
  apiVersion?: unknown;
  kind?: unknown;
  status?: Record<string, unknown>;
}

/** The credential, or what is wrong. */
function credentialOf(exec: ExecConfig, { output, problem }: ProcessResult): ExecCredential | string {
  if (output === undefined) return problem ?? 'gave nothing';
  const answer = parseAnswer(output);
  if (answer === undefined) return output.trim() === '' ? 'printed nothing' : 'did not answer with JSON';
  if (answer.kind !== 'ExecCredential' || answer.apiVersion !== exec.apiVersion) {
    return `did not answer with an ExecCredential of ${exec.apiVersion}`;
  }
  return ofStatus(answer.status ?? {});
}

function parseAnswer(output: string): ExecAnswer | undefined {
  try {
    const answer: unknown = JSON.parse(output);
    return typeof answer === 'object' && answer !== null ? answer : undefined;
  } catch {
    return undefined;
  }
}

/** Tokens come with the end of their line more often than not. */
function ofStatus(status: Record<string, unknown>): ExecCredential | string {
  const wrong = fields.find((name) => !['string', 'undefined'].includes(typeof (status[name] ?? undefined)));
  if (wrong) return `gave a ${wrong} that is no text`;
  const [token, certificate, key, expiration] = fields.map((name) => ((status[name] ?? '') as string).trim());
  if (!token && !certificate && !key) return 'gave neither a token nor a client certificate';
  if (token && !isToken(token)) return 'gave a token that holds blanks or other characters that no token has';
  if (!certificate !== !key) return 'gave a client certificate without its key, or a key alone';
  const pair = certificate && key ? { certificate, key } : undefined;
  const problem = pair && keyPairProblem(pair);
  if (problem) return `gave a client certificate that cannot be used: ${problem}`;
  const expiresAt = parseTime(expiration || undefined);
  if (expiration && expiresAt === undefined) return 'gave an expirationTimestamp that is no time';
  return {
    ...(token && { token }),
    ...(pair && { clientCertificate: pair }),
    ...(expiresAt !== undefined && { expiresAt }),
  };
}

const fields = ['token', 'clientCertificateData', 'clientKeyData', 'expirationTimestamp'] as const;

function pluginFailed({ command, installHint }: ExecConfig, problem: string, lastLine: string): RolevendError {
  const said = lastLine === '' ? '' : `; its last line of error output: ${lastLine.replace(/\.$/, '')}`;
  const hint = installHint ? ` ${installHint.trim()}` : '';
  return new RolevendError(`the credential plugin ${command} of the kubeconfig ${problem}${said}.${hint}`, {
    code: 'ExecPluginFailed',
    consequence: 'retry',
  });
}
