import { type Clock, sleep } from '../../clock.ts';
import { RolevendError } from '../../errors.ts';
import type { KubeClient } from '../../kube/client.ts';
import { isAlreadyExists, isConflict, isNotFound, isUidMismatch, KubeError } from '../../kube/errors.ts';
import { isLeaseLost } from '../../kube/lease.ts';
import { isFinalized, keyOf, type ObjectMeta, type ObjectRef, secrets } from '../../kube/objects.ts';
import type { Ownership } from './ownership.ts';
import type { Secret } from './secret.ts';

/** A Secret as it shall be. `metadata` is made from that of the Secret which stands, so that foreign labels survive. */
export interface DesiredSecret {
  type: string;
  /** Plain text; encoded when it is written. */
  data: Record<string, string>;
  metadata(current: ObjectMeta | undefined): ObjectMeta;
}

export interface WriteOptions {
  client: KubeClient;
  clock: Clock;
  signal: AbortSignal;
  namespace: string;
  name: string;
  ownership(meta: ObjectMeta): Ownership;
  /** UID of a Secret without an owner that is to be taken over; any other one is left alone. */
  adopted?: string | undefined;
}

/** The Secret may not be written, because it belongs to somebody else. */
export class ForeignSecretError extends RolevendError {
  readonly ownership: Ownership;

  constructor(key: string, ownership: Ownership) {
    super(`Secret ${key} belongs to somebody else`, { code: 'AdoptionRefused', consequence: 'stop' });
    this.ownership = ownership;
  }
}

/** Attempts before the session is given up; the waits between them add up to about 7 s. */
const ATTEMPTS = 6;
const FIRST_WAIT_MS = 250;

/**
 * Writes the Secret and gives back what the API server made of it. A create that meets a Secret reads it and decides by
 * owner; a replacement that meets a newer version reads and repeats; a change that the API server forbids (another
 * type, an immutable Secret) becomes a delete of exactly that Secret and a create. Passing trouble is sat out here,
 * because the session in hand would be lost with the pass. `known` are the metadata that the pass has seen; `unread` where
 * a Secret stands of which it has only what a store keeps, without the labels and annotations of others.
 *
 * Throws `ForeignSecretError` where it turns out to belong to somebody else, else the last `KubeError`.
 */
export async function writeSecret(
  desired: DesiredSecret,
  known: ObjectMeta | 'unread' | undefined,
  o: WriteOptions,
): Promise<Secret> {
  for (let attempt = 1; ; attempt++) {
    try {
      const current = attempt > 1 || known === 'unread' ? await readOwn(o) : known;
      return await writeOnce(desired, current, o);
    } catch (error) {
      if (attempt === ATTEMPTS || !isWorthRepeating(error)) throw error;
      if (needsWait(error)) await sleep(o.clock, FIRST_WAIT_MS * 2 ** (attempt - 1), o.signal);
    }
  }
}

function isWorthRepeating(error: unknown): boolean {
  // A clock that was set ahead looks like a lost Lease until the next renewal. A Lease that is lost ends the waiting.
  if (isLeaseLost(error)) return true;
  if (!(error instanceof KubeError)) return false;
  return error.consequence === 'retry' && error.status !== 401 && (error.status !== 403 || error.causes.length > 0);
}

function needsWait(error: unknown): boolean {
  return !isConflict(error) && !isAlreadyExists(error) && !isNotFound(error) && !isUidMismatch(error);
}

/**
 * One attempt of `writeSecret`: a Secret that is not `current` any more is refused with a conflict.
 * Throws `KubeError`, and `ForeignSecretError` where somebody else made one of this name meanwhile.
 */
export async function writeOnce(
  desired: DesiredSecret,
  current: ObjectMeta | undefined,
  o: WriteOptions,
): Promise<Secret> {
  const body = secretOf(desired, current);
  if (current === undefined) return await o.client.create<Secret>(secrets, body, { signal: o.signal });
  try {
    return await o.client.replace<Secret>(secrets, body, { signal: o.signal });
  } catch (error) {
    if (!isFixed(error)) throw error;
    return await recreate(desired, current, o);
  }
}

/** Whether the API server refused only because the Secret that stands has another type or is immutable. */
function isFixed(error: unknown): boolean {
  if (!(error instanceof KubeError) || error.status !== 422 || error.fields.length === 0) return false;
  return error.fields.every((field) => ['type', 'data', 'immutable'].includes(field));
}

/** A Secret's type, and everything of an immutable one, changes only with a new Secret. */
async function recreate(desired: DesiredSecret, current: ObjectMeta, o: WriteOptions): Promise<Secret> {
  // Deleted, it would stay, for good, and nothing could take its place. The version makes sure that none came meanwhile.
  if (isFinalized(current)) throw ending(o);
  const { uid, resourceVersion } = current;
  await o.client.delete(secrets, o, {
    signal: o.signal,
    ...(uid && { uid }),
    ...(resourceVersion && { resourceVersion }),
  });
  return await o.client.create<Secret>(secrets, secretOf(desired, withoutIdentity(current)), { signal: o.signal });
}

/** What keeps a Secret from being made anew. */
export function ending(ref: ObjectRef): RolevendError {
  const message = `Secret ${keyOf(ref)} has to be replaced, but finalizers keep the old one; remove them from its metadata.finalizers`;
  return new RolevendError(message, { code: 'SecretEnding', consequence: 'retry' });
}

/**
 * Whole metadata with identity and version of those that were looked at, so that a Secret which has changed since is refused
 * and looked at anew.
 */
export function asLookedAt(whole: ObjectMeta, { uid, resourceVersion }: ObjectMeta): ObjectMeta {
  return { ...whole, ...(uid !== undefined && { uid }), ...(resourceVersion !== undefined && { resourceVersion }) };
}

/** The Secret's metadata as they stand, where it is ours to write; undefined where there is none. */
async function readOwn(o: WriteOptions): Promise<ObjectMeta | undefined> {
  try {
    const { metadata } = await o.client.get(secrets, o, { signal: o.signal, metadataOnly: true });
    const ownership = o.ownership(metadata);
    if (ownership.kind === 'ours' || ownership.kind === 'stale') return metadata;
    if (ownership.kind === 'unowned' && o.adopted !== undefined && o.adopted === metadata.uid) return metadata;
    throw new ForeignSecretError(keyOf(o), ownership);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

function secretOf(desired: DesiredSecret, current: ObjectMeta | undefined): Secret {
  const { managedFields: _, ...metadata } = desired.metadata(current);
  const encoded = Object.entries(desired.data).map(([key, value]) => [
    key,
    Buffer.from(value, 'utf8').toString('base64'),
  ]);
  return { apiVersion: 'v1', kind: 'Secret', metadata, type: desired.type, data: Object.fromEntries(encoded) };
}

function withoutIdentity(meta: ObjectMeta): ObjectMeta {
  const { uid: _, resourceVersion: __, creationTimestamp: ___, deletionTimestamp: ____, ...rest } = meta;
  return rest;
}
