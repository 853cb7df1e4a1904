import type { AWSAssumeRole } from '../../api/aws-assume-role.ts';
import { annotations, fieldManager, legacyLabel, managedLabel } from '../../api/names.ts';
import { parseTime, rfc3339 } from '../../clock.ts';
import type { KubeObject, ObjectMeta, OwnerReference } from '../../kube/objects.ts';
import type { Lifetime } from './due.ts';

/** A Secret as the API server holds it. `data` values are base64. */
export interface Secret extends KubeObject {
  type?: string;
  immutable?: boolean;
  data?: Record<string, string>;
}

/**
 * To whom a Secret belongs:
 * - `ours`: an owner reference of our kind, or the annotation, names this object's UID;
 * - `stale`: made by an earlier object of this name that does not exist any more, e.g. restored from a backup;
 * - `conflict`: another living AWSAssumeRole owns it;
 * - `foreign`: anything else.
 */
export type Ownership =
  | { kind: 'ours' }
  | { kind: 'stale' }
  | { kind: 'conflict'; owner: string }
  | { kind: 'foreign' };

/** What a Secret says about the session it holds. */
export interface SessionRecord extends Lifetime {
  assumedRoleArn?: string | undefined;
  accessKeyId?: string | undefined;
  packedPolicySizePercent?: number | undefined;
  requestId?: string | undefined;
  /** Generation of the object for which it was issued. */
  generation?: number | undefined;
  /** SHA-256 of the request for a refresh that it fulfils, from `requestDigest`. */
  refreshSha256?: string | undefined;
  inputHash?: string | undefined;
  /** True where the life is assumed, because a legacy operator wrote the Secret. */
  assumed?: boolean;
}

/** Judges by owner references first, by annotation where there is none of our kind. `nameOf` gives the name of a living object. */
export function ownershipOf(
  meta: ObjectMeta,
  object: AWSAssumeRole,
  nameOf: (uid: string) => string | undefined,
): Ownership {
  const uids = ownerUids(meta);
  if (uids.includes(uidOf(object))) return { kind: 'ours' };
  const owner = uids.map(nameOf).find((name) => name !== undefined);
  if (owner !== undefined) return { kind: 'conflict', owner };
  const ownName = meta.annotations?.[annotations.owner] === object.metadata.name;
  return uids.length > 0 && ownName && meta.labels?.[managedLabel] === 'true' ? { kind: 'stale' } : { kind: 'foreign' };
}

/** UIDs of the AWSAssumeRoles that a Secret names as its owners. */
export function ownerUids(meta: ObjectMeta): string[] {
  const references = (meta.ownerReferences ?? []).filter(isOurKind).map((reference) => reference.uid);
  const annotated = meta.annotations?.[annotations.ownerUid];
  return references.length > 0 || annotated === undefined ? references : [annotated];
}

/** Names of the AWSAssumeRoles that a Secret names as its owners, for finding whom a change concerns. */
export function ownerNames(meta: ObjectMeta): string[] {
  const names = (meta.ownerReferences ?? []).filter(isOurKind).map((reference) => reference.name);
  const annotated = meta.annotations?.[annotations.owner];
  return annotated === undefined ? names : [...names, annotated];
}

function isOurKind(reference: OwnerReference): boolean {
  return reference.kind === 'AWSAssumeRole' && reference.apiVersion.startsWith('pincette.net/');
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
      refreshSha256: string('refreshSha256'),
      assumed: value['assumed'] === true,
    };
  } catch {
    return {};
  }
}

/**
 * The session of a Secret that a legacy operator wrote: issued at the last change of `Ready` to True that the status
 * tells, for the duration that the spec asks for. Undefined where the status tells none.
 */
export function assumedRecord(object: AWSAssumeRole, durationSeconds: number): SessionRecord | undefined {
  const ready = (object.status?.conditions ?? []).filter((c) => c.type === 'Ready' && c.status === 'True');
  const times = ready.map((c) => parseTime(c.lastTransitionTime)).filter((time) => time !== undefined);
  if (times.length === 0) return undefined;
  const issuedAt = Math.max(...times);
  return { issuedAt, expiresAt: issuedAt + durationSeconds * 1000, assumed: true };
}

