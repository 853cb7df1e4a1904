import { isDeepStrictEqual } from 'node:util';
import type { AWSAssumeRole, AWSAssumeRoleStatus } from '../../api/aws-assume-role.ts';
import {
  type Condition,
  type ConditionType,
  findCondition,
  type NewCondition,
  setConditions,
} from '../../api/conditions.ts';
import { parseTime, rfc3339 } from '../../clock.ts';
import type { Failure } from './backoff.ts';
import type { RestartResult } from './restart.ts';
import type { RestartProblem } from './restart-problem.ts';
import type { SessionRecord } from './session-record.ts';

/** All that the status of an object follows from. */
export interface View {
  /** The session that its Secret holds, whatever its age. */
  record?: SessionRecord | undefined;
  /** Whether that session was issued for the spec as it is now. */
  current: boolean;
  secretRef?: { name: string; uid: string; resourceVersion: string } | undefined;
  roleArn?: string | undefined;
  nextRefreshAt?: number | undefined;
  failure?: (Omit<Failure, 'lastAttemptAt'> & Partial<Pick<Failure, 'lastAttemptAt'>>) | undefined;
  /** Why the Secret may not be touched. */
  blocked?: { reason: 'ConflictingSecret' | 'AdoptionRefused'; message: string } | undefined;
  /** Whether the data were removed after the credential ended. */
  scrubbed?: boolean;
  suspended: boolean;
  /** What the grants say; undefined where it could not be asked. */
  granted?: { allowed: boolean; message: string } | undefined;
  clamp?: { reason: string; message: string } | undefined;
  /** Why hardly anybody finds the registries of the Secret. */
  registryProblem?: string | undefined;
  effectiveDurationSeconds?: number | undefined;
  handledRefreshRequest?: string | undefined;
  /** The restart of this pass; the last one stays in the status. */
  restart?: RestartResult | undefined;
  restartProblem?: RestartProblem | undefined;
}

/** The whole status that `object` should have at `now`, milliseconds since 1970. */
export function statusOf(object: AWSAssumeRole, view: View, now: number): AWSAssumeRoleStatus {
  const observedGeneration = object.metadata.generation ?? 0;
  const before = findCondition(object.status?.conditions, 'Ready');
  const wanted = conditionsOf(view, now, before).map((condition) => ({ ...condition, observedGeneration }));
  const conditions = setConditions(object.status?.conditions, wanted, rfc3339(now));
  const ready = findCondition(conditions, 'Ready')?.status ?? 'Unknown';
  return {
    observedGeneration,
    health: { status: health[ready] },
    phase: ready === 'True' ? 'Ready' : 'Pending',
    ...sessionFields(view),
    ...failureFields(view),
    ...(view.handledRefreshRequest !== undefined && { lastHandledRefreshRequest: view.handledRefreshRequest }),
    ...restartFields(view, object.status),
    conditions,
  };
}

/** The legacy field follows from `Ready`. */
const health = { True: 'Healthy', Unknown: 'Unknown', False: 'Unhealthy' } as const;

function sessionFields(view: View): Partial<AWSAssumeRoleStatus> {
  const { record, secretRef } = view;
  return {
    ...(view.roleArn !== undefined && { roleArn: view.roleArn }),
    ...(record?.assumedRoleArn !== undefined && { assumedRoleArn: record.assumedRoleArn }),
    ...(record?.accessKeyId !== undefined && { accessKeyId: record.accessKeyId }),
    ...(record !== undefined && { issuedAt: rfc3339(record.issuedAt), expiresAt: rfc3339(record.expiresAt) }),
    ...(view.nextRefreshAt !== undefined && { nextRefreshAt: rfc3339(view.nextRefreshAt) }),
    ...(view.effectiveDurationSeconds !== undefined && { effectiveDurationSeconds: view.effectiveDurationSeconds }),
    ...(record?.packedPolicySizePercent !== undefined && { packedPolicySizePercent: record.packedPolicySizePercent }),
    ...(secretRef !== undefined && { secretRef }),
  };
}

