import { type AWSAssumeRole, withDefaults } from '../../api/aws-assume-role.ts';
import { annotations } from '../../api/names.ts';
import { dnsNameRules } from '../../api/patterns.ts';
import { parseTime } from '../../clock.ts';
import { specHash } from '../../credentials/input-hash.ts';
import type { KubeClient } from '../../kube/client.ts';
import { isNotFound } from '../../kube/errors.ts';
import { isFinalized, type KubeObject, keyOf, type ObjectMeta, type ObjectRef, secrets } from '../../kube/objects.ts';
import type { Store } from '../../kube/store.ts';
import { digest, kubernetesType } from '../../secrets/render.ts';
import { isWrittenBy, type Ownership, ownershipOf } from './ownership.ts';
import type { SecretState } from './plan.ts';
import { adoptedTypes, elderClaim, finalized, otherType, outranked, type Refusal, refusal } from './refusal.ts';
import type { Secret } from './secret.ts';
import { assumedRecord, type SessionRecord } from './session-record.ts';
import { trustedRecord } from './trusted-record.ts';

/** Names of the indexes that this controller needs. Their values are those of `inNamespace`. */
export const secretNameIndex = 'secretName';
export const uidIndex = 'uid';
export const ownerUidIndex = 'ownerUid';

/** What stands under the name of an object's Secret. */
export interface Inspection {
  state: SecretState;
  meta?: ObjectMeta | undefined;
  record?: SessionRecord | undefined;
  /** Whole Secret, where it had to be read; dropped when the pass ends. */
  live?: Secret | undefined;
  blocked?: Refusal | undefined;
  /** Nobody was asked: the cache had none, and the object is new. */
  isAssumed?: boolean;
  /** Labels, annotations or owner are still to be put right. */
  isDrifted?: boolean;
}

export interface InspectOptions {
  client: KubeClient;
  objects: Store<AWSAssumeRole>;
  secrets: Store<KubeObject>;
  signal: AbortSignal;
  /** Server time of AWS, milliseconds since 1970. */
  now: number;
  /** Whether nobody has worked on the object yet, so that what it may own is in the cache. */
  isNew: boolean;
}

/**
 * Looks at the Secret of `object`. Where the cache holds it in the version that the status tells as our own write, no
 * request is made. Else it is read: by metadata first, so that a foreign Secret's data never come here. For a new object the
 * cache is enough: a Secret that is not in it belongs to somebody else, and the API server refuses to create it again.
 */
export async function inspectSecret(object: AWSAssumeRole, o: InspectOptions): Promise<Inspection> {
  // Nothing can stand under a name that the API server does not take, and some would lead to another resource.
  if (!isSecretName(object.spec.secretName)) return { state: 'absent' };
  const ref: ObjectRef = { namespace: object.metadata.namespace, name: object.spec.secretName };
  const cached = o.secrets.get(keyOf(ref));
  if (cached !== undefined && isOwnVersion(cached.metadata, object) && isOurs(cached.metadata, object, o)) {
    return { state: 'intact', meta: cached.metadata, record: trustedRecord(cached.metadata, object, o.now) };
  }
  if (cached === undefined && o.isNew) return { ...absent(object, o), isAssumed: true };
  const meta = cached?.metadata ?? (await read<KubeObject>(ref, o, true))?.metadata;
  if (meta === undefined) return absent(object, o);
  const seen = await judged(meta, object, o);
  if (seen !== undefined) return seen;
  const live = await read<Secret>(ref, o, false);
  if (live === undefined) return absent(object, o);
  return (await judged(live.metadata, object, o)) ?? inspectOwn(object, live, o.now);
}

/**
 * Whether no operator can have come to the object yet, neither ours in an earlier term nor a legacy one: it was created after
 * `leadsSince`, API server's time in milliseconds since 1970. One that may take a Secret over is not meant.
 */
export function isUntouched({ metadata, status, spec }: AWSAssumeRole, leadsSince: number): boolean {
  const created = parseTime(metadata.creationTimestamp) ?? 0;
  return status === undefined && spec.adoption !== 'IfUnowned' && created > leadsSince;
}

function isSecretName(name: unknown): boolean {
  return typeof name === 'string' && dnsNameRules('secretName').every((rule) => rule.holds(name));
}

function isOurs(meta: ObjectMeta, object: AWSAssumeRole, { objects }: InspectOptions): boolean {
  return judge(meta, object, objects).kind === 'ours';
}

/** What to make of a Secret that is not this object's own; undefined where it is. */
async function judged(meta: ObjectMeta, object: AWSAssumeRole, o: InspectOptions): Promise<Inspection | undefined> {
  const ownership = judge(meta, object, o.objects);
  if (ownership.kind === 'ours') return undefined;
  if (ownership.kind === 'stale') return { state: 'stale', meta };
  const isAdopted = ownership.kind === 'unowned' && object.spec.adoption === 'IfUnowned';
  const blocked = isAdopted ? await adoptionRefusal(meta, object, o) : refusal(object.spec.secretName, ownership);
  return blocked === undefined ? { state: 'unowned', meta } : { state: 'absent', meta, blocked };
}

