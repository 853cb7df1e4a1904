import type { AWSAssumeRole } from '../../api/aws-assume-role.ts';
import { annotations, fieldManager, managedLabel } from '../../api/names.ts';
import { parseTime } from '../../clock.ts';
import type { ObjectMeta, OwnerReference } from '../../kube/objects.ts';
import { uidOf } from './secret.ts';

/**
 * To whom a Secret belongs:
 * - `ours`: an owner reference of our kind, or the annotation, names this object's UID, or nothing names an owner any
 *   more and both the status and the API server's record of who wrote what tell that this object wrote it;
 * - `stale`: made by an earlier object of this name that does not exist any more, e.g. restored from a backup;
 * - `conflict`: another living AWSAssumeRole owns it;
 * - `unowned`: nobody is named as its owner, and this object did not write it;
 * - `foreign`: anything else.
 */
export type Ownership =
  | { kind: 'ours' }
  | { kind: 'stale' }
  | { kind: 'conflict'; owner: string }
  | { kind: 'unowned' }
  | { kind: 'foreign' };

/**
 * Judges by owner references first, then by annotation. `nameOf` gives the name of a living object of the same namespace. An
 * owner counts only within its own namespace: a copy of a Secret elsewhere names it in vain.
 */
export function ownershipOf(
  meta: ObjectMeta,
  object: AWSAssumeRole,
  nameOf: (uid: string) => string | undefined,
): Ownership {
  if (meta.namespace !== object.metadata.namespace) return { kind: 'foreign' };
  const references = (meta.ownerReferences ?? []).filter(isOurKind).map(({ uid }) => uid);
  const annotated = meta.annotations?.[annotations.ownerUid];
  if (references.includes(uidOf(object))) return { kind: 'ours' };
  const owner = references.map(nameOf).find((name) => name !== undefined);
  if (owner !== undefined) return { kind: 'conflict', owner };
  if (annotated === uidOf(object)) return { kind: 'ours' };
  const noted = annotated === undefined ? undefined : nameOf(annotated);
  if (noted !== undefined) return { kind: 'conflict', owner: noted };
  const isNamed = references.length > 0 || annotated !== undefined;
  const isWritten = isWrittenBy(meta, object);
  if (isWritten && !isNamed) return { kind: 'ours' };
  const ownName = meta.annotations?.[annotations.owner] === object.metadata.name;
  if (isNamed && (isWritten || (ownName && meta.labels?.[managedLabel] === 'true'))) return { kind: 'stale' };
  return { kind: isUnowned(meta) ? 'unowned' : 'foreign' };
}

/**
 * Whether the status of an object tells that it wrote this Secret, and the Secret that this operator wrote it. Whoever may
 * write a status may name any Secret in it, so that alone is no sign.
 */
export function isWrittenBy(meta: ObjectMeta, { status }: AWSAssumeRole): boolean {
  return meta.uid !== undefined && status?.secretRef?.uid === meta.uid && isOurWrite(meta);
}

/**
 * Whether this operator has written the Secret itself. The API server keeps that; labels and annotations come along with
 * every copy.
 */
export function isOurWrite({ managedFields = [] }: ObjectMeta): boolean {
  return managedFields.some(({ manager }) => manager === fieldManager);
}

/** Whether neither an owner reference of any kind nor an annotation of ours names an owner. */
function isUnowned({ ownerReferences = [], annotations: own = {} }: ObjectMeta): boolean {
  return (
    ownerReferences.length === 0 && own[annotations.owner] === undefined && own[annotations.ownerUid] === undefined
  );
}

/** UIDs of the AWSAssumeRoles that a Secret names as its owners. */
export function ownerUids(meta: ObjectMeta): string[] {
  const references = (meta.ownerReferences ?? []).filter(isOurKind).map((reference) => reference.uid);
  const annotated = meta.annotations?.[annotations.ownerUid];
  return [...new Set(annotated === undefined ? references : [...references, annotated])];
}

/** Names of the AWSAssumeRoles that a Secret names as its owners, for finding whom a change concerns. */
export function ownerNames(meta: ObjectMeta): string[] {
  const names = (meta.ownerReferences ?? []).filter(isOurKind).map((reference) => reference.name);
  const annotated = meta.annotations?.[annotations.owner];
  return annotated === undefined ? names : [...names, annotated];
}

/** Whether an owner reference names an AWSAssumeRole. */
export function isOurKind(reference: OwnerReference): boolean {
  return reference.kind === 'AWSAssumeRole' && reference.apiVersion.startsWith('pincette.net/');
}

/** Field managers of the legacy operators. */
const legacyManagers = ['awsassumerole.pincette.net', 'fabric8'];

/** The legacy operator that has written a Secret after our last write, and so still runs; undefined where none has. */
export function laterLegacyWriter({ managedFields = [] }: ObjectMeta): string | undefined {
  const lastWrite = (isMeant: (manager: string) => boolean) =>
    managedFields.filter(({ manager }) => isMeant(manager ?? '')).sort((a, b) => timeOf(b) - timeOf(a))[0];
  const own = lastWrite((manager) => manager === fieldManager);
  const legacy = lastWrite((manager) => legacyManagers.some((name) => manager.includes(name)));
  return own && legacy && timeOf(legacy) > timeOf(own) ? legacy.manager : undefined;
}

function timeOf({ time }: { time?: string }): number {
  return parseTime(time) ?? 0;
}
