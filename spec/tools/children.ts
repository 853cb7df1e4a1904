import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';

/** Signals that end a run. Each reaches every child, with all that the child started. */
const endings = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** How long a child may take to clean up after itself before it is killed, milliseconds. */
const GRACE_MS = 10_000;

/**
 * Runs programs one after another or side by side and ends them all, with their own children, when this process is
 * told to end. Each child leads a process group of its own, so that nothing of it is left behind.
 */
export class Children {
  readonly #running = new Set<ChildProcess>();
  #ending: NodeJS.Signals | undefined;

  constructor() {
    for (const signal of endings) process.on(signal, () => this.#end(signal));
  }

  /** The signal that ended the run, if one did. */
  get ending(): NodeJS.Signals | undefined {
    return this.#ending;
  }

  /** The exit code that a shell expects of this process after `ending`. */
  get endingCode(): number {
    return this.#ending === undefined ? 0 : 128 + constants.signals[this.#ending];
  }

  /** Runs a program with this process's output and gives its exit code; 128 + n after signal n, 127 where it cannot start. */
  run(command: string, args: readonly string[], env: Record<string, string> = {}): Promise<number> {
    if (this.#ending !== undefined) return Promise.resolve(this.endingCode);
    return new Promise((resolve) => {
      const child = spawn(command, args, {
        stdio: ['ignore', 'inherit', 'inherit'],
        env: { ...process.env, ...env },
        detached: true,
      });
      this.#running.add(child);
      const ended = (code: number) => {
        this.#running.delete(child);
        kill(child, 'SIGKILL');
        resolve(code);
      };
      child.on('error', (error) => {
        process.stderr.write(`${command} does not start: ${error.message}\n`);
        ended(127);
      });
      child.on('exit', (code, signal) => ended(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
    });
  }

  #end(signal: NodeJS.Signals): void {
    const first = this.#ending === undefined;
    this.#ending ??= signal;
    for (const child of this.#running) kill(child, first ? signal : 'SIGKILL');
    if (first) setTimeout(() => this.#end(signal), GRACE_MS).unref();
  }
}

/** Signals the child's whole group; the group may be gone already. */
function kill(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
