import { type AWSAssumeRole, withDefaults } from '../../api/aws-assume-role.ts';
import { hostOfBucket, type Order } from '../../aws/rate.ts';
import type { ReconcileResult } from '../../kube/controller.ts';
import { isNamespaceTerminating, isUidMismatch } from '../../kube/errors.ts';
import { isDeleting, refOfKey } from '../../kube/objects.ts';
import { ask } from './ask.ts';
import { noteImmutable } from './drift.ts';
import { removeFormer } from './former.ts';
import { type Inspection, inspectSecret, isUntouched } from './inspect.ts';
import { issue } from './issue.ts';
import { keepPast, type Memory, recall } from './memory.ts';
import { laterLegacyWriter } from './ownership.ts';
import { dueOf, needsIssue, type Pass, requestKeyOf, serverNow, situationOf, type VendingContext } from './pass.ts';
import { type IssueReason, inputChanged, isSameRequest, plan } from './plan.ts';
import { repairMetadata } from './repair.ts';
import { report } from './report.ts';
import { Restarter } from './restart.ts';
import { scrub } from './scrub.ts';
import { uidOf } from './secret.ts';

/** After this time in milliseconds without a result the status says what is going on. */
const PENDING_AFTER_MS = 700;
/** How often the status of an object that waits for its turn is looked at, beside the end of its credential. The turn itself wakes it. */
const WAITING_RECHECK_MS = 30_000;
/** How often an object that is due asks whether the operator has an identity again. */
const OBSTACLE_RECHECK_MS = 15_000;
/** How often a Secret is looked at again that belongs to somebody else, and so is not watched. */
const REFUSED_RECHECK_MS = 30_000;

/** The loop over AWSAssumeRoles. A pass ends with at most one Secret write and one status write, and only if something changes. */
export class AwsAssumeRoleController {
  readonly #context: VendingContext;
  readonly #memories = new Map<string, Memory>();
  readonly #restarter: Restarter;
  /** Time of the API server, milliseconds since 1970. */
  readonly #leadsSince: number;

  /** One for each term: it takes what was created before it for something that others may have worked on. */
  constructor(context: VendingContext) {
    this.#context = context;
    this.#leadsSince = context.client.serverTime ?? Number.POSITIVE_INFINITY;
    this.#restarter = new Restarter(context);
  }

