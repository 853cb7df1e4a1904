import { isDeepStrictEqual } from 'node:util';
import type { Condition } from '../../lib/api/conditions.ts';
import { annotations } from '../../lib/api/names.ts';
import type { Revision } from '../controllers/aws-assume-role/observe.ts';
import { isRead, type SeenRequest } from '../lab/fault-proxy.ts';
import type { CallRecord, IssuedEcrToken, IssuedTriple } from '../lab/index.ts';
import { isHop } from './identity.ts';
import type { Plan } from './plan.ts';
import type { Found, ScenarioName } from './scenarios.ts';

/** Something that the runner did or saw, for people. */
export interface Note {
  /** Milliseconds since 1970. */
  at: number;
  what: string;
}

/** Everything that happened while a plan ran. */
export interface History {
  /** Undefined for a run without any fault. */
  plan: Plan | undefined;
  scenario: ScenarioName;
  /** Where it happened; role and user of AWS have this name, too. */
  namespace: string;
  /** From the arming of the fault on. */
  startedAt: number;
  /** When all was over. Times are milliseconds since 1970. */
  endedAt: number;
  /** Why the scenario's goal was not reached; undefined where it was. */
  failure?: string | undefined;
  /** Whether the fault has acted. */
  struck: boolean;
  notes: Note[];
  /** What the operator asked the API server from the arming on. */
  requests: SeenRequest[];
  /** What the operator asked AWS from the arming on. */
  calls: CallRecord[];
  /** Every state of every Secret, as a reader of its own saw them. */
  revisions: Revision[];
  /** What AWS has issued for this object at all. */
  sessions: IssuedTriple[];
  /** What it has issued on the way to that, where the role is reached through another one. */
  hops: IssuedTriple[];
  ecrTokens: IssuedEcrToken[];
  /** Exit codes of ends that nobody asked for. */
  crashes: readonly number[];
  /** Log, metrics, Events and the object itself, from the start on. */
  texts: Record<string, string>;
  /** When the goal was reached, and some time later. */
  end: EndState;
  later: EndState;
  /** Writes and calls between the two. */
  restless: string[];
}

/** What counts of what stands at the end; nothing that differs between two good runs. */
export interface EndState {
  secrets: object[];
  object: object | undefined;
}

/** Makes the end state of what was found. */
export function endState({ object, secrets, isWhole }: Found): EndState {
  const { status = {}, metadata } = object ?? {};
  return {
    secrets: secrets.map((secret) => ({
      name: secret.metadata.name,
      type: secret.type,
      keys: Object.keys(secret.data ?? {}).sort(),
      isWhole: isWhole(secret),
      labels: secret.metadata.labels,
      annotations: Object.keys(secret.metadata.annotations ?? {}).sort(),
      isOwned: secret.metadata.annotations?.[annotations.ownerUid] === metadata?.uid,
      owners: (secret.metadata.ownerReferences ?? []).map(({ uid, ...rest }) => ({
        ...rest,
        is: uid === metadata?.uid,
      })),
    })),
    object: object && {
      spec: { ...object.spec, roleName: undefined, chain: object.spec.chain?.length },
      conditions: (status.conditions ?? []).map((c: Condition) => `${c.type}=${c.status}/${c.reason}`),
      phase: status.phase,
      health: status.health?.status,
      isSeen: status.observedGeneration === metadata?.generation,
      isTold: isDeepStrictEqual(status.secretRef?.resourceVersion, secrets[0]?.metadata.resourceVersion),
      lastErrorCode: status.lastErrorCode,
      handled: status.lastHandledRefreshRequest,
      effectiveDurationSeconds: status.effectiveDurationSeconds,
    },
  };
}

/** How often each thing was done that costs something, by name. */
export function countsOf({ requests, calls }: Pick<History, 'requests' | 'calls'>): Record<string, number> {
  const counts: Record<string, number> = {};
  const count = (name: string) => {
    counts[name] = (counts[name] ?? 0) + 1;
  };
  for (const { verb, resource, passed, status = 0 } of requests) {
    const isWrite = !isRead(verb) && resource !== 'leases';
    if (isWrite && passed && status < 300) count(`${verb} ${resource}`);
  }
  for (const { action, role, status } of calls) {
    if (status === 200) count(`aws ${action}${isHop(role) ? ' of a hop' : ''}`);
  }
  return counts;
}
