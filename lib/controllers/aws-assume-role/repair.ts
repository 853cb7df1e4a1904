import { annotations } from '../../api/names.ts';
import { specHash } from '../../credentials/input-hash.ts';
import { isNotFound, isUidMismatch } from '../../kube/errors.ts';
import { type ObjectMeta, secrets } from '../../kube/objects.ts';
import { digest } from '../../secrets/render.ts';
import { isUnknown } from './ask.ts';
import { attempt, type Refused, waitOf } from './attempt.ts';
import { noteRepair } from './drift.ts';
import { plainData } from './inspect.ts';
import { keptSecret } from './kept.ts';
import { type Pass, serverNow, type VendingContext } from './pass.ts';
import { repairTime } from './plan.ts';
import type { Secret } from './secret.ts';
import { desiredMetadata, metadataDrifted } from './secret-metadata.ts';
import { sessionAnnotations } from './session-record.ts';
import { asLookedAt } from './write.ts';

/**
 * Puts labels, annotations and owner of a good Secret right, and takes a legacy operator's Secret over. The data stay as
 * they are, so it costs no session. Gives the time in milliseconds until more is to do, or undefined: what somebody changes
 * again and again waits its turn, and what the API server refuses is told, and does not keep the pass from its status.
 *
 * Throws as `attempt` does.
 */
export async function repairMetadata(pass: Pass, context: VendingContext): Promise<number | undefined> {
  const { seen, memory } = pass;
  const { clock } = context;
  if (!isToRepair(pass)) {
    memory.metadataRefused = undefined;
    return undefined;
  }
  const now = serverNow(context);
  const turnMs = isDrift(pass) ? Math.max(0, repairTime(memory) - now) : 0;
  const waitMs = Math.max(turnMs, waitOf(memory.metadataRefused, clock) ?? 0);
  if (waitMs === 0) {
    memory.metadataRefused = await attempt(() => replaceMetadata(pass, context), memory.metadataRefused, clock);
    if (memory.metadataRefused === undefined) return undefined;
    tellRefused(pass, memory.metadataRefused, context);
  }
  pass.seen = { ...seen, isDrifted: true };
  return waitMs || waitOf(memory.metadataRefused, clock);
}

function isToRepair(pass: Pass): boolean {
  const { seen, spec, asked } = pass;
  if (seen.state !== 'intact' || seen.meta === undefined) return false;
  // A Secret is taken over with the hash of its request, which only a known identity and namespace tell; they come soon.
  const isTakeOver = seen.meta.annotations?.[annotations.dataSha256] === undefined;
  if (isTakeOver && (spec.suspend || isUnknown(asked.obstacle))) return false;
  return metadataDrifted(seen.meta, wantedMetadata(pass, seen.meta, ownAnnotations(pass)));
}

/** A take-over, or a change of `spec.metadata`, is no drift. */
function isDrift({ object: { status, metadata } }: Pass): boolean {
  return status?.secretRef !== undefined && status.observedGeneration === metadata.generation;
}

async function replaceMetadata(pass: Pass, context: VendingContext): Promise<void> {
  const { seen, object, spec, signal } = pass;
  const { meta, record } = seen;
  if (meta === undefined) return;
  const ref = { namespace: object.metadata.namespace, name: spec.secretName };
  const live = seen.live ?? (await context.client.get<Secret>(secrets, ref, { signal }));
  // The data were found good in the version that was looked at: a later one is refused and looked at anew.
  const current = asLookedAt(live.metadata, meta);
  const { managedFields: _, ...metadata } = wantedMetadata(pass, current, ownAnnotations(pass));
  // What a store keeps may lack what others have put there just as it is wanted.
  if (!metadataDrifted(current, metadata)) return;
  const written = await context.client.replace<Secret>(secrets, { ...live, metadata }, { signal });
  context.secrets.observe(keptSecret({ apiVersion: 'v1', kind: 'Secret', metadata: written.metadata }));
  pass.seen = { state: 'intact', meta: written.metadata, record };
  if (isDrift(pass)) noteRepair(pass, 'metadata', context);
}

function tellRefused({ key, object }: Pass, { error }: Refused, { log, announcer }: VendingContext): void {
  log.warn({ object: key, error: error.message }, 'labels, annotations or owner of the Secret were not put right');
  announcer.notRepaired(object, error.message);
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

/** For requests about something that may be gone or replaced by now. */
export function goneOrThrow(error: unknown): undefined {
  if (!isNotFound(error) && !isUidMismatch(error)) throw error;
}
