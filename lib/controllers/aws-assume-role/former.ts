import { isDeleting, isFinalized, type KubeObject, type ObjectMeta, refOf, secrets } from '../../kube/objects.ts';
import { attempt, type Refused, waitOf } from './attempt.ts';
import { inNamespace, judge, ownerUidIndex } from './inspect.ts';
import { isOurWrite } from './ownership.ts';
import type { Pass, VendingContext } from './pass.ts';
import { goneOrThrow } from './repair.ts';
import { uidOf } from './secret.ts';

/** What is remembered of the Secrets of former names. */
export interface FormerSecrets {
  /** UIDs of those that were removed. A watch that is behind, or a finalizer, still shows them. */
  removed: ReadonlySet<string>;
  /** Name of one that only the status told of and that could not be removed yet. */
  told?: string | undefined;
  refused?: Refused | undefined;
}

/** How many a pass removes at most, and when the next pass goes on, in milliseconds. */
const AT_ONCE = 20;
const NEXT_MS = 1_000;

/**
 * After a change of `spec.secretName`, removes the Secrets of this object that have another name: those of its own namespace
 * that this operator has written itself. Copies that others make are theirs. Gives the time in milliseconds until more is to
 * do, or undefined. What is refused is told, and the pass goes on.
 *
 * Throws as `attempt` does.
 */
export async function removeFormer(pass: Pass, context: VendingContext): Promise<number | undefined> {
  const { memory } = pass;
  const waitMs = waitOf(memory.former.refused, context.clock);
  if (waitMs !== undefined) return waitMs;
  const refused = await attempt(() => removeSome(pass, context), memory.former.refused, context.clock);
  memory.former = { ...memory.former, told: refused && formerName(pass), refused };
  if (refused === undefined) return leftOver(shown(pass, context), pass, context).length > 0 ? NEXT_MS : undefined;
  context.log.warn({ object: pass.key, error: refused.error.message }, 'the Secret of a former name was not removed');
  context.announcer.notRemoved(pass.object, refused.error.message);
  return waitOf(refused, context.clock);
}

async function removeSome(pass: Pass, context: VendingContext): Promise<void> {
  const known = shown(pass, context);
  const uids = new Set(known.map(({ uid }) => uid));
  pass.memory.former = {
    ...pass.memory.former,
    removed: new Set([...pass.memory.former.removed].filter((uid) => uids.has(uid))),
  };
  const all = await withTold(known, pass, context);
  for (const metadata of leftOver(all, pass, context).slice(0, AT_ONCE)) await remove(metadata, pass, context);
}

async function remove(metadata: ObjectMeta, { memory, object, signal }: Pass, context: VendingContext): Promise<void> {
  const { namespace, name, uid = '' } = metadata;
  await context.client.delete(secrets, { namespace, name }, { signal, uid }).catch(goneOrThrow);
  memory.former = { ...memory.former, removed: new Set([...memory.former.removed, uid]) };
  if (isFinalized(metadata))
    context.announcer.notRemoved(object, `finalizers keep Secret "${name}"; remove them from its metadata.finalizers`);
}

/** Those that are still to be removed. */
function leftOver(all: readonly ObjectMeta[], { memory, object }: Pass, { objects }: VendingContext): ObjectMeta[] {
  return all.filter((metadata) => {
    if (metadata.uid === undefined || metadata.deletionTimestamp !== undefined) return false;
    if (memory.former.removed.has(metadata.uid) || !isOurWrite(metadata)) return false;
    return judge(metadata, object, objects).kind === 'ours';
  });
}

/** Those that the cache shows. */
function shown({ object, spec }: Pass, context: VendingContext): ObjectMeta[] {
  const own = inNamespace(object.metadata.namespace, uidOf(object));
  const known = context.secrets.byIndex(ownerUidIndex, own).filter((secret) => !isDeleting(secret));
  return known.map(({ metadata }) => metadata).filter(({ name }) => name !== spec.secretName);
}

/** With the one of the status, where somebody took our label off it. */
async function withTold(known: ObjectMeta[], pass: Pass, context: VendingContext): Promise<ObjectMeta[]> {
  const { object, spec, signal } = pass;
  const name = formerName(pass);
  if (name === undefined || name === spec.secretName || known.some((one) => one.name === name)) return known;
  const ref = refOf({ namespace: object.metadata.namespace, name });
  const secret = await context.client.get<KubeObject>(secrets, ref, { signal, metadataOnly: true }).catch(goneOrThrow);
  return secret === undefined ? known : [...known, secret.metadata];
}

function formerName({ object, memory, spec }: Pass): string | undefined {
  const last = object.status?.secretRef?.name;
  return last === undefined || last === spec.secretName ? memory.former.told : last;
}
