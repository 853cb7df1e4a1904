import type { AWSAssumeRole } from '../../api/aws-assume-role.ts';
import { annotations } from '../../api/names.ts';
import { parseTime, rfc3339 } from '../../clock.ts';
import type { ObjectMeta } from '../../kube/objects.ts';
import type { Lifetime } from './due.ts';
import { pastTime } from './past.ts';

/** What a Secret says about the session it holds. */
export interface SessionRecord extends Lifetime {
  assumedRoleArn?: string | undefined;
  accessKeyId?: string | undefined;
  packedPolicySizePercent?: number | undefined;
  requestId?: string | undefined;
  /** Generation of the object for which it was issued. */
  generation?: number | undefined;
  /** SHA-256 of the spec for which it was issued, from `specHash`. */
  specSha256?: string | undefined;
  /** SHA-256 of the request for a refresh that it fulfils, from `requestDigest`. */
  refreshSha256?: string | undefined;
  inputHash?: string | undefined;
  /** Whether workloads are to be restarted for it, since it replaced what they may hold. */
  restarts?: boolean;
  /** True where the life is assumed, because a legacy operator wrote the Secret. */
  assumed?: boolean;
}

/** The session that a Secret of ours holds, or undefined where its annotations do not tell. */
export function recordOf(meta: ObjectMeta): SessionRecord | undefined {
  const issuedAt = parseTime(meta.annotations?.[annotations.issuedAt]);
  const expiresAt = parseTime(meta.annotations?.[annotations.expiresAt]);
  if (issuedAt === undefined || expiresAt === undefined || expiresAt <= issuedAt) return undefined;
  return {
    ...parseSession(meta.annotations?.[annotations.session]),
    issuedAt,
    expiresAt,
    inputHash: meta.annotations?.[annotations.inputHash],
  };
}

function parseSession(text: string | undefined): Partial<SessionRecord> {
  if (text === undefined) return {};
  try {
    const value = JSON.parse(text) as Record<string, unknown>;
    const string = (key: string) => (typeof value[key] === 'string' ? value[key] : undefined);
    const number = (key: string) => (typeof value[key] === 'number' ? value[key] : undefined);
    return {
      assumedRoleArn: string('assumedRoleArn'),
      accessKeyId: string('accessKeyId'),
      requestId: string('requestId'),
      packedPolicySizePercent: number('packedPolicySizePercent'),
      generation: number('generation'),
      specSha256: string('specSha256'),
      refreshSha256: string('refreshSha256'),
      ...(value['restarts'] === true && { restarts: true }),
      assumed: value['assumed'] === true,
    };
  } catch {
    return {};
  }
}

/**
 * The session of a Secret that a legacy operator wrote: issued at the last change of `Ready` to True that the status
 * tells, for the duration that the spec asks for. Undefined where the status tells none before `now`, milliseconds since 1970.
 */
export function assumedRecord(object: AWSAssumeRole, durationSeconds: number, now: number): SessionRecord | undefined {
  const ready = (object.status?.conditions ?? []).filter((c) => c.type === 'Ready' && c.status === 'True');
  const times = ready.map((c) => pastTime(c.lastTransitionTime, now)).filter((time) => time !== undefined);
  if (times.length === 0) return undefined;
  const issuedAt = Math.max(...times);
  return { issuedAt, expiresAt: issuedAt + durationSeconds * 1000, assumed: true };
}

/** The annotations that describe a session, so that the status can be rebuilt from the Secret alone. */
export function sessionAnnotations(record: SessionRecord, dataSha256: string): Record<string, string> {
  const {
    assumedRoleArn,
    accessKeyId,
    packedPolicySizePercent,
    requestId,
    generation,
    specSha256,
    refreshSha256,
    restarts,
    assumed,
  } = record;
  return {
    [annotations.issuedAt]: rfc3339(record.issuedAt),
    [annotations.expiresAt]: rfc3339(record.expiresAt),
    [annotations.dataSha256]: dataSha256,
    ...(record.inputHash !== undefined && { [annotations.inputHash]: record.inputHash }),
    [annotations.session]: JSON.stringify({
      assumedRoleArn,
      accessKeyId,
      packedPolicySizePercent,
      requestId,
      generation,
      specSha256,
      refreshSha256,
      ...(restarts && { restarts }),
      ...(assumed && { assumed }),
    }),
  };
}
