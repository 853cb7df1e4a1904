import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Runs the command in "$@" until it ends or standard input does. Node holds the other end of that pipe, and the system
 * closes it however Node ends, also by SIGKILL: no child outlives the process that started it.
 * The watcher uses `read`, which is part of the shell, so that killing it leaves no process behind either.
 */
const GUARD = `
exec 3<&0 </dev/null
"$@" 3<&- &
child=$!
( while read -r _ <&3; do :; done; kill -KILL "$child" ) 2>/dev/null &
watcher=$!
exec 3<&-
wait "$child"
code=$?
kill -KILL "$watcher" 2>/dev/null
wait "$watcher" 2>/dev/null
exit "$code"
`;

/** Removes the directory "$1" once standard input ends; tries for 30 s, since a dying process may still write into it. */
const JANITOR = `
while read -r _; do :; done
tries=0
while ! rm -rf "$1" 2>/dev/null && [ "$tries" -lt 300 ]; do sleep 0.1; tries=$((tries + 1)); done
`;

/** A process that dies with ours. */
export interface GuardedProcess {
  /** What it is called in messages. */
  readonly name: string;
  /** The process group that it and its guard are alone in. */
  readonly group: number | undefined;
  /** The file that holds its output. */
  readonly logFile: string;
  /** False once it has ended. */
  readonly running: boolean;
  /** Resolves with the exit code when the process has ended for whatever reason (128 + signal number where one killed it). */
  readonly exited: Promise<number>;
  /** Kills it and resolves when it is gone. Calling it again does nothing. */
  stop(): Promise<void>;
  /** The last lines of its output. */
  tail(lines?: number): Promise<string>;
}

/** How to start a guarded process. */
export interface GuardOptions {
  /** What it is called in messages. */
  name: string;
  /** Program and arguments. */
  command: readonly string[];
  /** File that gets standard output and standard error, appended to. */
  logFile: string;
  /** Working directory, default our own. */
  cwd?: string;
  /** The whole environment, default our own. */
  env?: NodeJS.ProcessEnv;
}

/** Starts a process that ends when `stop` is called or when our process ends in any way. It does not keep Node running. */
export function startGuarded(options: GuardOptions): GuardedProcess {
  const log = openSync(options.logFile, 'a', 0o600);
  const child = spawn('sh', ['-c', GUARD, 'guard', ...options.command], {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ['pipe', log, log],
    // Its own session: Ctrl-C in the terminal reaches us alone, and we end the parts in order.
    detached: true,
  });
  closeSync(log);
  const exited = new Promise<number>((resolve) => {
    child.once('exit', (code) => resolve(code ?? 137));
    child.once('error', () => resolve(127));
  });
  release(child);
  return {
    name: options.name,
    group: child.pid,
    logFile: options.logFile,
    exited,
    get running() {
      return child.exitCode === null && child.signalCode === null && child.pid !== undefined;
    },
    stop: () => stop(child, exited),
    tail: (lines = 15) => tail(options.logFile, lines),
  };
}

/** A directory of our own below the system's temporary directory, readable by us alone. */
export interface TemporaryDirectory {
  readonly path: string;
  /** Removes it with everything in it. */
  remove(): Promise<void>;
}

/** Makes a directory that goes away with `remove` or when our process ends in any way. */
export async function temporaryDirectory(prefix: string): Promise<TemporaryDirectory> {
  const path = await mkdtemp(join(tmpdir(), prefix));
  const janitor = spawn('sh', ['-c', JANITOR, 'janitor', path], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  const exited = new Promise<void>((resolve) => {
    janitor.once('exit', () => resolve());
    janitor.once('error', () => resolve());
  });
  release(janitor);
  return {
    path,
    async remove() {
      await rm(path, { recursive: true, force: true, maxRetries: 5 });
      await stop(janitor, exited);
    },
  };
}

async function stop(child: ChildProcess, exited: Promise<unknown>): Promise<void> {
  child.ref();
  child.stdin?.destroy();
  await exited;
}

/** Lets Node end while the child runs; the guard then ends the child. */
function release(child: ChildProcess): void {
  child.unref();
  const input = child.stdin as (NodeJS.WritableStream & { unref?: () => void }) | null;
  input?.unref?.();
  input?.on('error', () => {});
}

async function tail(file: string, lines: number): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.trimEnd().split('\n').slice(-lines).join('\n');
}
