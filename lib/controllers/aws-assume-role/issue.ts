import { annotations } from '../../api/names.ts';
import { settles } from '../../aws/codes.ts';
import { AwsError, isThrottle } from '../../aws/errors.ts';
import type { IssueResult } from '../../credentials/assume-role.ts';
import { specHash } from '../../credentials/input-hash.ts';
import type { IssueRequest } from '../../credentials/request.ts';
import { describeError, framesOf, isAbort, RolevendError } from '../../errors.ts';
import { isNamespaceTerminating, KubeError } from '../../kube/errors.ts';
import { isLeaseLost } from '../../kube/lease.ts';
import { isFinalized, secrets } from '../../kube/objects.ts';
import { refuserAdvice } from '../../kube/refusal.ts';
import { lifeOf } from '../../secrets/life.ts';
import { digest, kubernetesType, render } from '../../secrets/render.ts';
import { type Failure, isPermanent } from './backoff.ts';
import { type Drift, driftOf, noteRepair } from './drift.ts';
import { judge } from './inspect.ts';
import { keptSecret } from './kept.ts';
import {
  dueOf,
  hadSecret,
  handledRefresh,
  type Pass,
  requestDigest,
  requestedRefresh,
  requestKeyOf,
  serverNow,
  type VendingContext,
} from './pass.ts';
import { type IssueReason, isSameRequest } from './plan.ts';
import { refusal } from './refusal.ts';
import { goneOrThrow } from './repair.ts';
import type { Secret } from './secret.ts';
import { desiredMetadata } from './secret-metadata.ts';
import { type SessionRecord, sessionAnnotations } from './session-record.ts';
import { ending, ForeignSecretError, writeSecret } from './write.ts';

/**
 * Issues a credential and writes it. What goes wrong is remembered in the pass's memory, where back-off and status find it.
 *
 * The order is issue → Secret → status. Points at which the process may be killed, and why each is harmless:
 *  1. before STS answers: at most a session that nobody holds, and that ends by itself;
 *  2. after STS answered, before the Secret is applied: the same; the next pass issues anew, the old Secret is still good;
 *  3. the Secret is applied, its answer lost: its annotations tell the session, the next pass repairs the status alone;
 *  4. after the Secret, before the status: the same;
 *  5. between delete and create of a Secret whose type changes, or of an immutable one: it is missing, and the next pass
 *     issues anew; labels and annotations that others had put on it are lost with it;
 *  6. before the Secret of a former name is removed: the owner index, or the status, still names it to the next pass.
 *
 * Throws what ends the whole pass: its signal's reason, a lost Lease, and the refusal of a namespace that is going away.
 */
export async function issue(
  pass: Pass,
  request: IssueRequest,
  reason: IssueReason,
  context: VendingContext,
): Promise<void> {
  const { issuer, clock, log } = context;
  const started = clock.monotonic();
  // A process that was stopped for longer than its term must not issue again what its follower has issued.
  context.fence();
  noteAttempt(pass, reason, context);
  const drift = driftOf(pass, reason, serverNow(context));
  try {
    await refuseKept(pass, context);
    const result = await issuer.issue(request, pass.signal);
    await store(pass, request, result, context);
    pass.clamps = result.clamps;
    pass.durationSeconds = result.effectiveDurationSeconds;
    noteSuccess(pass, reason, drift, (clock.monotonic() - started) / 1000, context);
    log.info({ object: pass.key, reason, requestId: result.session.requestId }, 'credential issued');
  } catch (error) {
    if (isEnd(error, pass.signal) || isNamespaceTerminating(error)) throw error;
    if (error instanceof ForeignSecretError) pass.seen = refusedBy(error, pass);
    else noteFailure(pass, reason, error, context);
  }
}

/** Throws where the Secret has to be made anew and its finalizers would keep it: AWS need not be asked for that. */
async function refuseKept({ seen, spec, object, signal }: Pass, { client }: VendingContext): Promise<void> {
  if (seen.meta === undefined || !isFinalized(seen.meta)) return;
  const ref = { namespace: object.metadata.namespace, name: spec.secretName };
  const live = seen.live ?? (await client.get<Secret>(secrets, ref, { signal }).catch(goneOrThrow));
  if (live?.immutable === true || (live && live.type !== kubernetesType(spec.secretType))) throw ending(ref);
}

/** A Secret of this name stands that is not the object's. Where it may be taken over, the next look says what that means. */
function refusedBy({ ownership }: ForeignSecretError, { seen, spec }: Pass): Pass['seen'] {
  if (ownership.kind === 'unowned' && spec.adoption === 'IfUnowned') return seen;
  return { state: 'absent', blocked: refusal(spec.secretName, ownership) };
}

/** Whether nothing failed and the work only ends here. */
function isEnd(error: unknown, signal: AbortSignal): boolean {
  return (signal.aborted && (isAbort(error) || error === signal.reason)) || isLeaseLost(error);
}

function noteAttempt({ memory, object }: Pass, reason: IssueReason, context: VendingContext): void {
  if (reason !== 'RefreshRequested') return;
  memory.triedRequest = requestedRefresh(object);
  memory.triedRequestAt = serverNow(context);
}

