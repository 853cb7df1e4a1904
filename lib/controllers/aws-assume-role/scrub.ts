import { describeError, framesOf, isAbort } from '../../errors.ts';
import { isNamespaceTerminating } from '../../kube/errors.ts';
import { type ObjectMeta, secrets } from '../../kube/objects.ts';
import { digest } from '../../secrets/render.ts';
import { scrubbedData } from '../../secrets/scrub.ts';
import { judge } from './inspect.ts';
import { keptSecret } from './kept.ts';
import { type Pass, serverNow, type VendingContext } from './pass.ts';
import { isScrubbed } from './scrub-state.ts';
import type { Secret } from './secret.ts';
import { desiredMetadata } from './secret-metadata.ts';
import { type SessionRecord, sessionAnnotations } from './session-record.ts';
import { asLookedAt, writeOnce } from './write.ts';

/** When a Secret that could not be emptied is looked at again, in milliseconds. */
const RETRY_MS = 30_000;

/**
 * Removes the data of a Secret whose credential ended, where the spec asks for it. It comes after the pass has tried to
 * issue, so that what can be replaced is never empty. Gives the time in milliseconds after which to try again, or
 * undefined where nothing is left to do; what goes wrong is logged, since it must not keep the pass from its status.
 *
 * Points at which the process may be killed, and why each is harmless:
 *  1. before the Secret is written: the next pass finds the ended credential again;
 *  2. it is written, its answer lost: its digest is that of an empty Secret, so it is no drift; the status follows;
 *  3. after the Secret, before the status: the same;
 *  4. between delete and create of an immutable one: it is missing, as after point 5 of an issue.
 *
 * Throws what ends the whole pass: its signal's reason, and the refusal of a namespace that is going away.
 */
export async function scrub(pass: Pass, context: VendingContext): Promise<number | undefined> {
  const { record, meta } = pass.seen;
  if (record === undefined || meta === undefined || !isToScrub(pass, record, serverNow(context))) return undefined;
  try {
    return await empty(pass, record, meta, context);
  } catch (error) {
    if ((pass.signal.aborted && isAbort(error)) || isNamespaceTerminating(error)) throw error;
    const problem = { error: describeError(error), frames: framesOf(error) };
    context.log.warn({ object: pass.key, ...problem }, 'the ended credential could not be removed');
    return RETRY_MS;
  }
}

/**
 * Whether the Secret holds, untouched, what ended. An end that is only assumed, because a legacy operator wrote the
 * Secret, may be wrong. Right after its start the operator does not know its identity yet, or a new namespace, and could not issue.
 */
export function isToScrub({ spec, seen, asked, object }: Pass, record: SessionRecord, now: number): boolean {
  if (spec.onExpiry !== 'Scrub' || spec.suspend || seen.blocked) return false;
  const code = asked.obstacle?.code;
  const isStarting =
    code === 'NamespaceUnknown' || (code === 'NoIdentity' && object.status?.lastErrorCode !== 'NoIdentity');
  const isEnded = record.expiresAt <= now && record.assumed !== true;
  return isEnded && !isStarting && seen.state === 'intact' && !isScrubbed(seen);
}

async function empty(
  pass: Pass,
  record: SessionRecord,
  meta: ObjectMeta,
  context: VendingContext,
): Promise<number | undefined> {
  const { client, clock, objects, log } = context;
  const { object, signal, key } = pass;
  const ref = { namespace: object.metadata.namespace ?? '', name: meta.name };
  const live = await client.get<Secret>(secrets, ref, { signal });
  const { type = 'Opaque' } = live;
  // A wrong clock of this node, and no AWS to put it right, must not cost a good credential: the API server has to agree.
  const leftMs = record.expiresAt - (client.serverTime ?? 0);
  if (leftMs > 0) return Math.min(leftMs, RETRY_MS);
  const data = scrubbedData(type);
  const own = sessionAnnotations(record, digest(data));
  const metadata = (current: ObjectMeta | undefined) => desiredMetadata(object, current, own);
  const ownership = (found: ObjectMeta) => judge(found, object, objects);
  const current = asLookedAt(live.metadata, meta);
  const written = await writeOnce({ type, data, metadata }, current, { ...ref, client, clock, signal, ownership });
  context.secrets.observe(keptSecret(written));
  pass.seen = { state: 'intact', meta: written.metadata, record };
  log.warn({ object: key }, 'the ended credential was removed from its Secret');
  return undefined;
}