/**
 * Metadata that the Secret of `object` should have: what others put on it is kept, what is ours is set, and keys once
 * copied from `spec.metadata` that are gone there are removed. `own` are the annotations of the session it holds.
 */
export function desiredMetadata(
  object: AWSAssumeRole,
  current: ObjectMeta | undefined,
  own: Record<string, string>,
): ObjectMeta {
  const copied = parseCopied(current?.annotations?.[annotations.copiedMetadata]);
  const wanted = { labels: object.spec.metadata?.labels ?? {}, annotations: object.spec.metadata?.annotations ?? {} };
  const keep = (map: Record<string, string> | undefined, dropped: string[]) =>
    Object.fromEntries(Object.entries(map ?? {}).filter(([key]) => !dropped.includes(key)));
  return {
    ...(current ?? {}),
    name: object.spec.secretName,
    ...(object.metadata.namespace !== undefined && { namespace: object.metadata.namespace }),
    labels: {
      ...keep(current?.labels, copied.labels),
      ...wanted.labels,
      [legacyLabel]: 'true',
      [managedLabel]: 'true',
    },
    annotations: {
      ...keep(current?.annotations, [...copied.annotations, annotations.copiedMetadata]),
      ...wanted.annotations,
      ...own,
      ...copiedAnnotation(Object.keys(wanted.labels), Object.keys(wanted.annotations)),
      [annotations.owner]: object.metadata.name,
      [annotations.ownerUid]: uidOf(object),
    },
    ownerReferences: desiredOwners(object, current?.ownerReferences ?? []),
  };
}

/** Other kinds' references stay; of our kind only this object's, and under `Retain` none, so that the Secret outlives it. */
function desiredOwners(object: AWSAssumeRole, current: OwnerReference[]): OwnerReference[] {
  const others = current.filter((reference) => !isOurKind(reference));
  if (object.spec.deletionPolicy === 'Retain') return others;
  const own = {
    apiVersion: object.apiVersion,
    kind: object.kind,
    name: object.metadata.name,
    uid: uidOf(object),
    controller: true,
  };
  return [...others, others.some((reference) => reference.controller) ? { ...own, controller: false } : own];
}

function copiedAnnotation(labels: string[], keys: string[]): Record<string, string> {
  if (labels.length + keys.length === 0) return {};
  return { [annotations.copiedMetadata]: JSON.stringify({ labels: labels.sort(), annotations: keys.sort() }) };
}

function parseCopied(text: string | undefined): { labels: string[]; annotations: string[] } {
  const strings = (value: unknown) => (Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []);
  try {
    const value = JSON.parse(text ?? '{}') as { labels?: unknown; annotations?: unknown };
    return { labels: strings(value.labels), annotations: strings(value.annotations) };
  } catch {
    return { labels: [], annotations: [] };
  }
}

/** The annotations that describe a session, so that the status can be rebuilt from the Secret alone. */
export function sessionAnnotations(record: SessionRecord, dataSha256: string): Record<string, string> {
  const { assumedRoleArn, accessKeyId, packedPolicySizePercent, requestId, generation, refreshSha256, assumed } =
    record;
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
      refreshSha256,
      ...(assumed && { assumed }),
    }),
  };
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

/** Whether the metadata that matter to us differ. */
export function metadataDrifted(current: ObjectMeta, desired: ObjectMeta): boolean {
  return (
    !sameMap(current.labels, desired.labels) ||
    !sameMap(current.annotations, desired.annotations) ||
    ownersKey(current.ownerReferences) !== ownersKey(desired.ownerReferences)
  );
}

function sameMap(a: Record<string, string> = {}, b: Record<string, string> = {}): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}

function ownersKey(references: OwnerReference[] = []): string {
  return references
    .map((r) => [r.apiVersion, r.kind, r.name, r.uid, r.controller === true].join(' '))
    .sort()
    .join('\n');
}

export function uidOf(object: AWSAssumeRole): string {
  return object.metadata.uid ?? '';
}
