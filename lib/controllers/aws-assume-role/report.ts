import { type AWSAssumeRole, awsAssumeRoles, keptProblems } from '../../api/aws-assume-role.ts';
import { findCondition } from '../../api/conditions.ts';
import { annotations } from '../../api/names.ts';
import { refOfKey } from '../../kube/objects.ts';
import { clampNote, isUnknown, type Obstacle } from './ask.ts';
import { type Failure, nextAttemptAt } from './backoff.ts';
import { keptObject } from './kept.ts';
import { dueOf, handledRefresh, isCurrent, needsIssue, type Pass, serverNow, type VendingContext } from './pass.ts';
import { pastTime } from './past.ts';
import { goneOrThrow } from './repair.ts';
import { restartProblem } from './restart-plan.ts';
import { isScrubbed } from './scrub-state.ts';
import { uidOf } from './secret.ts';
import type { SessionRecord } from './session-record.ts';
import { FAILURE_STATUS_MS, statusOf, statusPatch, type View } from './status.ts';
import { isWorthAPass } from './watch.ts';

/** Writes the status that follows from what the pass knows, if it says anything new, and the Events that go with it. */
export async function report(pass: Pass, context: VendingContext): Promise<void> {
  const { object, key, signal } = pass;
  const now = serverNow(context);
  const patch = statusPatch(object.status, statusOf(object, viewOf(pass, now), now));
  if (patch === undefined) return;
  const { resourceVersion } = object.metadata;
  const written = await context.client
    .patchStatus<AWSAssumeRole>(awsAssumeRoles, refOfKey(key), uidOf(object), patch, { signal, resourceVersion })
    .catch(goneOrThrow);
  if (written === undefined) return;
  const kept = keptObject(written);
  const { metadata } = kept;
  const isChanged = isWorthAPass(object, kept);
  // What users changed meanwhile is left to the watch, whose event would count as known and wake nobody.
  if (!isChanged) context.objects.observe(kept);
  const own = { ...object.metadata, ...(metadata.resourceVersion && { resourceVersion: metadata.resourceVersion }) };
  pass.object = isChanged ? { ...object, metadata: own, ...(kept.status && { status: kept.status }) } : kept;
  announce(object, pass, context);
}

/** Events for what the status newly says; those of an attempt are told where it is made. */
function announce(before: AWSAssumeRole, pass: Pass, { announcer }: VendingContext): void {
  const { object: after, seen, asked, restart } = pass;
  if (seen.blocked) announcer.refused(after, seen.blocked);
  const isDenied = after.status?.lastErrorCode === asked.obstacle?.code;
  const isNews = asked.obstacle?.code !== 'NamespaceUnknown';
  if (asked.obstacle && isNews && isDenied && before.status?.lastErrorCode !== asked.obstacle.code)
    announcer.obstructed(after, asked.obstacle);
  if (seen.record && readyReason(after) === 'Expired' && readyReason(before) !== 'Expired')
    announcer.expired(after, seen.record);
  if (seen.record && isToldScrubbed(after) && !isToldScrubbed(before)) announcer.scrubbed(after, seen.record);
  if (restart && after.status?.lastRestartAt !== before.status?.lastRestartAt) announcer.restarted(after, restart);
  if (restart?.problem) announcer.notRestarted(after, restart.problem);
}

function isToldScrubbed({ status }: AWSAssumeRole): boolean {
  return findCondition(status?.conditions, 'Scrubbed') !== undefined;
}

function readyReason({ status }: AWSAssumeRole): string | undefined {
  return findCondition(status?.conditions, 'Ready')?.reason;
}

/** What the status follows from. */
export function viewOf(pass: Pass, now: number): View {
  const { object, spec, seen, asked, memory, clamps } = pass;
  const record = seen.state === 'stale' ? undefined : seen.record;
  const told = toldOf(pass);
  return {
    record,
    current: record !== undefined && seen.state !== 'edited' && isCurrent(pass, record),
    secretRef: secretRefOf(pass),
    roleArn: asked.roleArn ?? object.status?.roleArn,
    nextRefreshAt: nextAt(pass, record),
    failure: obstacleFailure(pass, now) ?? memory.failure ?? silenceFailure(pass),
    blocked: seen.blocked,
    scrubbed: isScrubbed(seen),
    suspended: spec.suspend,
    granted: asked.granted ?? told.granted,
    clamp: clampNote(clamps, spec) ?? told.clamp,
    effectiveDurationSeconds: pass.durationSeconds,
    handledRefreshRequest: handledRefresh(pass),
    restart: pass.restart,
    restartProblem: restartProblem(pass, record),
    registryProblem: registryProblem(pass),
  };
}

