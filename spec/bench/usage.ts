import { readFile } from 'node:fs/promises';
import { systemClock as clock, sleep } from '../../lib/clock.ts';
import type { GuardedProcess } from '../lab/index.ts';

/** Linux counts processor time in these, whatever the machine. */
const TICKS_PER_SECOND = 100;
const KIB = 1024;
/** A process that used no more than this share of one core over a second has nothing to do. */
const QUIET_SHARE = 0.02;
const QUIET_LIMIT_S = 90;

/** What a process has used. */
export interface Usage {
  /** Seconds of processor time since its start, of all its threads. */
  cpuSeconds: number;
  /** Memory that it holds now, in MiB. */
  rssMib: number;
  /** The most that it has held. */
  peakMib: number;
}

/** Reads what the system counts of the process that the guard runs. Linux alone tells it this way. */
export async function usageOf(guarded: GuardedProcess): Promise<Usage> {
  const pid = await pidOf(guarded.group);
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const mib = (name: string) => Number(new RegExp(`^${name}:\\s*(\\d+) kB`, 'm').exec(status)?.[1]) / KIB;
  return { cpuSeconds: await cpuSecondsOf(pid), rssMib: mib('VmRSS'), peakMib: mib('VmHWM') };
}

/** Seconds of processor time that the process has used since its start. */
async function cpuSecondsOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The name of the program, which may hold spaces, is in parentheses before these.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Waits until the process has nothing more to do, as Events to write. Gives what it has used until then. */
export async function whenQuiet(guarded: GuardedProcess): Promise<Usage> {
  let before = await usageOf(guarded);
  for (let second = 0; second < QUIET_LIMIT_S; second += 1) {
    await sleep(clock, 1000);
    const after = await usageOf(guarded);
    if (after.cpuSeconds - before.cpuSeconds <= QUIET_SHARE) return after;
    before = after;
  }
  throw new Error(`${guarded.name} still works after ${QUIET_LIMIT_S} s`);
}

/** Seconds of processor time that the process uses in a minute, by what it uses in `seconds`. */
export async function cpuPerMinute(guarded: GuardedProcess, seconds: number): Promise<number> {
  const before = await usageOf(guarded);
  await sleep(clock, seconds * 1000);
  return (((await usageOf(guarded)).cpuSeconds - before.cpuSeconds) * 60) / seconds;
}

/** The guard is a shell whose first child is the program. */
export async function pidOf(group: number | undefined): Promise<number> {
  return Number((await readFile(`/proc/${group}/task/${group}/children`, 'utf8')).split(' ')[0]);
}
