import { sleep, systemClock } from '../../lib/clock.ts';
import type { Keys, LabAws } from '../lab/index.ts';
import { SkipClock } from '../support/clock.ts';
import { eventually } from '../support/eventually.ts';
import { startOperator, type TestOperator } from '../support/operator.ts';
import type { Program, RolevendProcess } from '../support/process.ts';
import { leaseNameOf } from './rights.ts';

/** What an operator that is tried needs. */
export interface SubjectOptions {
  aws: LabAws;
  keys: Keys;
  kubeconfig: string;
  namespace: string;
  leaderElect: boolean;
}

/** The operator that is tried. It is started again whenever it ends, as a kubelet would. */
export interface Subject {
  start(): Promise<void>;
  /** Ends it in the orderly way; it is not started again by itself. */
  stop(): Promise<void>;
  /** Ends it by SIGKILL. Where the plan calls for that, it does not count as a crash. */
  kill(): Promise<void>;
  /** Ends of the process that neither plan nor scenario asked for, as exit codes. */
  readonly crashes: readonly number[];
  /** Whether it is ready and neither works nor has work waiting. */
  isIdle(): Promise<boolean>;
  /** Puts its time forward, where that can be done. */
  skip?: (ms: number) => void;
  /** Log and metrics of all its lives. */
  texts(): Promise<Record<string, string>>;
}

/** The wait before a process that ended by itself is started again. */
const RESTART_MS = 1_000;

/** The bundled program as a process of its own. */
export class ProcessSubject implements Subject {
  readonly crashes: number[] = [];
  readonly #program: Program;
  readonly #options: SubjectOptions;
  readonly #lives: RolevendProcess[] = [];
  #metrics = '';
  #starting: Promise<unknown> = Promise.resolve();
  #isWanted = false;
  #isKilled = false;

  constructor(program: Program, options: SubjectOptions) {
    this.#program = program;
    this.#options = options;
  }

  async start(): Promise<void> {
    const { kubeconfig, namespace, leaderElect, aws, keys } = this.#options;
    this.#isWanted = true;
    const flags = {
      kubeconfig,
      namespaces: namespace,
      'leader-elect': String(leaderElect),
      'leader-election-namespace': namespace,
      'leader-election-name': leaseNameOf(namespace),
      'log-level': 'debug',
    };
    const starting = this.#program.start({ flags, env: aws.environment(keys) });
    this.#starting = starting;
    const life = await starting;
    this.#lives.push(life);
    void life.exited.then((code) => this.#ended(code));
  }

  async stop(): Promise<void> {
    this.#isWanted = false;
    this.#metrics += await this.#ask('/metrics');
    await this.#lives.at(-1)?.end('SIGTERM');
  }

  async kill(): Promise<void> {
    await this.#starting;
    this.#isKilled = true;
    await this.#lives.at(-1)?.end('SIGKILL');
  }

  async isIdle(): Promise<boolean> {
    if ((await this.#ask('/readyz')) !== 'ok\n') return false;
    const metrics = await this.#ask('/metrics');
    const isAt = (series: string) => new RegExp(`^${series}\\{[^}]*\\} 0$`, 'm').test(metrics);
    return isAt('workqueue_depth') && isAt('controller_runtime_active_workers');
  }

  async texts(): Promise<Record<string, string>> {
    const logs = await Promise.all(this.#lives.map((life) => life.output()));
    return { log: logs.join(''), metrics: this.#metrics + (await this.#ask('/metrics')) };
  }

  async #ended(code: number): Promise<void> {
    if (!this.#isWanted) return;
    if (!this.#isKilled) {
      this.crashes.push(code);
      await sleep(systemClock, RESTART_MS);
    }
    this.#isKilled = false;
    if (this.#isWanted) await this.start();
  }

  /** Empty where nobody answers. */
  async #ask(path: string): Promise<string> {
    return (
      (
        await this.#lives
          .at(-1)
          ?.ask(path)
          .catch(() => undefined)
      )?.body ?? ''
    );
  }
}

/** The operator inside of this process, with a clock that can be put forward. It cannot be killed. */
export class InnerSubject implements Subject {
  readonly crashes: number[] = [];
  readonly #clock = new SkipClock();
  readonly #options: SubjectOptions;
  readonly #texts: Record<string, string> = { log: '', metrics: '' };
  #operator: TestOperator | undefined;

  constructor(options: SubjectOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { kubeconfig, namespace, aws, keys, leaderElect } = this.#options;
    const start = { plane: { kubeconfig }, aws, keys, namespaces: [namespace], clock: this.#clock };
    this.#operator = await startOperator(
      { ...start, config: { leaderElect, leaderElectionName: leaseNameOf(namespace) } },
      false,
    );
  }

  async stop(): Promise<void> {
    await this.#read();
    await this.#operator?.stop();
    this.#operator = undefined;
  }

  kill(): Promise<void> {
    throw new Error('an operator inside of this process cannot be killed');
  }

  async isIdle(): Promise<boolean> {
    if (this.#operator?.operator.notReady().length !== 0) return false;
    const values = await Promise.all(['workqueue_depth', 'controller_runtime_active_workers'].map(this.#figure));
    return values.every((value) => value === 0);
  }

  skip = (ms: number): void => this.#clock.skip(ms);

  async texts(): Promise<Record<string, string>> {
    await this.#read();
    return this.#texts;
  }

  readonly #figure = async (name: string): Promise<number | undefined> =>
    (await this.#operator?.metrics.getSingleMetric(name)?.get())?.values[0]?.value;

  async #read(): Promise<void> {
    this.#texts['log'] += this.#operator?.log.join('') ?? '';
    this.#texts['metrics'] += (await this.#operator?.metrics.metrics()) ?? '';
  }
}

/** Waits until the subject has nothing to do. */
export function idle(subject: Subject): Promise<true> {
  return eventually('the operator to have nothing to do', async () => (await subject.isIdle()) || undefined);
}
