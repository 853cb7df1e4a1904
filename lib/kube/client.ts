import type { V1TokenRequestStatus } from '@kubernetes/client-node';
import { isConflict, KubeError } from './errors.ts';
import type { KubeObject, ObjectRef, Raw, Resource } from './objects.ts';
import { apiVersionOf, refOf } from './objects.ts';
import { type Call, mergePatch, type Patience, type RequestOptions, Requests, serverSideApply } from './requests.ts';
import { type WatchEnd, type WatchOptions, watch } from './watch.ts';

export type { WatchEnd, WatchEvent, WatchOptions } from './watch.ts';

export interface ClientOptions extends RequestOptions {
  /** Name under which the API server records who wrote which field. Default `rolevend`. */
  fieldManager?: string;
}

export interface CallOptions {
  signal?: AbortSignal | undefined;
  /** Default: 5,000 for writes, 30,000 for reads. */
  timeoutMs?: number;
}

export interface GetOptions extends CallOptions {
  /** Asks the server for the metadata only (`PartialObjectMetadata`). */
  metadataOnly?: boolean;
}

export interface ListOptions extends GetOptions {
  namespace?: string | undefined;
  labelSelector?: string | undefined;
  fieldSelector?: string | undefined;
  /** Objects a page at most; the answer's `metadata.continue` names the next page. */
  limit?: number;
  continue?: string | undefined;
  resourceVersion?: string;
  /** How `resourceVersion` is meant. Default: the server's, which is "not older than". */
  resourceVersionMatch?: 'Exact' | 'NotOlderThan';
}

export interface PageOptions extends Omit<ListOptions, 'timeoutMs'> {
  /** Objects a page at most. */
  limit: number;
  patience: Patience;
}

export interface ObjectList<T> {
  items: T[];
  metadata: { resourceVersion: string; continue?: string };
}

export interface Page<T> extends ObjectList<T> {
  /** Of its text. */
  bytes: number;
}

export interface DeleteOptions extends CallOptions {
  /** Only the object with this uid. */
  uid?: string;
  /** Only while the object has this version. */
  resourceVersion?: string;
  /** Default: the kind's own, which is `Background` for nearly all. */
  propagationPolicy?: 'Orphan' | 'Background' | 'Foreground';
}

export interface PatchStatusOptions extends CallOptions {
  /** Version under which the object was seen with this uid. It saves a read where the object has not changed since. */
  resourceVersion?: string | undefined;
}

export interface ApplyOptions extends CallOptions {
  /** Takes fields over from other managers. Default false: a conflict is thrown. */
  force?: boolean;
  subresource?: string;
}

export interface ServiceAccountToken {
  /** The token itself: to be used, never to be logged. */
  token: string;
  /** Milliseconds since 1970, as granted by the server. */
  expiresAt: number;
}

/**
 * Requests to one API server over raw JSON: unknown fields survive reading and writing. Every method throws `KubeError`,
 * or the signal's reason when the caller's signal aborts.
 */
