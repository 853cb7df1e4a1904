import type { AWSAssumeRole } from '../../api/aws-assume-role.ts';
import { findCondition, MAX_AHEAD_MS } from '../../api/conditions.ts';
import { annotations } from '../../api/names.ts';
import { parseTime } from '../../clock.ts';
import type { ObjectMeta } from '../../kube/objects.ts';
import { pastTime } from './past.ts';
import { recordOf, type SessionRecord } from './session-record.ts';

/** Longest life that AWS grants, in milliseconds. */
const MAX_LIFE_MS = 12 * 3600_000;

/**
 * The session that a Secret of ours holds, or undefined where nothing tells it. Anybody who may edit the Secret may edit
 * its annotations. So the status wins where both speak of the same session, and where the annotations cannot be ours:
 * incomplete, of the future, or of a life that AWS does not grant. Annotations of another session than the status tells
 * count otherwise: the operator may have been killed before it wrote the status. A status of the future, or of such a life,
 * tells nothing either. `now` is in milliseconds since 1970.
 */
export function trustedRecord(meta: ObjectMeta, object: AWSAssumeRole, now: number): SessionRecord | undefined {
  const noted = recordOf(meta);
  const told = toldRecord(meta, object, now);
  if (noted && told && noted.accessKeyId === told.accessKeyId) {
    return { ...noted, issuedAt: told.issuedAt, expiresAt: told.expiresAt };
  }
  return noted && isBelievable(noted, now) ? noted : told;
}

function isBelievable({ accessKeyId, assumed, issuedAt, expiresAt }: SessionRecord, now: number): boolean {
  const isWhole = accessKeyId !== undefined || assumed === true;
  return isWhole && expiresAt - issuedAt <= MAX_LIFE_MS && issuedAt <= now + MAX_AHEAD_MS;
}

/** The session that the status tells, if it is of this very Secret. */
function toldRecord(meta: ObjectMeta, { status = {} }: AWSAssumeRole, now: number): SessionRecord | undefined {
  const issuedAt = pastTime(status.issuedAt, now);
  const expiresAt = parseTime(status.expiresAt);
  if (issuedAt === undefined || expiresAt === undefined || status.secretRef?.uid !== meta.uid) return undefined;
  if (expiresAt <= issuedAt || expiresAt - issuedAt > MAX_LIFE_MS) return undefined;
  const { assumedRoleArn, accessKeyId, packedPolicySizePercent, lastRequestId } = status;
  const refreshed = findCondition(status.conditions, 'Refreshed');
  const isLast = refreshed?.status === 'True';
  // What was restarted before has not been for these data.
  const held = meta.annotations?.[annotations.dataSha256];
  const isRestartOpen = status.lastRestartDigest !== undefined && status.lastRestartDigest !== held;
  return {
    issuedAt,
    expiresAt,
    assumedRoleArn,
    accessKeyId,
    packedPolicySizePercent,
    requestId: isLast ? lastRequestId : undefined,
    generation: isLast ? refreshed.observedGeneration : undefined,
    inputHash: meta.annotations?.[annotations.inputHash],
    ...(isRestartOpen && { restarts: true }),
    assumed: accessKeyId === undefined,
  };
}