/** An image pull Secret of an object that was stored before its registries were judged stays as it is, and that is told. */
function registryProblem({ spec, object, asked }: Pass): string | undefined {
  if (spec.secretType !== 'EcrDockerConfigJson' || asked.obstacle?.code === 'InvalidSpec') return undefined;
  return keptProblems(object.spec).join('; ') || undefined;
}

/** While the operator's identity, or the namespace, is not known yet, as after a start, grants and clamps of this spec are as they were told. */
function toldOf({ asked, object: { status, metadata } }: Pass): Pick<View, 'granted' | 'clamp'> {
  if (!isUnknown(asked.obstacle) || status?.observedGeneration !== metadata.generation) return {};
  const granted = findCondition(status?.conditions, 'Granted');
  return {
    ...(granted && { granted: { allowed: granted.status === 'True', message: granted.message } }),
    clamp: findCondition(status?.conditions, 'DurationClamped'),
  };
}

function nextAt(pass: Pass, record: SessionRecord | undefined): number | undefined {
  const { spec, seen, memory, object } = pass;
  if (record === undefined || spec.suspend || seen.blocked) return undefined;
  const due = dueOf(pass, record);
  return memory.failure ? Math.max(due, nextAttemptAt(uidOf(object), memory.failure, record.expiresAt)) : due;
}

/** An obstacle as the status shows it. A missing identity is no trouble of an object that needs nothing at the moment. */
function obstacleFailure(pass: Pass, now: number): Failure | undefined {
  const { asked, spec, object } = pass;
  if (asked.obstacle === undefined || spec.suspend || pass.seen.blocked) return undefined;
  if (!asked.obstacle.permanent && !needsIssue(pass, now)) return undefined;
  const told = toldObstacle(object, asked.obstacle, now) ?? { lastAttemptAt: now };
  return { ...asked.obstacle, ...told, count: 1, generation: object.metadata.generation ?? 0 };
}

/** Trouble of a host that the object waits for, and has not asked itself: nothing of its own has failed. */
function silenceFailure({ silence, object }: Pass): View['failure'] {
  if (silence === undefined) return undefined;
  return { ...silence, permanent: false, count: 0, generation: object.metadata.generation ?? 0 };
}

/**
 * Time and text with which the status tells of this obstacle, where they stay: so that the time does not change with every
 * pass, nor the text of an identity that is looked for again and again, which may name a request, more than once a minute.
 */
function toldObstacle(
  { status }: AWSAssumeRole,
  { code, message, permanent }: Obstacle,
  now: number,
): Pick<Failure, 'message' | 'lastAttemptAt'> | undefined {
  const lastAttemptAt = pastTime(status?.lastAttemptAt, now);
  const told = findCondition(status?.conditions, 'Refreshed');
  if (status?.lastErrorCode !== code || told === undefined || lastAttemptAt === undefined) return undefined;
  const isKept = told.message === message || (!permanent && now - lastAttemptAt < FAILURE_STATUS_MS);
  return isKept ? { message: told.message, lastAttemptAt } : undefined;
}

/** The version tells our own writes, so that of a Secret still to be repaired or taken over never enters the status. */
function secretRefOf({ seen: { state, meta, blocked, isDrifted }, object }: Pass): View['secretRef'] {
  if (blocked || meta?.uid === undefined || meta.resourceVersion === undefined) return undefined;
  if (state !== 'intact' || isDrifted || meta.annotations?.[annotations.dataSha256] === undefined)
    return writtenRef(object);
  return { name: meta.name, uid: meta.uid, resourceVersion: meta.resourceVersion };
}

function writtenRef({ status }: AWSAssumeRole): View['secretRef'] {
  const { name, uid, resourceVersion } = status?.secretRef ?? {};
  return name && uid && resourceVersion ? { name, uid, resourceVersion } : undefined;
}
