import type { AWSAssumeRole } from '../../api/aws-assume-role.ts';
import type { RoleGrant } from '../../api/role-grant.ts';
import { matchNamespace } from '../../credentials/grants.ts';
import { isDeleting, type KubeObject, keyOf } from '../../kube/objects.ts';
import { type Change, Store } from '../../kube/store.ts';
import { inNamespace, ownerUidIndex, secretNameIndex, uidIndex } from './inspect.ts';
import { ownerNames, ownerUids } from './ownership.ts';

/** Finds the objects of a namespace. */
const namespaceIndex = 'namespace';

/** The store of AWSAssumeRoles with the indexes that this controller needs. */
export function objectStore(): Store<AWSAssumeRole> {
  return new Store<AWSAssumeRole>({
    indexes: {
      [uidIndex]: ({ metadata }) => (metadata.uid === undefined ? [] : [inNamespace(metadata.namespace, metadata.uid)]),
      [secretNameIndex]: ({ metadata, spec }) => [inNamespace(metadata.namespace, spec.secretName)],
      [namespaceIndex]: ({ metadata }) => [metadata.namespace ?? ''],
    },
  });
}

/** The store of the Secrets that carry our label, metadata only. */
export function secretStore(): Store<KubeObject> {
  const owners = ({ metadata }: KubeObject) => ownerUids(metadata).map((uid) => inNamespace(metadata.namespace, uid));
  return new Store<KubeObject>({ indexes: { [ownerUidIndex]: owners } });
}

/**
 * The keys that a change of an AWSAssumeRole concerns: its own, unless only its status changed, and those of the objects
 * that name the same Secret and may go ahead now.
 */
export function keysOfObject(change: Change<AWSAssumeRole>, objects: Store<AWSAssumeRole>): string[] {
  const { object, previous, type } = change;
  if (type === 'modified' && previous !== undefined && !isWorthAPass(previous, object)) return [];
  const names = new Set([object, previous ?? object].map(({ spec }) => spec.secretName));
  const isFreed = type === 'deleted' || isDeleting(object) || names.size > 1;
  const rivals = isFreed ? [...names].flatMap((name) => namersOf(object.metadata.namespace, name, objects)) : [];
  return [...new Set([keyOf(object), ...rivals])];
}

/** Whether a change asks for a pass. A status that somebody else emptied counts; one that we wrote does not. */
export function isWorthAPass(before: AWSAssumeRole, after: AWSAssumeRole): boolean {
  const { generation, annotations, deletionTimestamp } = after.metadata;
  return (
    before.metadata.generation !== generation ||
    before.metadata.deletionTimestamp !== deletionTimestamp ||
    JSON.stringify(before.metadata.annotations) !== JSON.stringify(annotations) ||
    after.status?.conditions === undefined
  );
}

/** The keys of the objects that a change of a Secret concerns: its owners, and all that name it. */
export function keysOfSecret({ object }: Change<KubeObject>, objects: Store<AWSAssumeRole>): string[] {
  const { namespace, name } = object.metadata;
  const owners = ownerNames(object.metadata).map((owner) => keyOf({ namespace, name: owner }));
  return [...new Set([...owners, ...namersOf(namespace, name, objects)])];
}

/** All objects of a namespace whose labels changed, since grants may select by them. */
export function keysOfNamespace({ object, previous }: Change<KubeObject>, objects: Store<AWSAssumeRole>): string[] {
  if (previous !== undefined && JSON.stringify(previous.metadata.labels) === JSON.stringify(object.metadata.labels))
    return [];
  return objects.byIndex(namespaceIndex, object.metadata.name).map(keyOf);
}

/**
 * All objects of the namespaces that a grant speaks of, or spoke of before it changed: what they may do can differ now. For
 * those of other namespaces only the text of a denial can.
 */
export function keysOfGrant(
  change: Change<RoleGrant>,
  objects: Store<AWSAssumeRole>,
  namespaces: Pick<Store<KubeObject>, 'get'>,
): string[] {
  const { object, previous, type } = change;
  if (type === 'modified' && previous !== undefined && isSameGrant(previous, object)) return [];
  const speaksOf = memoized((namespace: string) => {
    const known = namespaces.get(namespace);
    const request = { namespace, namespaceLabels: known && (known.metadata.labels ?? {}) };
    return matchNamespace(object, request) || (previous !== undefined && matchNamespace(previous, request));
  });
  return [...objects.list()].filter(({ metadata }) => speaksOf(metadata.namespace ?? '')).map(keyOf);
}

function isSameGrant({ metadata: before }: RoleGrant, { metadata: after }: RoleGrant): boolean {
  return before.generation === after.generation && before.deletionTimestamp === after.deletionTimestamp;
}

function memoized<T>(work: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    const value = known.has(text) ? (known.get(text) as T) : work(text);
    known.set(text, value);
    return value;
  };
}

function namersOf(namespace: string | undefined, secretName: string, objects: Store<AWSAssumeRole>): string[] {
  return objects.byIndex(secretNameIndex, inNamespace(namespace, secretName)).map(keyOf);
}
