import type { V1Lease } from '@kubernetes/client-node';
import { apiVersionOf, type BuiltIn, leases } from './objects.ts';

/** A Lease as the API server holds it: its times are RFC 3339 with exactly six fractional digits. */
export type Lease = BuiltIn<V1Lease>;
export type LeaseSpec = NonNullable<Lease['spec']>;

/** What this process last saw in the Lease, and when, on its own steady clock (milliseconds). */
export interface Observed {
  record: string;
  holder: string;
  durationMs: number;
  at: number;
  /** Whether this process has seen no other holder before. */
  isFirst: boolean;
}

/** Who a process is among those that want the Lease. */
export interface Self {
  /** Its name where a write of its own may stand in the Lease; undefined where none can, so that its name there is an edit. */
  identity?: string | undefined;
  /** Whether this is the name of a process in whose place this one was started, which certainly has ended. */
  isPredecessor?: ((holder: string) => boolean) | undefined;
}

/**
 * What to do about the Lease now:
 * - `create` it, it is not there;
 * - `renew` it, this process holds it;
 * - `acquire` it, nobody holds it or its holder stopped renewing;
 * - `wait`: `holder` has it for `ms` milliseconds more, as far as this process knows.
 */
export type Decision =
  | { action: 'create' }
  | { action: 'renew' }
  | { action: 'acquire' }
  | { action: 'wait'; ms: number; holder: string };

/** A Lease whose duration was edited to years must not lock everybody out: more than so many of our own terms is not believed. */
const LONGEST_TERMS = 10;
/** What a holder leaves in a Lease that it gives back, as client-go does. */
const RELEASED_SECONDS = 1;
/**
 * How long the Lease of a process that has ended is left alone, in milliseconds: so long may requests that it sent just
 * before be on their way. What comes later meets the resource versions of what was written since.
 */
const LAST_REQUESTS_MS = 1000;
/** Kubernetes keeps the count in 32 bits and refuses more. */
const MOST_TRANSITIONS = 2 ** 31 - 1;

const DELETED = 'deleted';

/**
 * The observation of a Lease that does not exist, before any other, where somebody may hold one of another name in its
 * place: that one is left a term to find out.
 */
export function heldElsewhere(now: number, durationMs: number): Observed {
  return { record: DELETED, holder: 'whoever led under another name', durationMs, at: now, isFirst: true };
}

/**
 * The observation after reading `lease` (undefined: it does not exist). Its time moves only when the record changed;
 * labels and annotations do not count. A record that was deleted, or lost its holder without having been given back,
 * keeps the holder of before: that one may have renewed just before, and works on until it finds out. For the same
 * reason a duration below our own term, which every holder counts on, is not believed.
 */
export function observe(
  lease: Lease | undefined,
  before: Observed | undefined,
  now: number,
  ourDurationMs: number,
): Observed | undefined {
  if (lease === undefined)
    return before && before.record !== DELETED ? { ...before, record: DELETED, at: now } : before;
  const { holderIdentity = '', leaseDurationSeconds = 0, acquireTime, renewTime, leaseTransitions } = lease.spec ?? {};
  const record = JSON.stringify([
    lease.metadata.uid,
    holderIdentity,
    leaseDurationSeconds,
    acquireTime,
    renewTime,
    leaseTransitions,
  ]);
  if (record === before?.record) return before;
  const durationMs = Math.min(Math.max(leaseDurationSeconds * 1000, ourDurationMs), LONGEST_TERMS * ourDurationMs);
  const isTakenOut = holderIdentity === '' && leaseDurationSeconds !== RELEASED_SECONDS;
  const holder = isTakenOut ? (before?.holder ?? '') : holderIdentity;
  const isFirst = before === undefined || (before.isFirst && before.holder === holder);
  return { record, holder, durationMs, at: now, isFirst };
}

/**
 * Decides about the Lease as it stands (undefined: it does not exist). As in client-go a term ends `durationMs` after this
 * process saw the record change, so that clocks of other machines never count. A Lease that was deleted is left to its
 * holder for one more term, since that goes on working and will create it again. That of a predecessor is taken as soon as
 * its last requests have arrived, unless another holder was seen before: then its name was written by somebody else.
 *
 * @param observed the result of `observe` for this very lease
 * @param now milliseconds on the clock of `observed`
 */
export function decide(
  lease: Lease | undefined,
  observed: Observed | undefined,
  now: number,
  { identity, isPredecessor = () => false }: Self,
): Decision {
  const holder = observed?.holder ?? '';
  if (observed === undefined || holder === '' || holder === identity) return { action: ourMove(lease, identity) };
  const hasEnded = observed.isFirst && isPredecessor(holder);
  const ms = observed.at + (hasEnded ? LAST_REQUESTS_MS : observed.durationMs) - now;
  if (ms > 0) return { action: 'wait', ms, holder };
  return { action: ourMove(lease, identity) };
}

function ourMove(lease: Lease | undefined, identity: string | undefined): 'create' | 'renew' | 'acquire' {
  if (lease === undefined) return 'create';
  return identity !== undefined && lease.spec?.holderIdentity === identity ? 'renew' : 'acquire';
}

export interface Term {
  identity: string;
  durationMs: number;
  /** Wall-clock milliseconds since 1970. */
  now: number;
}

/** A new Lease, held by `identity`. */
export function newLease(ref: { namespace: string; name: string }, term: Term): Lease {
  const spec = { ...held(term), acquireTime: microTime(term.now), leaseTransitions: 0 };
  return { apiVersion: apiVersionOf(leases), kind: leases.kind, metadata: { ...ref }, spec };
}

/** The Lease with `identity` as its new holder: one more transition. */
export function acquired(lease: Lease, term: Term): Lease {
  const before = lease.spec?.leaseTransitions ?? 0;
  const leaseTransitions = before < MOST_TRANSITIONS ? before + 1 : 1;
  return { ...lease, spec: { ...lease.spec, ...held(term), acquireTime: microTime(term.now), leaseTransitions } };
}

/** The Lease with a new term of its holder. Whatever was edited by hand is put right. */
export function renewed(lease: Lease, term: Term): Lease {
  const acquireTime = lease.spec?.acquireTime ?? microTime(term.now);
  return {
    ...lease,
    spec: { ...lease.spec, ...held(term), acquireTime, leaseTransitions: lease.spec?.leaseTransitions ?? 0 },
  };
}

/** The Lease without a holder, for everybody to take at once. */
export function released(lease: Lease, now: number): Lease {
  const time = microTime(now);
  const spec = {
    ...lease.spec,
    holderIdentity: '',
    leaseDurationSeconds: RELEASED_SECONDS,
    acquireTime: time,
    renewTime: time,
  };
  return { ...lease, spec };
}

/** A time as Kubernetes' MicroTime wants it: RFC 3339 in UTC with exactly six fractional digits. */
export function microTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, -1)}000Z`;
}

function held({ identity, durationMs, now }: Term): LeaseSpec {
  return { holderIdentity: identity, leaseDurationSeconds: Math.ceil(durationMs / 1000), renewTime: microTime(now) };
}