export class KubeClient {
  readonly #options: ClientOptions;
  readonly #requests: Requests;
  readonly #fieldManager: string;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#requests = new Requests(options);
    this.#fieldManager = options.fieldManager ?? 'rolevend';
  }

  /** What the API server's clock showed in its last answer, milliseconds since 1970 in whole seconds; undefined before the first. */
  get serverTime(): number | undefined {
    return this.#requests.serverTime;
  }

  get<T extends KubeObject>(resource: Resource, ref: ObjectRef, options: GetOptions = {}): Promise<T> {
    return this.#requests.json<T>({
      verb: 'get',
      resource,
      ref,
      accept: accept(options.metadataOnly, ''),
      ...call(options),
    });
  }

  /** One page. Items that the server sends without kind and apiVersion, as it does for its own kinds, get them. */
  async list<T extends KubeObject>(resource: Resource, options: ListOptions = {}): Promise<ObjectList<T>> {
    return typed(resource, await this.#requests.json<ObjectList<T>>(listCall(resource, options)));
  }

  /** The same for a list that may be large: it may take any time, as long as its bytes come. */
  async page<T extends KubeObject>(resource: Resource, options: PageOptions): Promise<Page<T>> {
    const { value, bytes } = await this.#requests.page<ObjectList<T>>(listCall(resource, options), options.patience);
    return { ...typed(resource, value), bytes };
  }

  create<T extends KubeObject>(resource: Resource, object: T, options: CallOptions = {}): Promise<T> {
    const ref = { namespace: object.metadata.namespace, name: object.metadata.name };
    return this.#write<T>({ verb: 'create', resource, ref, body: object, ...call(options) });
  }

  /** Replaces the object if it still has the uid and the version that the given one holds. */
  replace<T extends KubeObject>(resource: Resource, object: T, options: CallOptions = {}): Promise<T> {
    return this.#write<T>({ verb: 'update', resource, ref: refOf(object), body: object, ...call(options) });
  }

  /**
   * Merges `status` into that of the object with this uid, whatever its version; `null` removes a field. Throws a
   * `KubeError` with `uidMismatch` when the object of that name is another one by now.
   *
   * The server ignores the uid in a patch of a custom resource's status (Kubernetes 1.35), but heeds the version, which
   * belongs to one object alone. So the patch carries a version that is known to be of this uid: the one given, and
   * where that is missing or has passed, the one that is read anew.
   */
  async patchStatus<T extends KubeObject>(
    resource: Resource,
    ref: ObjectRef,
    uid: string,
    status: object,
    options: PatchStatusOptions = {},
  ): Promise<T> {
    let version = options.resourceVersion ?? (await this.#versionOf(resource, ref, uid, options));
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#patchStatus<T>(
          resource,
          ref,
          { metadata: { uid, resourceVersion: version }, status },
          options,
        );
      } catch (error) {
        if (!isConflict(error) || attempt === patchAttempts) throw error;
        version = await this.#versionOf(resource, ref, uid, options);
      }
    }
  }

  /** Merges `change` into the object, whatever its version; `null` removes a field. What it has already changes nothing. */
  patch<T extends KubeObject>(
    resource: Resource,
    ref: ObjectRef,
    change: object,
    options: CallOptions = {},
  ): Promise<T> {
    return this.#write<T>({ verb: 'patch', resource, ref, body: change, contentType: mergePatch, ...call(options) });
  }

  /** Server-side apply: the object's fields become those of our field manager, others stay. */
  apply<T extends KubeObject>(resource: Resource, object: T, options: ApplyOptions = {}): Promise<T> {
    return this.#write<T>({
      verb: 'patch',
      resource,
      ref: refOf(object),
      subresource: options.subresource,
      body: object,
      contentType: serverSideApply,
      query: options.force ? { force: 'true' } : {},
      ...call(options),
    });
  }

  async delete(resource: Resource, ref: ObjectRef, options: DeleteOptions = {}): Promise<void> {
    const { uid, resourceVersion, propagationPolicy } = options;
    const preconditions = { ...(uid && { uid }), ...(resourceVersion && { resourceVersion }) };
    const body = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      ...(Object.keys(preconditions).length > 0 && { preconditions }),
      ...(propagationPolicy && { propagationPolicy }),
    };
    await this.#requests.json({ verb: 'delete', resource, ref, body, ...call(options) });
  }

  /** A token of the service account, for the given audiences (TokenRequest). */
  async createToken(
    ref: ObjectRef,
    spec: { audiences: string[]; expirationSeconds: number },
    options: CallOptions = {},
  ): Promise<ServiceAccountToken> {
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec };
    const { status } = await this.#requests.json<{ status: Required<Raw<V1TokenRequestStatus>> }>({
      verb: 'create',
      resource: serviceAccountTokens,
      ref,
      subresource: 'token',
      body,
      ...call(options),
    });
    return { token: status.token, expiresAt: Date.parse(status.expirationTimestamp) };
  }

  /**
   * Tells the changes after `resourceVersion`; resolves when a watch ends that the server had accepted: by the server, with
   * its connection, or after `idleMs` without anything. Throws `KubeError` where it was not accepted, where what came is no
   * watch, or where the server sends an ERROR event (code `Expired` for a version that is too old).
   */
  watch<T extends KubeObject>(resource: Resource, options: WatchOptions<T>): Promise<WatchEnd> {
    return watch<T>(this.#requests, this.#options.clock, resource, options);
  }

  #patchStatus<T extends KubeObject>(
    resource: Resource,
    ref: ObjectRef,
    body: object,
    options: CallOptions,
  ): Promise<T> {
    const patch = { resource, ref, subresource: 'status', body, contentType: mergePatch };
    return this.#write<T>({ verb: 'patch', ...patch, ...call(options) });
  }

  /** The current version of the object with this uid. */
  async #versionOf(
    resource: Resource,
    ref: ObjectRef,
    uid: string,
    { signal, timeoutMs }: CallOptions,
  ): Promise<string> {
    const deadline = timeoutMs === undefined ? {} : { timeoutMs };
    const { metadata } = await this.get(resource, ref, { metadataOnly: true, signal, ...deadline });
    if (metadata.uid === uid) return metadata.resourceVersion ?? '';
    const context = { verb: 'patch', resource, subresource: 'status', ref };
    const message = 'the object was deleted and created anew';
    throw new KubeError(context, { status: 409, code: 'Conflict', uidMismatch: true, message });
  }

  #write<T extends KubeObject>(call: Call): Promise<T> {
    return this.#requests.json<T>({ ...call, query: { fieldManager: this.#fieldManager, ...call.query } });
  }
}

/** How often somebody else's change of the object may come between reading its version and patching it. */
const patchAttempts = 5;

const serviceAccountTokens: Resource = {
  group: '',
  version: 'v1',
  plural: 'serviceaccounts',
  kind: 'TokenRequest',
  namespaced: true,
};

function call({ signal, timeoutMs }: CallOptions): Pick<Call, 'signal' | 'timeoutMs'> {
  return { signal, timeoutMs };
}

function accept(metadataOnly: boolean | undefined, suffix: '' | 'List'): string | undefined {
  return metadataOnly ? `application/json;as=PartialObjectMetadata${suffix};g=meta.k8s.io;v=v1` : undefined;
}

function listCall(resource: Resource, options: ListOptions): Call {
  const ref = { namespace: options.namespace };
  const query = listQuery(options);
  return { verb: 'list', resource, ref, accept: accept(options.metadataOnly, 'List'), query, ...call(options) };
}

function typed<T extends KubeObject>(resource: Resource, { metadata, items }: ObjectList<T>): ObjectList<T> {
  const type = { apiVersion: apiVersionOf(resource), kind: resource.kind };
  return { metadata, items: (items ?? []).map((item) => (item.kind ? item : { ...type, ...item })) };
}

function listQuery(options: ListOptions): Record<string, string | undefined> {
  return {
    labelSelector: options.labelSelector,
    fieldSelector: options.fieldSelector,
    limit: options.limit?.toString(),
    continue: options.continue,
    resourceVersion: options.resourceVersion,
    resourceVersionMatch: options.resourceVersionMatch,
  };
}
