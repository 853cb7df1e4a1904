import { namesOf } from '../bench/cluster.ts';
import type { CallRecord, TestNamespace } from '../lab/index.ts';
import { openGround } from './ground.ts';
import type { Figures } from './messages.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Tells people how far a scenario has come. */
export type Progress = (what: string) => void;

/** How large a scenario is. */
export interface Size {
  objects: number;
  /** Requests to AWS a second, and at once. */
  stsQps: number;
  stsBurst: number;
  progress?: Progress;
}

/** STS refuses all calls of the first ten seconds with `Throttling`, and then three of ten over a refresh of each object. */
export async function throttled({ objects, stsQps, stsBurst, progress = () => {} }: Size) {
  const ground = await openGround(1, { stsQps, stsBurst });
  try {
    const [space] = ground.namespaces as [TestNamespace];
    ground.gateway.fail({ action: 'AssumeRole', with: 'Throttling' });
    await ground.create(space, namesOf('app', objects));
    await ground.pass(10 * SECOND);
    const callsWhileAllWereRefused = ground.calls().length;
    ground.gateway.clear();
    ground.gateway.forgetCalls();
    ground.gateway.fail({ action: 'AssumeRole', with: 'Throttling', ratio: 0.3 });
    const isIssued = () => ground.issued().length === objects;
    const convergedMs = await ground.passUntil('a Secret of each object', isIssued, 2 * HOUR);
    progress(`${objects} objects have a Secret after ${Math.round(convergedMs / SECOND)} s`);
    await ground.pass(HOUR);
    progress('an hour later');
    const calls = ground.calls();
    return {
      callsWhileAllWereRefused,
      convergedMs,
      expired: ground.expired(),
      refreshed: ground.issued().filter((key) => ground.lives(key).length >= 2).length,
      refusedShare: calls.filter(({ code }) => code === 'Throttling').length / calls.length,
      callsPerObject: calls.length / objects,
    };
  } finally {
    await ground.close();
  }
}

/** STS is gone for 20 minutes, from when the first sessions of an hour are due. */
export async function outage({ objects, stsQps, stsBurst, progress = () => {} }: Size) {
  const ground = await openGround(1, { stsQps, stsBurst });
  try {
    const [space] = ground.namespaces as [TestNamespace];
    await ground.create(space, namesOf('app', objects));
    await ground.passUntil('a Secret of each object', () => ground.issued().length === objects, HOUR);
    await ground.pass(30 * MINUTE);
    progress('STS is gone');
    ground.gateway.fail({ action: 'AssumeRole', with: 'reset' });
    await ground.pass(20 * MINUTE);
    const before = ground.issued().filter((key) => ground.lives(key).length >= 2).length;
    const failed = ground.calls().length;
    ground.gateway.clear();
    ground.gateway.forgetCalls();
    const isDone = () => ground.issued().every((key) => ground.lives(key).length >= 2);
    const recoveredMs = await ground.passUntil('a new session of each object', isDone, HOUR);
    progress(`all is well ${Math.round(recoveredMs / SECOND)} s after its end`);
    await ground.pass(MINUTE);
    const calls = ground.calls();
    return {
      expired: ground.expired(),
      failed,
      refreshedInTime: before,
      recoveredMs,
      callsPerObject: calls.length / objects,
      mostCallsInASecond: mostIn(SECOND, calls),
      mostCallsInTenSeconds: mostIn(10 * SECOND, calls),
    };
  } finally {
    await ground.close();
  }
}

/** One namespace gets many new objects while the sessions of another one are due. Calls take a while, as those of AWS do. */
export async function noisy(size: {
  loud: number;
  quiet: number;
  concurrency: number;
  callMs: number;
  progress?: Progress;
}) {
  const { loud, quiet, concurrency, callMs, progress = () => {} } = size;
  const ground = await openGround(2, { concurrency });
  try {
    const [busy, calm] = ground.namespaces as [TestNamespace, TestNamespace];
    // Without jitter all are due at one time, at 60 % of an hour.
    await ground.create(calm, namesOf('calm', quiet), { jitterPercent: 0 });
    await ground.passUntil('a Secret of each object', () => ground.issued().length === quiet, HOUR);
    const keys = ground.issued();
    const dues = keys.map((key) => (ground.lives(key)[0]?.issuedAt ?? 0) + 36 * MINUTE);
    await ground.pass(Math.min(...dues) - ground.now() - SECOND);
    ground.gateway.fail({ action: 'AssumeRole', with: 'none', delayMs: callMs });
    await ground.create(busy, namesOf('busy', loud));
    progress(`${loud} objects were created`);
    const isRefreshed = () => keys.every((key) => ground.lives(key).length >= 2);
    await ground.passUntil(
      'all to have a Secret',
      () => ground.issued().length === quiet + loud && isRefreshed(),
      HOUR,
    );
    const late = keys.map((key, index) => (ground.lives(key)[1]?.issuedAt ?? Number.NaN) - (dues[index] ?? 0));
    const issued = ground.issued().filter((key) => !keys.includes(key));
    const ends = issued.map((key) => ground.lives(key)[0]?.issuedAt ?? Number.NaN);
    return {
      latestMs: Math.max(...late),
      loudTookMs: Math.max(...ends) - Math.min(...ends),
      expired: ground.expired(),
    };
  } finally {
    await ground.close();
  }
}

/** One ordinary period after another, with leader election, and what the process holds at the end of each. */
export async function ordinary(size: {
  objects: number;
  periodMs: number;
  sessionSeconds: number;
  progress?: Progress;
}) {
  const { objects, periodMs, sessionSeconds, progress = () => {} } = size;
  const ground = await openGround(1, { leaderElect: true });
  try {
    const [space] = ground.namespaces as [TestNamespace];
    ground.gateway.sessionSeconds(sessionSeconds);
    await ground.create(space, namesOf('app', objects));
    await ground.passUntil('a Secret of each object', () => ground.issued().length === objects, HOUR);
    const figures: Figures[] = [];
    for (const period of [1, 2, 3]) {
      await ground.pass(periodMs);
      figures.push(await ground.operator.measure());
      progress(`period ${period}: ${describe(figures.at(-1))}`);
    }
    const sessions = ground.issued().reduce((sum, key) => sum + ground.lives(key).length, 0);
    return { figures, sessionsPerObject: sessions / objects, expired: ground.expired() };
  } finally {
    await ground.close();
  }
}

function describe(figures: Figures | undefined): string {
  if (figures === undefined) return '';
  const { heapBytes, rssBytes, ...rest } = figures;
  const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  return `heap ${mib(heapBytes)}, RSS ${mib(rssBytes)}, ${JSON.stringify(rest)}`;
}

/** The most calls that came within so many milliseconds. */
function mostIn(ms: number, calls: readonly CallRecord[]): number {
  const times = calls.map(({ at }) => at).sort((a, b) => a - b);
  let [first, most] = [0, 0];
  for (const [last, time] of times.entries()) {
    while (time - (times[first] ?? 0) > ms) first += 1;
    most = Math.max(most, last - first + 1);
  }
  return most;
}
