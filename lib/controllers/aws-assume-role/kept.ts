import { hash } from 'node:crypto';
import type { AWSAssumeRole, AWSAssumeRoleSpec, AWSAssumeRoleStatus } from '../../api/aws-assume-role.ts';
import { type Condition, conditionTypes, findCondition } from '../../api/conditions.ts';
import { annotations, fieldManager, legacyLabel, managedLabel } from '../../api/names.ts';
import type { RoleGrant } from '../../api/role-grant.ts';
import type { KubeObject, ObjectMeta, OwnerReference } from '../../kube/objects.ts';
import { isOurKind, isOurWrite } from './ownership.ts';
import { copiedKeys } from './secret-metadata.ts';

/*
 * What the stores keep of an object is what is read of it. The rest may be 1.5 MB, and it is tenants who write it. So nothing
 * that comes out of a store is complete: whoever replaces an object reads it before.
 */

/** Longest value in characters that is kept as it is; of a longer one a digest is. */
const MAX_VALUE = 4_096;
/** The same for a request for a refresh, which also goes into the status, and for the list of the keys that were copied. */
const MAX_REQUEST = 256;
const MAX_LIST = 24_576;
/** References to owners of our kind, and to those of other kinds, that are kept. */
const MAX_OWNERS = 10;
/** The keys that `spec.metadata` copies at most. */
const MAX_COPIED = 32;

/** What is kept of an AWSAssumeRole. One that was stored before our definition may have no spec; it counts as an empty one. */
export function keptObject({ apiVersion, kind, metadata, spec, status }: AWSAssumeRole): AWSAssumeRole {
  const request = metadata.annotations?.[annotations.refreshRequestedAt];
  const kept = request !== undefined && { [annotations.refreshRequestedAt]: bounded(request, MAX_REQUEST) };
  return {
    apiVersion,
    kind,
    metadata: { ...identityOf(metadata), ...(kept && { annotations: kept }) },
    spec: typeof spec === 'object' && spec !== null ? spec : ({} as AWSAssumeRoleSpec),
    ...(status && { status: keptStatus(status) }),
  };
}

/** Older operators kept a history: the last of each status tells all that is read. Conditions of others are written back. */
function keptStatus({ conditions, ...status }: AWSAssumeRoleStatus): AWSAssumeRoleStatus {
  return { ...status, ...(conditions && { conditions: conditions.filter((one) => isLast(one, conditions)) }) };
}

function isLast(condition: Condition, all: readonly Condition[]): boolean {
  if (!(conditionTypes as readonly string[]).includes(condition.type)) return true;
  const alike = all.filter(({ status }) => status === condition.status);
  return findCondition(alike, condition.type) === condition;
}

/** What is kept of a Secret: identity, owners, our labels and annotations, and the keys that we copied to it. */
export function keptSecret({ apiVersion, kind, metadata }: KubeObject): KubeObject {
  const { ownerReferences = [], finalizers = [] } = metadata;
  const copied = copiedKeys(metadata);
  const labels = pick(metadata.labels, [legacyLabel, managedLabel, ...copied.labels.slice(0, MAX_COPIED)]);
  const own = pick(metadata.annotations, [...Object.values(annotations), ...copied.annotations.slice(0, MAX_COPIED)]);
  const isOurs = (reference: OwnerReference) => isOurKind(reference);
  const owners = [
    ...ownerReferences.filter(isOurs).slice(0, MAX_OWNERS),
    ...ownerReferences.filter((reference) => !isOurs(reference)).slice(0, MAX_OWNERS),
  ];
  return {
    apiVersion,
    kind,
    metadata: {
      ...identityOf(metadata),
      labels,
      annotations: own,
      ...(owners.length > 0 && { ownerReferences: owners }),
      ...(finalizers.length > 0 && { finalizers: finalizers.slice(0, 1) }),
      ...(isOurWrite(metadata) && { managedFields: [{ manager: fieldManager }] }),
    },
  };
}

/** What is kept of a namespace: grants select by any of its labels. */
export function keptNamespace({ apiVersion, kind, metadata }: KubeObject): KubeObject {
  return { apiVersion, kind, metadata: { ...identityOf(metadata), labels: metadata.labels ?? {} } };
}

/** What is kept of a RoleGrant. */
export function keptGrant({ apiVersion, kind, metadata, spec }: RoleGrant): RoleGrant {
  return { apiVersion, kind, metadata: identityOf(metadata), spec };
}

function identityOf(metadata: ObjectMeta): ObjectMeta {
  const { name, namespace, uid, resourceVersion, generation, creationTimestamp, deletionTimestamp } = metadata;
  return {
    name,
    ...(namespace !== undefined && { namespace }),
    ...(uid !== undefined && { uid }),
    ...(resourceVersion !== undefined && { resourceVersion }),
    ...(generation !== undefined && { generation }),
    ...(creationTimestamp !== undefined && { creationTimestamp }),
    ...(deletionTimestamp !== undefined && { deletionTimestamp }),
  };
}

function pick(map: Record<string, string> = {}, keys: readonly string[]): Record<string, string> {
  const there = keys.filter((key) => Object.hasOwn(map, key));
  const limit = (key: string) => (key === annotations.copiedMetadata ? MAX_LIST : MAX_VALUE);
  return Object.fromEntries(there.map((key) => [key, bounded(map[key] ?? '', limit(key))]));
}

/** The text, or what stands for one that is too long. No part of it, which would keep the whole in memory. */
function bounded(text: string, limit: number): string {
  return text.length <= limit ? text : `sha256:${hash('sha256', text)}`;
}
