import type { RestartTarget } from '../../api/rollout-restart.ts';
import { describeError, framesOf, isAbort } from '../../errors.ts';
import { type Pass, serverNow, type VendingContext } from './pass.ts';
import { RestartPace } from './restart-pace.ts';
import { leftRetryAt, restartAt, restartDigest } from './restart-plan.ts';
import { type Failed, isToRetry, isTrouble, problemOf, type RestartProblem } from './restart-problem.ts';
import { nameOf, restartAnnotation, workloads } from './restart-target.ts';

/** The waits before workloads that could not be restarted are tried again, in milliseconds: they double. */
const FIRST_RETRY_MS = 2_000;
const LAST_RETRY_MS = 60_000;

/** What a restart came to. The status tells it. */
export interface RestartResult {
  /** Of the data for which it was. */
  digest: string;
  /** Milliseconds since 1970; undefined where nothing could be restarted. */
  at: number | undefined;
  /** All that were restarted for these data. */
  restarted: readonly RestartTarget[];
  problem: RestartProblem | undefined;
}

/** What is remembered of the last restart. Where it is lost, what was done is done again without effect. */
export interface Restarted {
  digest: string;
  generation: number | undefined;
  done: readonly RestartTarget[];
  /** When, and when the rest is tried again, milliseconds since 1970. */
  at: number | undefined;
  retryAt: number | undefined;
  /** Tries in a row of which some failed. */
  failures: number;
}

/** Restarts workloads after the data of a Secret were replaced. */
export class Restarter {
  readonly #context: VendingContext;
  readonly #pace = new RestartPace();

  constructor(context: VendingContext) {
    this.#context = context;
  }

  /**
   * Restarts the targets of the object if its Secret holds data that they do not know yet, and notes it in the pass. Gives
   * the time in milliseconds until more is to do, or undefined. What goes wrong is a condition and no failure of the pass.
   *
   * A restart is a patch of one annotation of the Pod template, whose value is the digest of the data: what is patched
   * again with the same does not start again. No server-side apply, which would take away what it set for other objects.
   *
   * Points at which the process may be killed, and why each is harmless:
   *  1. after the Secret, before the first workload is patched: the Secret's annotations ask for the restart;
   *  2. a workload is patched, its answer lost, or before the next one: it is patched again without effect, others follow;
   *  3. all are patched, before the status: the same, and the status follows.
   *
   * Throws its signal's reason.
   */
  async restart(pass: Pass): Promise<number | undefined> {
    const now = serverNow(this.#context);
    const digest = restartDigest(pass, now);
    if (digest === undefined) return undefined;
    const { restart: known } = pass.memory;
    const isKnown = known?.digest === digest && known.generation === pass.object.metadata.generation;
    const at = restartAt(pass, digest, now, isKnown ? known.retryAt : leftRetryAt(pass, now));
    if (at === undefined || at > now) return at === undefined ? undefined : at - now;
    const before = isKnown ? known.done : [];
    const targets = pass.spec.rolloutRestart.targets.filter((target) => !isAmong(before, target));
    return this.#turn(pass, digest, targets.length) ?? (await this.#restartNow(pass, digest, targets));
  }

  /** The milliseconds until it is the object's turn, undefined where it is. The turn is kept over passes. */
  #turn({ memory }: Pass, digest: string, count: number): number | undefined {
    const now = this.#context.clock.monotonic();
    const kept = memory.restartTurn?.digest === digest ? memory.restartTurn : undefined;
    const at = kept?.at ?? this.#pace.reserve(count, now);
    memory.restartTurn = at > now ? { digest, at } : undefined;
    return at > now ? at - now : undefined;
  }

  async #restartNow(pass: Pass, digest: string, targets: readonly RestartTarget[]): Promise<number | undefined> {
    const { memory, object } = pass;
    const known = memory.restart?.digest === digest ? memory.restart : undefined;
    const { restarted, failures } = await this.#patchAll(pass, targets, digest);
    const now = serverNow(this.#context);
    const count = failures.some(isToRetry) ? (known?.failures ?? 0) + 1 : 0;
    const retryMs = count > 0 ? retryDelay(count) : undefined;
    const done = [...(known?.done ?? []).filter((one) => !isAmong(restarted, one)), ...restarted];
    const at = restarted.length > 0 ? now : known?.at;
    const { generation } = object.metadata;
    memory.restart = { digest, generation, done, at, retryAt: retryMs && now + retryMs, failures: count };
    pass.restart = { digest, at, restarted: done, problem: problemOf(failures) };
    return retryMs;
  }

  async #patchAll(pass: Pass, targets: readonly RestartTarget[], digest: string) {
    const restarted: RestartTarget[] = [];
    const failures: Failed[] = [];
    for (const target of targets) {
      try {
        await this.#patch(pass, target, digest);
        restarted.push(target);
      } catch (error) {
        if (pass.signal.aborted && isAbort(error)) throw error;
        const failed = { target, error };
        failures.push(failed);
        const problem = { error: describeError(error), frames: framesOf(error) };
        const what = { object: pass.key, target: nameOf(target), ...problem };
        this.#context.log.warn(what, 'a workload was not restarted');
        if (isTrouble(failed)) break;
      }
    }
    return { restarted, failures };
  }

  async #patch({ object, signal }: Pass, { kind, name }: RestartTarget, digest: string): Promise<void> {
    const ref = { namespace: object.metadata.namespace, name };
    const annotations = { [restartAnnotation(object.metadata.name)]: digest };
    const change = { spec: { template: { metadata: { annotations } } } };
    await this.#context.client.patch(workloads(kind), ref, change, { signal });
  }
}

function retryDelay(failures: number): number {
  return Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 16));
}

function isAmong(targets: readonly RestartTarget[], one: RestartTarget): boolean {
  return targets.some((target) => nameOf(target) === nameOf(one));
}
