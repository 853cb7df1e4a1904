import type { AWSAssumeRole } from '../../api/aws-assume-role.ts';
import { parseTime } from '../../clock.ts';
import { isDeleting } from '../../kube/objects.ts';
import type { KubernetesSecretType } from '../../secrets/render.ts';
import type { Ownership } from './ownership.ts';
import { uidOf } from './secret.ts';

/** Why a Secret may not be touched: reason and message of `Ready` and `Stalled`. */
export interface Refusal {
  reason: 'ConflictingSecret' | 'AdoptionRefused';
  message: string;
}

/** The types of foreign Secrets that can be taken over. Those of other types belong to whatever reads them by type. */
export const adoptedTypes: readonly KubernetesSecretType[] = ['Opaque', 'kubernetes.io/dockerconfigjson'];

const WAYS_OUT = 'delete or rename it, or choose another spec.secretName';

/** Text and reason for a Secret that is not the object's own. */
export function refusal(name: string, ownership: Ownership): Refusal {
  if (ownership.kind === 'conflict') return conflict(`AWSAssumeRole "${ownership.owner}" owns Secret "${name}"`);
  const adopt = ownership.kind === 'unowned' ? '; spec.adoption: IfUnowned takes it over and replaces its data' : '';
  return refused(`Secret "${name}" exists and was not made for this object; ${WAYS_OUT}${adopt}`);
}

/** The Secret has no owner, but a type of which none is taken over. */
export function otherType(name: string): Refusal {
  const types = adoptedTypes.join(' and ');
  return refused(`Secret "${name}" exists, and only those of type ${types} are taken over; ${WAYS_OUT}`);
}

/** Taking it over may mean to make it anew, which would delete it for good and leave nothing in its place. */
export function finalized(name: string): Refusal {
  return refused(
    `Secret "${name}" exists, and its finalizers keep it from being taken over; remove them, or ${WAYS_OUT}`,
  );
}

/** An older object goes first. */
export function outranked(name: string, elder: AWSAssumeRole): Refusal {
  return conflict(`AWSAssumeRole "${elder.metadata.name}" names Secret "${name}", too, and is older, so it goes first`);
}

/** Of the objects that claim one Secret, one that is older than `object`; of the same age the lower UID is. */
export function elderClaim(object: AWSAssumeRole, claims: readonly AWSAssumeRole[]): AWSAssumeRole | undefined {
  return claims.find((other) => !isDeleting(other) && isOlder(other, object));
}

function conflict(why: string): Refusal {
  return { reason: 'ConflictingSecret', message: `${why}; choose another spec.secretName for one of the two` };
}

function refused(message: string): Refusal {
  return { reason: 'AdoptionRefused', message };
}

function isOlder(a: AWSAssumeRole, b: AWSAssumeRole): boolean {
  const byTime = (parseTime(a.metadata.creationTimestamp) ?? 0) - (parseTime(b.metadata.creationTimestamp) ?? 0);
  return byTime < 0 || (byTime === 0 && uidOf(a) < uidOf(b));
}