function restartFields({ restart }: View, before: AWSAssumeRoleStatus = {}): Partial<AWSAssumeRoleStatus> {
  const lastRestartAt = restart?.at === undefined ? before.lastRestartAt : rfc3339(restart.at);
  const lastRestartDigest = restart?.digest ?? before.lastRestartDigest;
  return { ...(lastRestartAt && { lastRestartAt }), ...(lastRestartDigest && { lastRestartDigest }) };
}

function failureFields({ failure, record }: View): Partial<AWSAssumeRoleStatus> {
  const attempt = failure?.lastAttemptAt ?? (record?.assumed ? undefined : record?.issuedAt);
  const requestId = failure === undefined ? record?.requestId : failure.requestId;
  return {
    consecutiveFailures: failure?.count ?? 0,
    ...(attempt !== undefined && { lastAttemptAt: rfc3339(attempt) }),
    ...(failure !== undefined && { lastErrorCode: failure.code }),
    ...(requestId !== undefined && { lastRequestId: requestId }),
  };
}

/** A condition without the generation, which is the same for all. */
export type Said = Omit<NewCondition, 'observedGeneration'>;

/**
 * The conditions that hold, in the order in which people read them. Abnormal ones are there only while they are true.
 * `before` is `Ready` as it stands.
 */
export function conditionsOf(view: View, now: number, before?: Condition): Said[] {
  const valid = view.record !== undefined && view.record.expiresAt > now && view.scrubbed !== true;
  const stalled = stalledOf(view);
  return [
    readyOf(view, valid, before),
    ...refreshedOf(view),
    ...(stalled ? [stalled] : reconcilingOf(view, valid)),
    ...scrubbedOf(view),
    ...(view.restartProblem
      ? [condition('RestartImpaired', 'True', view.restartProblem.reason, view.restartProblem.message)]
      : []),
    ...(view.registryProblem ? [condition('RegistryUnusable', 'True', 'InvalidSpec', view.registryProblem)] : []),
    ...(view.suspended
      ? [condition('Suspended', 'True', 'Suspended', 'spec.suspend is true: nothing is issued or refreshed')]
      : []),
    ...(view.clamp ? [condition('DurationClamped', 'True', view.clamp.reason, view.clamp.message)] : []),
    ...(view.granted
      ? [
          condition(
            'Granted',
            view.granted.allowed ? 'True' : 'False',
            view.granted.allowed ? 'Granted' : 'GrantDenied',
            view.granted.message,
          ),
        ]
      : []),
  ];
}

function readyOf(view: View, valid: boolean, before: Condition | undefined): Said {
  const { record, failure, blocked } = view;
  const ready = (status: Condition['status'], reason: string, message: string) =>
    condition('Ready', status, reason, message);
  if (blocked) return ready('False', blocked.reason, blocked.message);
  // While suspended it stays as it was, unless it tells of a credential that is gone.
  const kept = view.suspended && !view.current && (valid || !record) ? before : undefined;
  if (kept?.reason && (valid || kept.status !== 'True')) return ready(kept.status, kept.reason, kept.message);
  if (valid && (view.current || view.suspended))
    return ready('True', 'Issued', `the Secret holds a credential of ${issuedRole(view)}`);
  if (failure?.permanent && !view.suspended) return ready('False', failure.code, failure.message);
  if (record && !valid) {
    return ready(
      'False',
      'Expired',
      `the credential ended at ${rfc3339(record.expiresAt)}${failure ? `; ${failure.message}` : ''}`,
    );
  }
  if (view.suspended) return ready('Unknown', 'Suspended', 'suspended; the Secret holds no credential');
  if (failure) return ready('False', failure.code, failure.message);
  return ready('Unknown', 'Pending', 'a credential for this spec is being issued');
}

function issuedRole({ record, roleArn }: View): string {
  return record?.assumedRoleArn ?? roleArn ?? 'the role';
}

function refreshedOf({ failure, record, blocked, suspended, current }: View): Said[] {
  if (failure && !suspended) return [condition('Refreshed', 'False', failure.code, failure.message)];
  if (!record || !current || blocked) return [];
  return [condition('Refreshed', 'True', 'Issued', `issued at ${rfc3339(record.issuedAt)}`)];
}

