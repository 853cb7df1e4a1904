import { annotations } from '../../api/names.ts';
import { specHash } from '../../credentials/input-hash.ts';
import { isNotFound, isUidMismatch } from '../../kube/errors.ts';
import { type KubeObject, type ObjectMeta, refOf, secrets, withoutManagedFields } from '../../kube/objects.ts';
import { digest } from '../../secrets/render.ts';
import { judge, ownerUidIndex, plainData } from './inspect.ts';
import type { Pass, VendingContext } from './pass.ts';
import { type Secret, uidOf } from './secret.ts';
import { desiredMetadata, metadataDrifted } from './secret-metadata.ts';
import { sessionAnnotations } from './session-record.ts';

/**
 * Puts labels, annotations and owner of a good Secret right, and takes a legacy operator's Secret over. The data stay as
 * they are, so it costs no session.
 */
export async function repairMetadata(pass: Pass, context: VendingContext): Promise<void> {
  const { seen, object, spec, asked, signal } = pass;
  if (seen.state !== 'intact' || seen.meta === undefined) return;
  // A Secret is taken over with the hash of its request, which only a known identity tells; it comes soon.
  const isTakeOver = seen.meta.annotations?.[annotations.dataSha256] === undefined;
  if (isTakeOver && (spec.suspend || asked.obstacle?.code === 'NoIdentity')) return;
  const own = ownAnnotations(pass);
  if (!metadataDrifted(seen.meta, wantedMetadata(pass, seen.meta, own))) return;
  const ref = { namespace: object.metadata.namespace, name: spec.secretName };
  const live = seen.live ?? (await context.client.get<Secret>(secrets, ref, { signal }));
  const { managedFields: _, ...desired } = wantedMetadata(pass, live.metadata, own);
  // The data were found good in the version that was looked at: a later one is refused and looked at anew.
  const metadata = { ...desired, ...(seen.meta.resourceVersion && { resourceVersion: seen.meta.resourceVersion }) };
  const written = await context.client.replace<Secret>(secrets, { ...live, metadata }, { signal });
  context.secrets.observe(withoutManagedFields({ apiVersion: 'v1', kind: 'Secret', metadata: written.metadata }));
  pass.seen = { state: 'intact', meta: written.metadata, record: seen.record };
  // A take-over, or a change of `spec.metadata`, is no drift.
  const { secretRef, observedGeneration } = object.status ?? {};
  if (secretRef === undefined || observedGeneration !== object.metadata.generation) return;
  context.metrics.drifted('metadata');
  context.announcer.repaired(object);
}

/** A suspended object leaves its Secret alone, but `deletionPolicy` must hold whenever the object is deleted. */
function wantedMetadata({ object, spec }: Pass, current: ObjectMeta, own: Record<string, string>): ObjectMeta {
  const desired = desiredMetadata(object, current, own);
  const { ownerReferences } = desired;
  return spec.suspend ? { ...current, ...(ownerReferences && { ownerReferences }) } : desired;
}

/**
 * The annotations that describe the session. Where the input hash is missing, as it is on a legacy Secret, the request
 * as it is now counts as the one of the spec.
 */
function ownAnnotations({ seen, asked, object }: Pass): Record<string, string> {
  const { record, live, meta } = seen;
  if (record === undefined) return {};
  const held = meta?.annotations?.[annotations.dataSha256] ?? (live && digest(plainData(live)));
  if (held === undefined) return {};
  const isOfSpec = record.assumed === true || record.generation === object.metadata.generation;
  const inputHash = record.inputHash ?? (isOfSpec ? asked.request?.inputHash : undefined);
  const specSha256 = record.specSha256 ?? (isOfSpec ? specHash(object.spec) : undefined);
  return sessionAnnotations({ ...record, inputHash, specSha256 }, held);
}

/** After a change of `spec.secretName`, removes the Secrets of this object that have another name. */
export async function removeFormer(pass: Pass, context: VendingContext): Promise<void> {
  for (const metadata of await formerSecrets(pass, context)) {
    const isOurs = judge(metadata, pass.object, context.objects).kind === 'ours';
    if (!isOurs || metadata.uid === undefined || metadata.uid === pass.memory.removedFormer) continue;
    const ref = { namespace: metadata.namespace, name: metadata.name };
    await context.client.delete(secrets, ref, { signal: pass.signal, uid: metadata.uid }).catch(goneOrThrow);
    pass.memory.removedFormer = metadata.uid;
  }
}

/** Those that the cache shows, and the one of the status where a legacy operator wrote it without our label. */
async function formerSecrets({ object, spec, signal }: Pass, context: VendingContext): Promise<ObjectMeta[]> {
  const known = context.secrets.byIndex(ownerUidIndex, uidOf(object)).map((refreshed) => refreshed.metadata);
  const former = known.filter(({ name }) => name !== spec.secretName);
  const last = object.status?.secretRef?.name;
  if (last === undefined || last === spec.secretName || former.some(({ name }) => name === last)) return former;
  const ref = refOf({ namespace: object.metadata.namespace, name: last });
  const secret = await context.client.get<KubeObject>(secrets, ref, { signal, metadataOnly: true }).catch(goneOrThrow);
  return secret === undefined ? former : [...former, secret.metadata];
}

/** For requests about something that may be gone or replaced by now. */
export function goneOrThrow(error: unknown): undefined {
  if (!isNotFound(error) && !isUidMismatch(error)) throw error;
}
