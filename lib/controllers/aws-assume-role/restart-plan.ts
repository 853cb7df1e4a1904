import { findCondition } from '../../api/conditions.ts';
import { holdsRegistryToken } from '../../api/contents.ts';
import { durationMs } from '../../api/duration.ts';
import { annotations } from '../../api/names.ts';
import { MAX_ECR_AGE_MS, refreshWindow } from './due.ts';
import type { Pass } from './pass.ts';
import { pastTime } from './past.ts';
import type { RestartProblem } from './restart-problem.ts';
import { isScrubbed } from './scrub-state.ts';
import type { SessionRecord } from './session-record.ts';

/** The digest of the data for which workloads are to hold the credential; undefined where there is none to start with. */
export function restartDigest({ spec, seen, asked }: Pass, now: number): string | undefined {
  if (asked.obstacle?.code === 'InvalidSpec' || spec.rolloutRestart.targets.length === 0) return undefined;
  if (spec.suspend || seen.blocked || seen.state !== 'intact' || isScrubbed(seen)) return undefined;
  const isWanted = seen.record?.restarts === true && seen.record.expiresAt > now;
  return isWanted ? seen.meta?.annotations?.[annotations.dataSha256] : undefined;
}

/**
 * When workloads are to be restarted for data with this digest, in milliseconds since 1970; undefined where that was done.
 * Tries to make up for what failed do not count as restarts of their own: `retryAt` is their time.
 */
export function restartAt(
  pass: Pick<Pass, 'object' | 'spec'>,
  digest: string,
  now: number,
  retryAt?: number,
): number | undefined {
  const { lastRestartAt, lastRestartDigest } = pass.object.status ?? {};
  if (lastRestartDigest === digest) return retryAt;
  const last = pastTime(lastRestartAt, now) ?? Number.NEGATIVE_INFINITY;
  return last + durationMs(pass.spec.rolloutRestart.minInterval);
}

/**
 * When what failed is tried again that an earlier process, or an earlier spec, left: at once. A target that does not exist
 * is tried again only for another spec: made later, it starts with the credential that stands.
 */
export function leftRetryAt({ object: { status, metadata } }: Pick<Pass, 'object'>, now: number): number | undefined {
  const reason = findCondition(status?.conditions, 'RestartImpaired')?.reason;
  if (reason === undefined || reason === 'IntervalTooLong') return undefined;
  return reason === 'TargetNotFound' && status?.observedGeneration === metadata.generation ? undefined : now;
}

/** What is wrong with the restarts of an object, as this pass found it, or as the status tells of this spec. */
export function restartProblem(pass: Pass, record: SessionRecord | undefined): RestartProblem | undefined {
  const { spec, asked, restart } = pass;
  if (asked.obstacle?.code === 'InvalidSpec' || spec.rolloutRestart.targets.length === 0) return undefined;
  const problem = restart === undefined ? toldProblem(pass) : restart.problem;
  return problem ?? (record && intervalProblem(pass, record));
}

function toldProblem({ object: { status, metadata } }: Pass): RestartProblem | undefined {
  if (status?.observedGeneration !== metadata.generation) return undefined;
  const told = findCondition(status?.conditions, 'RestartImpaired');
  return told?.reason === 'IntervalTooLong' ? undefined : told;
}

/**
 * A workload that reads its credential only when it starts holds one that has at least as much left as the Secret's has
 * when it is replaced. Where restarts are further apart than that, the credential may end before the next one.
 */
export function intervalProblem({ spec }: Pick<Pass, 'spec'>, record: SessionRecord): RestartProblem | undefined {
  const { minInterval } = spec.rolloutRestart;
  const lifeMs = record.expiresAt - record.issuedAt;
  const maxAgeMs = holdsRegistryToken(spec) ? MAX_ECR_AGE_MS : undefined;
  const { top } = refreshWindow(lifeMs, spec.refresh, maxAgeMs);
  if (!(durationMs(minInterval) > lifeMs - top)) return undefined;
  const minutes = Math.floor((lifeMs - top) / 60_000);
  const fix = `set it to ${minutes}m or less, or raise durationSeconds`;
  const message = `workloads may hold a credential that has ended before they are restarted: spec.rolloutRestart.minInterval is ${minInterval}; ${fix}`;
  return { reason: 'IntervalTooLong', message };
}
