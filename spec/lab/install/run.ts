import { spawn } from 'node:child_process';
import { systemClock } from '../../../lib/clock.ts';
import type { Progress } from './cache.ts';

const REPORT_MS = 10_000;

/** What a command left. */
export interface Outcome {
  /** Exit code; 127 when the program is not there. */
  code: number;
  stdout: string;
  stderr: string;
}

/** How to run a command. */
export interface RunOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** What to write to its standard input. */
  input?: string;
}

/** Runs a program to its end and collects what it prints. It never throws; a missing program gives code 127. */
export function run(command: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const [program = '', ...args] = command;
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: options.cwd, env: options.env ?? process.env, stdio: 'pipe' });
    const output = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      output.stderr += text;
    });
    child.once('error', (error) => resolve({ code: 127, stdout: '', stderr: error.message }));
    child.once('close', (code) => resolve({ code: code ?? 137, ...output }));
    child.stdin.on('error', () => {});
    child.stdin.end(options.input ?? '');
  });
}

/**
 * Runs a long command and says every 10 s how long it has run.
 *
 * @throws Error with the last lines of its output when it fails
 */
export async function runWithProgress(
  what: string,
  command: readonly string[],
  progress: Progress,
  options: RunOptions = {},
): Promise<void> {
  const start = systemClock.monotonic();
  const seconds = () => `${Math.round((systemClock.monotonic() - start) / 1000)} s`;
  let cancel = () => {};
  const report = () => {
    progress(`${what}: ${seconds()} so far`);
    cancel = systemClock.after(REPORT_MS, report);
  };
  cancel = systemClock.after(REPORT_MS, report);
  progress(what);
  const outcome = await run(command, options).finally(() => cancel());
  if (outcome.code !== 0) throw new Error(`${what} failed (${command[0]}):\n${lastLines(outcome)}`);
  progress(`${what}: done in ${seconds()}`);
}

function lastLines({ stdout, stderr }: Outcome): string {
  return (stderr.trim() || stdout.trim()).split('\n').slice(-15).join('\n');
}
