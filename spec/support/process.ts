import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { request } from 'undici';
import { freePort, type GuardedProcess, startGuarded, temporaryDirectory } from '../lab/index.ts';
import { type Outcome, run } from '../lab/install/run.ts';
import { eventually, HANG_LIMIT_MS } from './eventually.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** How to start `rolevend controller`. */
export interface ProcessStart {
  /** Flags; free ports of loopback are added. */
  flags?: Record<string, string>;
  /** The environment, except PATH and a HOME without any files. */
  env?: Record<string, string>;
}

/** A running `rolevend controller`. */
export interface RolevendProcess {
  /** Resolves with the exit code, 128 + the number of the signal where one killed it. */
  readonly exited: Promise<number>;
  /** Everything it has printed. */
  output(): Promise<string>;
  /** The same as JSON, a line each. */
  log(): Promise<Record<string, unknown>[]>;
  /** Asks `/healthz`, `/readyz` or `/metrics`. Throws where nobody listens. */
  ask(path: string): Promise<{ status: number; body: string; contentType: string }>;
  /** Waits until `/readyz` answers 200. */
  ready(): Promise<void>;
  /** The value of one series of `/metrics`, written as there; undefined where there is none. */
  metric(series: string): Promise<number | undefined>;
  /** Waits until its queue is empty and no pass runs. */
  idle(): Promise<void>;
  /** Suspends it, as a machine that goes to sleep does, or lets it go on. */
  suspend(): Promise<void>;
  resume(): Promise<void>;
  /** Sends the signal and waits for the end, also where it had ended before. Gives what `exited` gives. */
  end(signal?: 'SIGTERM' | 'SIGINT' | 'SIGKILL'): Promise<number>;
}

/** The program as `make build` makes it, and what was started of it. */
export interface Program {
  /** A directory for what a test writes; it goes away with the program. */
  readonly directory: string;
  /** Runs the program with these arguments to its end. */
  run(args: string[], env?: Record<string, string>): Promise<Outcome>;
  /** Resolves when it listens, or has ended. */
  start(options: ProcessStart): Promise<RolevendProcess>;
  /** Ends every process that was started and removes the directory. */
  remove(): Promise<void>;
}

/** Builds the program from the present sources into a directory of its own, within about half a second. */
export async function buildProgram(): Promise<Program> {
  const directory = await temporaryDirectory('rolevend-process-');
  const bundle = join(directory.path, 'rolevend.mjs');
  const { code, stderr } = await run([process.execPath, 'spec/tools/build.ts', 'lib/main.ts', bundle], { cwd: root });
  if (code !== 0) throw new Error(`the build failed: ${stderr}`);
  const started: GuardedProcess[] = [];
  const environment = (env: Record<string, string> = {}) => ({
    PATH: process.env['PATH'],
    HOME: join(directory.path, 'home'),
    // Its 3 MB are compiled once and not at each start.
    NODE_COMPILE_CACHE: join(directory.path, 'compiled'),
    ...env,
  });
  const launch = async ({ flags, env }: ProcessStart) => {
    const ports = { metrics: await freePort(), health: await freePort() };
    const logFile = join(directory.path, `${randomBytes(4).toString('hex')}.log`);
    const all = { ...addressFlags(ports), ...flags };
    const args = Object.entries(all).map(([name, value]) => `--${name}=${value}`);
    // The shell becomes the program, so that its process id is the program's.
    const command = ['sh', '-c', 'echo $$ >"$0"; exec "$@"', `${logFile}.pid`];
    command.push(process.execPath, bundle, 'controller', ...args);
    const guarded = startGuarded({ name: 'rolevend', command, logFile, env: environment(env) });
    started.push(guarded);
    return new Running(guarded, ports);
  };
  return {
    directory: directory.path,
    run: (args, env) => run([process.execPath, bundle, ...args], { env: environment(env) }),
    start: async (options) => {
      for (;;) {
        const running = await launch(options);
        if (!(await running.hasLostAPort())) return running;
      }
    },
    remove: async () => {
      await Promise.all(started.map((one) => one.stop()));
      await directory.remove();
    },
  };
}

interface Ports {
  metrics: number;
  health: number;
}

function addressFlags({ metrics, health }: Ports): Record<string, string> {
  return {
    'metrics-bind-address': `127.0.0.1:${metrics}`,
    'health-probe-bind-address': `127.0.0.1:${health}`,
  };
}

class Running implements RolevendProcess {
  readonly exited: Promise<number>;
  readonly #process: GuardedProcess;
  readonly #ports: Ports;

  constructor(guarded: GuardedProcess, ports: Ports) {
    this.#process = guarded;
    this.exited = guarded.exited;
    this.#ports = ports;
  }

  /** Waits until it listens or has ended; true where somebody else took one of its ports meanwhile. */
  async hasLostAPort(): Promise<boolean> {
    const listens = () => this.ask('/healthz').then(() => true);
    await eventually('the operator to listen', () => !this.#process.running || listens());
    return !this.#process.running && (await this.output()).includes('in use by another process');
  }

  output(): Promise<string> {
    return readFile(this.#process.logFile, 'utf8');
  }

  async log(): Promise<Record<string, unknown>[]> {
    const lines = (await this.output()).split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  async ask(path: string): Promise<{ status: number; body: string; contentType: string }> {
    const port = path === '/metrics' ? this.#ports.metrics : this.#ports.health;
    const limits = { headersTimeout: HANG_LIMIT_MS, bodyTimeout: HANG_LIMIT_MS };
    // Each on its own connection, as the probes of a kubelet are.
    const answer = await request(`http://127.0.0.1:${port}${path}`, { ...limits, reset: true });
    const contentType = String(answer.headers['content-type']);
    return { status: answer.statusCode, body: await answer.body.text(), contentType };
  }

  async ready(): Promise<void> {
    const look = async () => {
      // One that has ended will never answer.
      if (!this.#process.running) return 'ended';
      const { status, body } = await this.ask('/readyz');
      if (status !== 200) throw new Error(body);
      return 'ready';
    };
    const state = await eventually('the operator is ready', look).catch((error: Error) => error.message);
    if (state !== 'ready') throw new Error(`${state}; its last lines:\n${await this.#process.tail()}`);
  }

  async metric(series: string): Promise<number | undefined> {
    const { body } = await this.ask('/metrics');
    const line = body.split('\n').find((one) => one.startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.slice(series.length));
  }

  async idle(): Promise<void> {
    await eventually('the operator has nothing to do', async () => {
      const waiting = await this.metric('workqueue_depth{name="aws-assume-role"}');
      const busy = await this.metric('controller_runtime_active_workers{controller="aws-assume-role"}');
      return waiting === 0 && busy === 0;
    });
  }

  async suspend(): Promise<void> {
    process.kill(await this.#pid(), 'SIGSTOP');
  }

  async resume(): Promise<void> {
    process.kill(await this.#pid(), 'SIGCONT');
  }

  async end(signal: 'SIGTERM' | 'SIGINT' | 'SIGKILL' = 'SIGTERM'): Promise<number> {
    if (this.#process.running) process.kill(await this.#pid(), signal);
    return this.exited;
  }

  async #pid(): Promise<number> {
    const file = `${this.#process.logFile}.pid`;
    return eventually('the process to have started', async () => Number(await readFile(file, 'utf8')));
  }
}
