import { hash } from 'node:crypto';
import type { AWSAssumeRole, ResolvedSpec } from '../../api/aws-assume-role.ts';
import { holdsRegistryToken } from '../../api/contents.ts';
import { annotations } from '../../api/names.ts';
import type { RoleGrant } from '../../api/role-grant.ts';
import type { Gates } from '../../aws/gates.ts';
import type { HostProblem } from '../../aws/hosts.ts';
import type { Admission } from '../../aws/rate.ts';
import type { Clock } from '../../clock.ts';
import type { AssumeRoleIssuer } from '../../credentials/assume-role.ts';
import type { Clamp } from '../../credentials/duration.ts';
import { specHash } from '../../credentials/input-hash.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { KubeObject } from '../../kube/objects.ts';
import type { Store } from '../../kube/store.ts';
import type { Logger } from '../../log.ts';
import type { Asked, Surroundings } from './ask.ts';
import type { Announcer } from './events.ts';
import type { Inspection } from './inspect.ts';
import type { Memory } from './memory.ts';
import type { VendingMetrics } from './metrics.ts';
import { inputChanged, nextRefreshAt, plan, type Situation } from './plan.ts';
import type { RestartResult } from './restart.ts';
import { isScrubbed } from './scrub-state.ts';
import { uidOf } from './secret.ts';
import type { SessionRecord } from './session-record.ts';

/** What every step of a pass works with. */
export interface VendingContext {
  client: KubeClient;
  /** From `objectStore`. */
  objects: Store<AWSAssumeRole>;
  /** From `secretStore`. */
  secrets: Store<KubeObject>;
  grants: Store<RoleGrant>;
  /** Metadata of the namespaces, for grants that select by label. */
  namespaces: Store<KubeObject>;
  issuer: AssumeRoleIssuer;
  admission: Admission;
  gates: Gates;
  /** The operator's identity and Region as they are now. */
  self(): Pick<Surroundings, 'caller' | 'identityProblem' | 'region'>;
  /** Server time of AWS minus local time, in milliseconds. */
  skewMs(): number;
  /** Throws `LeaseLost` where another process may lead by now. Goes before each call of AWS that issues something. */
  fence(): void;
  announcer: Announcer;
  metrics: VendingMetrics;
  clock: Clock;
  log: Logger;
}

/** What one pass knows. `object` and `seen` follow the pass's own writes. */
export interface Pass {
  readonly key: string;
  object: AWSAssumeRole;
  readonly spec: ResolvedSpec;
  readonly asked: Asked;
  readonly memory: Memory;
  readonly signal: AbortSignal;
  seen: Inspection;
  /** What shortened the request, also where only STS's answer told. */
  clamps: readonly Clamp[];
  durationSeconds: number | undefined;
  /** Why the object waits for a host that does not answer. */
  silence?: HostProblem | undefined;
  /** What a restart of workloads in this pass came to. */
  restart?: RestartResult;
}

/** Server time of AWS, on which all lives are: milliseconds since 1970. */
export function serverNow({ clock, skewMs }: Pick<VendingContext, 'clock' | 'skewMs'>): number {
  return clock.now() + skewMs();
}

/** What the decision of this pass depends on. */
export function situationOf(pass: Pass, now: number): Situation {
  const { object, spec, seen, memory } = pass;
  return {
    ...requestKeyOf(pass),
    uid: uidOf(object),
    now,
    suspended: spec.suspend,
    secret: seen.state,
    scrubbed: isScrubbed(seen),
    record: seen.record,
    refresh: spec.refresh,
    isEcr: holdsRegistryToken(spec),
    failure: memory.failure,
    refreshRequest: {
      wanted: requestedRefresh(object),
      handled: handledRefresh({ object, seen }),
      tried: memory.triedRequest,
      lastAt: memory.triedRequestAt,
    },
    repairs: memory.repairs,
    settled: memory.settled,
  };
}

/** Whether the object had a Secret of this name before, so that a missing one was lost. */
export function hadSecret({ object, spec, memory }: Pick<Pass, 'object' | 'spec' | 'memory'>): boolean {
  return object.status?.secretRef?.name === spec.secretName || memory.repairs.lastAt !== undefined;
}

/** What tells the request that this pass would make from others. */
export function requestKeyOf({ object, asked }: Pick<Pass, 'object' | 'asked'>) {
  return {
    generation: object.metadata.generation ?? 0,
    inputHash: asked.request?.inputHash,
    grantsKey: asked.obstacle ? undefined : asked.grantsKey,
  };
}

/** The value of the annotation that asks for a refresh. */
export function requestedRefresh(object: AWSAssumeRole): string | undefined {
  return object.metadata.annotations?.[annotations.refreshRequestedAt];
}

/**
 * The request for a refresh that was fulfilled last. Where a process ended between Secret and status, the Secret tells it,
 * as a digest, since the annotation may be longer than what fits beside it.
 */
export function handledRefresh({ object, seen }: Pick<Pass, 'object' | 'seen'>): string | undefined {
  const wanted = requestedRefresh(object);
  const isFulfilled = wanted !== undefined && seen.record?.refreshSha256 === requestDigest(wanted);
  return isFulfilled ? wanted : object.status?.lastHandledRefreshRequest;
}

/** What a Secret's annotations tell of the request that led to its session. */
export function requestDigest(value: string): string {
  return hash('sha256', value);
}

/**
 * Whether a session was issued for the spec as it is, whatever grants and base identity have become since. Where the
 * Secret does not tell, an input hash that is known to differ says no.
 */
export function isCurrent({ asked, object }: Pick<Pass, 'asked' | 'object'>, record: SessionRecord): boolean {
  if (record.specSha256 !== undefined) return record.specSha256 === specHash(object.spec);
  const isSameGeneration = record.generation !== undefined && record.generation === object.metadata.generation;
  return isSameGeneration || !inputChanged({ record, inputHash: asked.request?.inputHash });
}

/** Whether a credential is to be issued, as far as that can be told without a request to compare with. */
export function needsIssue(pass: Pass, now: number): boolean {
  const { record } = pass.seen;
  return plan(situationOf(pass, now)).issue !== undefined || (record !== undefined && !isCurrent(pass, record));
}

/** When the session is refreshed if nothing happens before, milliseconds since 1970. */
export function dueOf({ object, spec }: Pass, record: SessionRecord): number {
  return nextRefreshAt({ uid: uidOf(object), refresh: spec.refresh, isEcr: holdsRegistryToken(spec) }, record);
}