function scrubbedOf({ scrubbed, record }: View): Said[] {
  if (!scrubbed || record === undefined) return [];
  const why = `the credential ended at ${rfc3339(record.expiresAt)} and was removed, as spec.onExpiry asks`;
  return [condition('Scrubbed', 'True', 'Expired', `${why}; the next success fills the Secret again`)];
}

function stalledOf({ blocked, suspended, failure }: View): Said | undefined {
  if (blocked) return condition('Stalled', 'True', blocked.reason, blocked.message);
  if (suspended || !failure?.permanent) return undefined;
  return condition('Stalled', 'True', failure.code, failure.message);
}

function reconcilingOf(view: View, valid: boolean): Said[] {
  if (view.suspended || (valid && view.current)) return [];
  if (view.failure) return [condition('Reconciling', 'True', 'Retrying', view.failure.message)];
  return [
    condition('Reconciling', 'True', view.record && !valid ? 'Retrying' : 'Pending', 'a credential is being issued'),
  ];
}

function condition(type: ConditionType, status: Condition['status'], reason: string, message: string): Said {
  return { type, status, reason, message };
}

/** Longest time in milliseconds that a status may be behind while the same failure goes on. */
export const FAILURE_STATUS_MS = 60_000;

/**
 * The merge patch that turns `before` into `after`, or undefined where nothing that matters differs: while a failure
 * goes on for the same reason, its counters and texts are written only once a minute.
 */
export function statusPatch(before: AWSAssumeRoleStatus | undefined, after: AWSAssumeRoleStatus): object | undefined {
  const patch: Record<string, unknown> = {};
  const old: Record<string, unknown> = { ...before };
  for (const [key, value] of Object.entries(after)) {
    if (!isDeepStrictEqual(old[key], value)) patch[key] = mergeValue(old[key], value);
  }
  for (const key of Object.keys(old)) if (!(key in after) && owned.has(key)) patch[key] = null;
  if (Object.keys(patch).length === 0) return undefined;
  return onlyTexts(patch, before, after) && isRecent(before, after) ? undefined : patch;
}

/** Whether a patch says no more than that the same failure came again. What was not tried again, as a denial, has news. */
function onlyTexts(patch: object, before: AWSAssumeRoleStatus | undefined, after: AWSAssumeRoleStatus): boolean {
  if (after.lastErrorCode === undefined || before?.lastErrorCode !== after.lastErrorCode) return false;
  if ((after.consecutiveFailures ?? 0) <= (before.consecutiveFailures ?? 0)) return false;
  const textless = (conditions: Condition[] = []) => conditions.map((c) => ({ ...c, message: '' }));
  return Object.keys(patch).every(
    (key) =>
      counterFields.has(key) ||
      (key === 'conditions' && isDeepStrictEqual(textless(before.conditions), textless(after.conditions))),
  );
}

function isRecent(before: AWSAssumeRoleStatus | undefined, after: AWSAssumeRoleStatus): boolean {
  return Math.abs((parseTime(after.lastAttemptAt) ?? 0) - (parseTime(before?.lastAttemptAt) ?? 0)) < FAILURE_STATUS_MS;
}

/** In a merge patch an object keeps keys that are not named, so keys that went away are named with null. */
function mergeValue(before: unknown, after: unknown): unknown {
  if (!isMap(before) || !isMap(after)) return after;
  const gone = Object.keys(before).filter((key) => !(key in after));
  return { ...after, ...Object.fromEntries(gone.map((key) => [key, null])) };
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const counterFields = new Set(['lastAttemptAt', 'consecutiveFailures', 'lastRequestId', 'nextRefreshAt']);

/** The fields that this controller removes when they do not hold any more. Fields of other programs stay. */
const owned = new Set([
  'roleArn',
  'assumedRoleArn',
  'accessKeyId',
  'issuedAt',
  'expiresAt',
  'nextRefreshAt',
  'effectiveDurationSeconds',
  'packedPolicySizePercent',
  'lastAttemptAt',
  'lastErrorCode',
  'lastRequestId',
  'secretRef',
]);
