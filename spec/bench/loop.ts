import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { systemClock as clock } from '../../lib/clock.ts';
import type { Contents } from './bare-loop.ts';

const PROGRAM = fileURLToPath(new URL('loop-process.ts', import.meta.url));

/** What a loop does, in a namespace that is there. */
export interface Job {
  kubeconfig: string;
  namespace: string;
  /** Of the objects. */
  names: readonly string[];
  /** What it writes beside each object; nothing, where it only creates them. */
  contents?: Contents;
}

/** Runs a loop in a new process. Gives when it began and when it had done all, in milliseconds of the monotonic clock. */
export async function runLoop(job: Job): Promise<{ start: number; end: number }> {
  const child = fork(PROGRAM, { execArgv: ['--no-warnings'] });
  const ended = once(child, 'exit').then(() => Promise.reject(new Error('a loop of the benchmark failed')));
  const told = () => Promise.race([once(child, 'message'), ended]);
  try {
    child.send(job);
    await told();
    const start = clock.monotonic();
    child.send('go');
    await told();
    return { start, end: clock.monotonic() };
  } finally {
    ended.catch(() => {});
    if (child.connected) child.disconnect();
  }
}