/** @param dataSha256 of what the Secret is to hold */
function recordOf(result: IssueResult, request: IssueRequest, pass: Pass, dataSha256: string): SessionRecord {
  const { session } = result;
  const { issuedAt, expiresAt } = lifeOf(pass.spec, result);
  const refresh = pass.memory.triedRequest ?? handledRefresh(pass);
  return {
    issuedAt: wholeSeconds(issuedAt),
    expiresAt: wholeSeconds(expiresAt),
    assumedRoleArn: session.assumedRoleArn,
    accessKeyId: session.accessKeyId,
    packedPolicySizePercent: session.packedPolicySizePercent,
    requestId: session.requestId,
    generation: pass.object.metadata.generation,
    specSha256: specHash(pass.object.spec),
    refreshSha256: refresh === undefined ? undefined : requestDigest(refresh),
    inputHash: request.inputHash,
    ...(pass.spec.rolloutRestart.targets.length > 0 && isForRestart(pass, dataSha256) && { restarts: true }),
  };
}

/**
 * Whether the data take the place of others that workloads may hold. Where there were none yet, workloads wait for them;
 * the same data, as of a template without anything secret, change nothing for a restart that is open or not.
 */
function isForRestart(pass: Pass, dataSha256: string): boolean {
  const { state, meta, record } = pass.seen;
  const isSame = state === 'intact' && meta?.annotations?.[annotations.dataSha256] === dataSha256;
  return isSame ? record?.restarts === true : state !== 'absent' || hadSecret(pass);
}

/** Annotations and status hold whole seconds, and the due time must not move when it is computed from them. */
function wholeSeconds(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}

async function store(pass: Pass, request: IssueRequest, result: IssueResult, context: VendingContext): Promise<void> {
  const { client, clock, objects, secrets } = context;
  const { type, data } = render(pass.spec, result);
  const dataSha256 = digest(data);
  const record = recordOf(result, request, pass, dataSha256);
  const own = sessionAnnotations(record, dataSha256);
  const desired = {
    type,
    data,
    metadata: (current: Parameters<typeof desiredMetadata>[1]) => desiredMetadata(pass.object, current, own),
  };
  const { live, meta } = pass.seen;
  const written = await writeSecret(desired, live?.metadata ?? (meta && 'unread'), {
    client,
    clock,
    signal: pass.signal,
    namespace: pass.object.metadata.namespace ?? '',
    name: pass.spec.secretName,
    ownership: (meta) => judge(meta, pass.object, objects),
    adopted: pass.seen.state === 'unowned' ? pass.seen.meta?.uid : undefined,
  });
  secrets.observe(keptSecret(written));
  pass.seen = { state: 'intact', meta: written.metadata, record };
}

function noteSuccess(
  pass: Pass,
  reason: IssueReason,
  drift: Drift | undefined,
  seconds: number,
  context: VendingContext,
): void {
  const { metrics, announcer } = context;
  const { seen, object, memory } = pass;
  memory.failure = undefined;
  metrics.refreshed('success', reason, seconds);
  if (drift !== undefined) noteRepair(pass, drift, context);
  if (seen.record) announcer.issued(object, reason, seen.record, drift !== undefined);
  if (seen.record) memory.settled = { request: requestKeyOf(pass), until: dueOf(pass, seen.record) };
  if (pass.clamps[0]) announcer.clamped(object, pass.clamps[0].message);
}

function noteFailure(pass: Pass, reason: IssueReason, error: unknown, context: VendingContext): void {
  const failure = failureOf(pass, error, serverNow(context));
  pass.memory.failure = failure;
  context.metrics.refreshed('failure', failure.code);
  context.announcer.failed(pass.object, failure, isThrottle(error));
  const { code, requestId, count } = failure;
  const frames = framesOf(error);
  context.log.warn({ object: pass.key, reason, code, requestId, attempt: count, frames }, 'no credential issued');
}

function failureOf(pass: Pass, error: unknown, now: number): Failure {
  const known = error instanceof RolevendError ? error : undefined;
  const code = known?.code ?? 'InternalError';
  const request = requestKeyOf(pass);
  const before = pass.memory.failure;
  // What may settle counts its own tries, since it is final after some; everything else backs off together.
  const isAgain = before && isSameRequest(before, request) && settles(before.code) === settles(code);
  const count = isAgain ? before.count + 1 : 1;
  return {
    ...request,
    code,
    message: messageOf(error),
    requestId: known?.requestId,
    count,
    lastAttemptAt: now,
    permanent: isPermanent(code, known?.consequence === 'stop', count),
    retryAfterMs: known?.retryAfterMs,
    ...(known instanceof AwsError && known.silence !== undefined && { unanswered: true }),
  };
}

/** What the API server says about a Secret may quote it, so its words are not shown; of a refusal only who refused is. */
function messageOf(error: unknown): string {
  if (!(error instanceof RolevendError)) return describeError(error);
  if (error instanceof KubeError && error.refuser) return `${error.message}. ${refuserAdvice(error.refuser)}`;
  const isRefused = error instanceof KubeError && (error.status === 403 || error.status === 422);
  const causes = "the operator's rights (RBAC), the resource quotas and the admission policies of this namespace";
  return isRefused ? `${error.message}. Check ${causes}.` : error.message;
}