/** Why a Secret that nobody owns is not taken over all the same. Its type is asked for, so that its data never come here. */
async function adoptionRefusal(
  meta: ObjectMeta,
  object: AWSAssumeRole,
  o: InspectOptions,
): Promise<Refusal | undefined> {
  const { secretName: name } = object.spec;
  const claims = claimsOf(object, o);
  // Somebody took the owner off a Secret that another object wrote, and that will put it right.
  const writer = claims.find((claim) => isWrittenBy(meta, claim));
  if (writer !== undefined) return refusal(name, { kind: 'conflict', owner: writer.metadata.name });
  const rivals = claims.filter(({ spec }) => spec.adoption === 'IfUnowned');
  const elder = elderClaim(object, rivals);
  if (elder !== undefined) return outranked(name, elder);
  if (isFinalized(meta)) return finalized(name);
  const others = [...adoptedTypes].map((type) => `type!=${type}`).join(',');
  const { items } = await o.client.list(secrets, {
    namespace: object.metadata.namespace,
    fieldSelector: `metadata.name=${name},${others}`,
    metadataOnly: true,
    signal: o.signal,
  });
  return items.length === 0 ? undefined : otherType(name);
}

/** Where no Secret stands yet and several objects name it, the oldest goes first. */
function absent(object: AWSAssumeRole, o: InspectOptions): Inspection {
  const elder = elderClaim(object, claimsOf(object, o));
  if (elder === undefined) return { state: 'absent' };
  return { state: 'absent', blocked: outranked(object.spec.secretName, elder) };
}

/** All objects that name the same Secret. */
function claimsOf({ metadata, spec }: AWSAssumeRole, { objects }: InspectOptions): AWSAssumeRole[] {
  return objects.byIndex(secretNameIndex, inNamespace(metadata.namespace, spec.secretName));
}

/**
 * A Secret that never had our annotations is a legacy operator's, and its session's life follows from the status. Where
 * they were taken off one that we wrote, nothing tells any more whether the data are ours.
 */
function inspectOwn(object: AWSAssumeRole, live: Secret, now: number): Inspection {
  const meta = live.metadata;
  const dataSha256 = meta.annotations?.[annotations.dataSha256];
  if (dataSha256 === undefined && object.status?.secretRef?.uid !== meta.uid) {
    return {
      state: 'intact',
      meta,
      live,
      record: assumedRecord(object, withDefaults(object.spec).durationSeconds, now),
    };
  }
  const record = trustedRecord(meta, object, now);
  const isIntact = dataSha256 === digest(plainData(live)) && !isRetyped(live, record, object);
  return { state: isIntact ? 'intact' : 'edited', meta, live, record };
}

/** Whether somebody made the Secret anew with another type. A change of the spec alone is none of that. */
function isRetyped({ type }: Secret, record: SessionRecord | undefined, { spec }: AWSAssumeRole): boolean {
  return record?.specSha256 === specHash(spec) && type !== kubernetesType(spec.secretType);
}

/** Judges by the synced store who of the named owners lives. */
export function judge(meta: ObjectMeta, object: AWSAssumeRole, objects: Store<AWSAssumeRole>): Ownership {
  const { namespace } = object.metadata;
  return ownershipOf(meta, object, (uid) => objects.byIndex(uidIndex, inNamespace(namespace, uid))[0]?.metadata.name);
}

/** The value under which an index finds what is meant within one namespace alone. */
export function inNamespace(namespace: string | undefined, value: string): string {
  return `${namespace ?? ''}/${value}`;
}

/** Whether the status tells of the Secret in this very version. It may be forged, so it says nothing about the owner. */
function isOwnVersion(meta: ObjectMeta, object: AWSAssumeRole): boolean {
  const own = object.status?.secretRef;
  return own !== undefined && own.uid === meta.uid && own.resourceVersion === meta.resourceVersion;
}

/** The data of a Secret as text, the way they were given to `writeSecret`. */
export function plainData(secret: Secret): Record<string, string> {
  const decode = (value: string) => Buffer.from(value, 'base64').toString('utf8');
  return Object.fromEntries(Object.entries(secret.data ?? {}).map(([key, value]) => [key, decode(value)]));
}

async function read<T extends KubeObject>(
  ref: ObjectRef,
  o: InspectOptions,
  metadataOnly: boolean,
): Promise<T | undefined> {
  try {
    return await o.client.get<T>(secrets, ref, { signal: o.signal, metadataOnly });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
