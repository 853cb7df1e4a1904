import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Ask, Figures, ProcessStart, Settled } from './messages.ts';

const program = fileURLToPath(new URL('operator-process.ts', import.meta.url));

/** An operator in a process of its own. It lives by a clock that goes at the machine's speed unless it is put forward. */
export interface OperatorProcess {
  /** Waits until it has nothing to do. */
  settle(): Promise<Settled>;
  /** Puts its clock forward, and waits until it has done what is due then. */
  skip(ms: number): Promise<Settled>;
  /** What it holds while it has nothing to do. */
  measure(): Promise<Figures>;
  /** Ends it as SIGTERM does. */
  stop(): Promise<void>;
}

/** Starts an operator and waits until it is ready. It ends with this process. */
export async function startOperatorProcess(start: ProcessStart): Promise<OperatorProcess> {
  const child = fork(program, [JSON.stringify(start)], {
    execArgv: ['--expose-gc', '--no-warnings'],
    stdio: 'inherit',
  });
  const line = new Line(child);
  await line.answer(0);
  return {
    settle: () => line.ask<Settled>('settle'),
    skip: (ms) => line.ask<Settled>('skip', ms),
    measure: () => line.ask<Figures>('measure'),
    stop: async () => {
      if (child.exitCode !== null) return;
      const exited = new Promise((resolve) => child.once('exit', resolve));
      child.send({ ask: 'stop' });
      await exited;
    },
  };
}

/** Questions to a child process, and its answers. */
class Line {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #last = 0;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (message) => {
      const { id, result } = message as { id: number; result: unknown };
      this.#waiting.get(id)?.resolve(result);
      this.#waiting.delete(id);
    });
    child.once('exit', (code) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`the operator's process ended with ${code}`));
    });
  }

  ask<T>(ask: Ask, ms = 0): Promise<T> {
    this.#last += 1;
    this.#child.send({ id: this.#last, ask, ms });
    return this.answer<T>(this.#last);
  }

  answer<T>(id: number): Promise<T> {
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(id, waiting);
    return waiting.promise as Promise<T>;
  }
}
