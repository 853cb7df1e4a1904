/** Kubernetes objects as raw JSON, and the resources they are stored under. Unknown fields are kept in both directions. */

import type { V1ManagedFieldsEntry, V1ObjectMeta, V1OwnerReference } from '@kubernetes/client-node';

/**
 * A type of `@kubernetes/client-node` as it goes over the wire: the package turns times into `Date`s, while here they stay
 * RFC 3339 texts.
 */
export type Raw<T> = T extends Date
  ? string
  : T extends readonly (infer Item)[]
    ? Raw<Item>[]
    : T extends object
      ? { [Field in keyof T]: Raw<T[Field]> }
      : T;

export type OwnerReference = Raw<V1OwnerReference>;
export type ManagedFields = Raw<V1ManagedFieldsEntry>;
/** Every object has a name. */
export type ObjectMeta = Omit<Raw<V1ObjectMeta>, 'name'> & { name: string };

/** Any object of the API. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
}

/** An object of a kind that is built into Kubernetes, from its type in `@kubernetes/client-node`. */
export type BuiltIn<T> = KubeObject & Omit<Raw<T>, keyof KubeObject>;

/** Where the objects of a kind are served. `group` is empty for the core group. */
export interface Resource {
  group: string;
  version: string;
  plural: string;
  kind: string;
  namespaced: boolean;
}

export interface ObjectRef {
  namespace?: string | undefined;
  name: string;
}

export const secrets: Resource = core('secrets', 'Secret');
export const serviceAccounts: Resource = core('serviceaccounts', 'ServiceAccount');
export const events: Resource = core('events', 'Event');
export const namespaces: Resource = { ...core('namespaces', 'Namespace'), namespaced: false };
export const leases: Resource = {
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  kind: 'Lease',
  namespaced: true,
};

/** `namespace/name`, or `name` for what has no namespace: the key in stores and queues. */
export function keyOf(object: KubeObject | ObjectRef): string {
  const { namespace, name } = refOf(object);
  return namespace ? `${namespace}/${name}` : name;
}

/** Namespace and name of an object; a reference is given back as it is. */
export function refOf(object: KubeObject | ObjectRef): ObjectRef {
  return 'metadata' in object ? object.metadata : object;
}

/** The reference that a key of `keyOf` stands for. */
export function refOfKey(key: string): ObjectRef {
  const slash = key.indexOf('/');
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** `v1` or `group/version`. */
export function apiVersionOf(resource: Resource): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
}

/** The object without the record of who wrote which field, which is often its larger part and of no use in a cache. */
export function withoutManagedFields<T extends KubeObject>(object: T): T {
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

/** Whether finalizers would keep the object for a while after its deletion. */
export function isFinalized({ finalizers = [] }: ObjectMeta): boolean {
  return finalizers.length > 0;
}

/** Whether the object waits for its finalizers to go. */
export function isDeleting(object: KubeObject): boolean {
  return object.metadata.deletionTimestamp !== undefined;
}

/**
 * Orders two resource versions: negative where `a` is older, 0 where they are the same. They are decimal numbers of any
 * length (comparable since KEP-5504), so that the longer text is the larger one. An absent version is the oldest.
 */
export function compareResourceVersions(a: string | undefined, b: string | undefined): number {
  const [left, right] = [a ?? '', b ?? ''];
  if (left.length !== right.length) return left.length - right.length;
  return left < right ? -1 : left > right ? 1 : 0;
}

function core(plural: string, kind: string): Resource {
  return { group: '', version: 'v1', plural, kind, namespaced: true };
}
