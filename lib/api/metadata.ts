/** What a client needs to address the objects of one kind. */
export interface ResourceName {
  /** API group; empty for the core group. */
  group: string;
  version: string;
  plural: string;
  kind: string;
  namespaced: boolean;
}

/** One entry of `metadata.ownerReferences`. */
export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

/** One entry of `metadata.managedFields`: who wrote which fields, and when. */
export interface ManagedFields {
  manager?: string;
  /** `Apply` or `Update`. */
  operation?: string;
  apiVersion?: string;
  /** RFC 3339. */
  time?: string;
  fieldsType?: string;
  fieldsV1?: Record<string, unknown>;
  subresource?: string;
}

/** The part of `metadata` that this project reads. */
export interface Metadata {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
  /** RFC 3339, as the next. */
  creationTimestamp?: string;
  deletionTimestamp?: string;
  managedFields?: ManagedFields[];
  finalizers?: string[];
}
