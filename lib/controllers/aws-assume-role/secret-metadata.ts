import type { AWSAssumeRole } from '../../api/aws-assume-role.ts';
import { annotations, legacyLabel, managedLabel } from '../../api/names.ts';
import type { ObjectMeta, OwnerReference } from '../../kube/objects.ts';
import { isOurKind } from './ownership.ts';
import { uidOf } from './secret.ts';

/**
 * Metadata that the Secret of `object` should have: what others put on it is kept, what is ours is set, and keys once
 * copied from `spec.metadata` that are gone there are removed. `own` are the annotations of the session it holds.
 */
export function desiredMetadata(
  object: AWSAssumeRole,
  current: ObjectMeta | undefined,
  own: Record<string, string>,
): ObjectMeta {
  const copied = copiedKeys(current);
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

/** The keys that were copied from `spec.metadata`, as the Secret notes them; none where it notes nothing that can be read. */
export function copiedKeys(meta: ObjectMeta | undefined): { labels: string[]; annotations: string[] } {
  const strings = (value: unknown) => (Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []);
  try {
    const text = meta?.annotations?.[annotations.copiedMetadata] ?? '{}';
    const value = JSON.parse(text) as { labels?: unknown; annotations?: unknown };
    return { labels: strings(value.labels), annotations: strings(value.annotations) };
  } catch {
    return { labels: [], annotations: [] };
  }
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