  /**
   * Brings Secret and status of the object with this key to what its spec asks for. Resolves with the time until the next
   * look; rejects with what the API server answered, or with the signal's reason.
   */
  async reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult | undefined> {
    const object = this.#context.objects.get(key);
    if (object === undefined || isDeleting(object)) return this.#forget(key);
    try {
      const pass = await this.#look(key, object, signal);
      // A namespace that is going away takes no new Secret, so a session for one would be lost.
      if (pass.seen.state === 'absent' && this.#isEnding(object)) return this.#giveUpTurn(key);
      return await this.#pass(pass);
    } catch (error) {
      // The object, or its whole namespace, went away under this pass.
      if (isUidMismatch(error) || isNamespaceTerminating(error)) return undefined;
      throw error;
    }
  }

  /** Gathers what the decision needs. Makes no request while nothing has changed. */
  async #look(key: string, object: AWSAssumeRole, signal: AbortSignal): Promise<Pass> {
    const { grants, namespaces } = this.#context;
    const spec = withDefaults(object.spec);
    const namespace = namespaces.get(object.metadata.namespace ?? '');
    const namespaceLabels = namespace && (namespace.metadata.labels ?? {});
    const asked = ask(object, spec, { ...this.#context.self(), grants: grants.list(), namespaceLabels });
    const memory = this.#memoryOf(key, object);
    const isIssued = asked.request !== undefined && !spec.suspend;
    const isNew = isIssued && !memory.wasLookedAt && isUntouched(object, this.#leadsSince);
    memory.wasLookedAt = true;
    const seen = await this.#inspect(object, signal, isNew);
    return {
      key,
      object,
      spec,
      seen,
      asked,
      signal,
      memory,
      clamps: asked.request?.clamps ?? [],
      durationSeconds: asked.request?.durationSeconds ?? object.status?.effectiveDurationSeconds,
    };
  }

  #inspect(object: AWSAssumeRole, signal: AbortSignal, isNew: boolean): Promise<Inspection> {
    const { client, objects, secrets } = this.#context;
    // A clock of this node that is slow makes good sessions seem to lie ahead; the API server's does not.
    const now = Math.max(serverNow(this.#context), client.serverTime ?? 0);
    return inspectSecret(object, { client, objects, secrets, signal, now, isNew });
  }

  async #pass(pass: Pass): Promise<ReconcileResult | undefined> {
    const { seen, asked } = pass;
    // Its turn may be the only one at a host, and would pass by unused while others wait.
    if (seen.blocked || asked.request === undefined) this.#giveUpTurn(pass.key);
    // The watch brings a new namespace in no time, so nothing is said of it at first.
    const unknownMs = asked.obstacle?.code === 'NamespaceUnknown' ? this.#silentMs(pass) : 0;
    if (unknownMs > 0) return { requeueAfterMs: unknownMs };
    const legacy = seen.live && laterLegacyWriter(seen.live.metadata);
    if (legacy !== undefined) this.#context.announcer.legacyOperator(pass.object, legacy);
    noteImmutable(pass, this.#context);
    const waits: (number | undefined)[] = [];
    if (!seen.blocked) {
      const { issue: reason } = plan(situationOf(pass, serverNow(this.#context)));
      if (reason === undefined) waits.push(await this.#settle(pass));
      else if (asked.request !== undefined) {
        const waitMs = await this.#issue(pass, reason);
        if (waitMs !== undefined) return { requeueAfterMs: waitMs };
        // Without a session nothing was written, which would have met the Secret of somebody else.
        if (pass.memory.failure && pass.seen.isAssumed)
          pass.seen = await this.#inspect(pass.object, pass.signal, false);
      }
      if (pass.seen.state === 'intact') waits.push(await removeFormer(pass, this.#context));
    }
    waits.push(await this.#conclude(pass));
    return soonest(this.#next(pass), waits);
  }

  /** What follows from the state that the pass has come to. Gives the time in milliseconds until more of it is to do. */
  async #conclude(pass: Pass): Promise<number | undefined> {
    const emptyMs = await scrub(pass, this.#context);
    const restartMs = await this.#restarter.restart(pass);
    await report(pass, this.#context);
    return emptyMs ?? restartMs;
  }

  /** Issues, or gives the time to wait in milliseconds while the key waits for its turn; that wakes it before. */
  async #issue(pass: Pass, reason: IssueReason): Promise<number | undefined> {
    const { gates } = this.#context;
    const { request, buckets } = pass.asked as Extract<Pass['asked'], { request: object }>;
    const silentMs = this.#silentMs(pass);
    const end = pass.seen.record?.expiresAt ?? 0;
    const validUntil = end > serverNow(this.#context) ? end : undefined;
    const order = { namespace: pass.object.metadata.namespace ?? '', validUntil };
    if (!this.#isTurn(pass, buckets, order)) {
      if (silentMs > 0) return silentMs;
      const emptyMs = await this.#conclude(pass);
      const leftMs = (validUntil ?? Number.POSITIVE_INFINITY) - serverNow(this.#context);
      return Math.max(0, Math.min(WAITING_RECHECK_MS, leftMs, emptyMs ?? WAITING_RECHECK_MS));
    }
    try {
      await this.#tellIfSlow(pass, silentMs, () => issue(pass, request, reason, this.#context));
    } finally {
      gates.leave(pass.key);
    }
    pass.memory.waitingSince = undefined;
    return undefined;
  }

  /** How long in milliseconds nothing need be said about a credential that is wanted, from the first pass that wanted it on. */
  #silentMs({ memory }: Pass): number {
    const now = this.#context.clock.monotonic();
    memory.waitingSince ??= now;
    return PENDING_AFTER_MS - (now - memory.waitingSince);
  }

  /** Whether all calls of an issue may be made now. Otherwise the key waits, and is woken by that for which it waits. */
  #isTurn(pass: Pass, buckets: readonly string[], order: Order): boolean {
    const { admission, gates } = this.#context;
    // The gates first: what waits for a host that does not answer must take no token from others.
    const shut = gates.enter(pass.key, [...new Set(buckets.map(hostOfBucket))], order);
    if (shut !== undefined) pass.silence = gates.problem(shut);
    else if (!admission.claim(buckets, pass.key, order)) gates.leave(pass.key);
    else return true;
    return false;
  }

  /** Runs `work`; if it takes longer than `ms`, the status says meanwhile that a credential is being issued. */
  async #tellIfSlow(pass: Pass, ms: number, work: () => Promise<void>): Promise<void> {
    let told: Promise<void> = Promise.resolve();
    const cancel = this.#context.clock.after(ms, () => {
      told = report(pass, this.#context).catch((err: unknown) => this.#context.log.debug({ err }, 'no pending status'));
    });
    try {
      await work();
    } finally {
      cancel();
      await told;
    }
  }

  /**
   * Nothing is to be issued: what was said about another request is over, and what stands is put right. Gives the time in
   * milliseconds until more is to put right.
   */
  async #settle(pass: Pass): Promise<number | undefined> {
    const { memory, seen, key } = pass;
    const request = requestKeyOf(pass);
    memory.waitingSince = undefined;
    this.#giveUpTurn(key);
    const isOver = memory.failure && !isSameRequest(memory.failure, request);
    if (isOver && !inputChanged({ record: seen.record, inputHash: request.inputHash })) memory.failure = undefined;
    if (this.#wantsNothing(pass)) {
      memory.failure = undefined;
      if (seen.record) memory.settled = { request, until: dueOf(pass, seen.record) };
    }
    return await repairMetadata(pass, this.#context);
  }

  /** Whether a good Secret needs nothing, also if nothing had failed: what was tried in vain is not wanted any more. */
  #wantsNothing(pass: Pass): boolean {
    if (pass.spec.suspend || pass.seen.state !== 'intact' || pass.asked.request === undefined) return false;
    const repairs = { count: 0, lastAt: undefined };
    const unhindered = {
      ...situationOf(pass, serverNow(this.#context)),
      failure: undefined,
      repairs,
      settled: undefined,
    };
    return plan(unhindered).issue === undefined;
  }

  /** When to look again. Changes come by themselves, so only times count. */
  #next(pass: Pass): ReconcileResult | undefined {
    const { seen, asked, object } = pass;
    const now = serverNow(this.#context);
    const overdueMs = seen.record === undefined ? 0 : Math.max(0, now - dueOf(pass, seen.record));
    this.#context.metrics.observe(object, seen.record, overdueMs);
    if (seen.blocked) return { requeueAfterMs: REFUSED_RECHECK_MS };
    if (asked.obstacle?.permanent === false && needsIssue(pass, now)) return { requeueAfterMs: OBSTACLE_RECHECK_MS };
    const next = plan(situationOf(pass, now));
    if (next.issue === undefined)
      return next.waitUntil === undefined ? undefined : { requeueAfterMs: next.waitUntil - now };
    if (asked.obstacle === undefined) return { requeueAfterMs: 0 };
    // A change of spec or grants wakes the object; until then only the end of the credential changes anything.
    const left = (seen.record?.expiresAt ?? 0) - now;
    return left > 0 ? { requeueAfterMs: left } : undefined;
  }

  #isEnding({ metadata }: AWSAssumeRole): boolean {
    const namespace = this.#context.namespaces.get(metadata.namespace ?? '');
    return namespace !== undefined && isDeleting(namespace);
  }

  #memoryOf(key: string, object: AWSAssumeRole): Memory {
    const now = serverNow(this.#context);
    const known = this.#memories.get(key);
    const memory = known?.uid === uidOf(object) ? known : recall(object, now);
    this.#memories.set(key, memory);
    keepPast(memory, now);
    return memory;
  }

  #giveUpTurn(key: string): undefined {
    this.#context.admission.cancel(key);
    this.#context.gates.leave(key);
  }

  #forget(key: string): undefined {
    const { namespace, name } = refOfKey(key);
    this.#memories.delete(key);
    this.#giveUpTurn(key);
    this.#context.metrics.forget(namespace, name);
  }
}

/** The result that comes first. */
function soonest(
  next: ReconcileResult | undefined,
  others: readonly (number | undefined)[],
): ReconcileResult | undefined {
  const all = [next?.requeueAfterMs, ...others].filter((ms) => ms !== undefined);
  return all.length === 0 ? next : { requeueAfterMs: Math.min(...all) };
}
