import type { RefreshSettings } from '../../api/aws-assume-role.ts';
import { type Failure, nextAttemptAt, repairDelay } from './backoff.ts';
import { dueAt, MAX_ECR_AGE_MS } from './due.ts';
import type { SessionRecord } from './session-record.ts';

/** Why a credential is issued, as a word for metrics and Events. */
export type IssueReason = 'Missing' | 'Restored' | 'Adopted' | 'Drift' | 'InputChanged' | 'RefreshRequested' | 'Due';

/** What stands under the name of the Secret, as far as it decides what to do. */
export type SecretState = 'absent' | 'intact' | 'edited' | 'stale' | 'unowned';

/** Everything that the decision depends on. Times are milliseconds since 1970 of the server's clock. */
export interface Situation {
  uid: string;
  generation: number;
  now: number;
  suspended: boolean;
  secret: SecretState;
  /** Whether its data were removed after its credential ended. */
  scrubbed: boolean;
  record: SessionRecord | undefined;
  /** Of the request as it would be made now; undefined while the base identity is unknown or the grants deny. */
  inputHash: string | undefined;
  /** The grants that allow the request. */
  grantsKey?: string | undefined;
  refresh: RefreshSettings;
  /** Whether the Secret holds a container registry's token. */
  isEcr: boolean;
  failure: Failure | undefined;
  refreshRequest: RefreshRequest;
  /** Repairs of the Secret in a row and the time of the last. */
  repairs: { count: number; lastAt: number | undefined };
  settled: Settled | undefined;
}

/** For which request this process last found the Secret good, and when a new session for it was due then. */
export interface Settled {
  request: RequestKey;
  /** Milliseconds since 1970. */
  until: number;
}

/** The annotation that asks for a refresh: its value, the one that led to a refresh last, and the one tried last. */
export interface RefreshRequest {
  wanted: string | undefined;
  handled: string | undefined;
  tried: string | undefined;
  /** When one was tried last, milliseconds since 1970. */
  lastAt: number | undefined;
}

/** Issue now, or look again at a time. */
export type Plan = { issue: IssueReason } | { issue: undefined; waitUntil: number | undefined };

/** Least time in milliseconds between two refreshes asked for by annotation. */
const REQUEST_INTERVAL_MS = 30_000;

/** Decides whether a credential is issued now. The first reason that holds wins. */
export function plan(situation: Situation): Plan {
  if (situation.suspended) return { issue: undefined, waitUntil: expiry(situation) };
  const request = requestTime(situation);
  if (request !== undefined && request <= situation.now) return { issue: 'RefreshRequested' };
  const wanted = wantedIssue(situation);
  const at = Math.max(wanted.at, retryTime(situation));
  if (at <= situation.now) return { issue: wanted.reason };
  return { issue: undefined, waitUntil: Math.min(at, request ?? at, expiry(situation) ?? at) };
}

/** The end of the credential where it still lies ahead: the status changes then. */
function expiry({ record, now }: Situation): number | undefined {
  return record !== undefined && record.expiresAt > now ? record.expiresAt : undefined;
}

/**
 * When a refresh asked for by annotation may start whatever the back-off says, or undefined where none is asked for.
 * That holds for its first try; if it fails, the others follow the back-off.
 */
function requestTime({ refreshRequest: { wanted, handled, tried, lastAt } }: Situation): number | undefined {
  if (wanted === undefined || wanted === handled || wanted === tried) return undefined;
  return (lastAt ?? Number.NEGATIVE_INFINITY) + REQUEST_INTERVAL_MS;
}

function isRequestOpen({ refreshRequest: { wanted, handled, tried } }: Situation): boolean {
  return wanted !== undefined && wanted !== handled && wanted === tried;
}

/** What somebody else's change of the Secret asks for waits its turn, so that a tool in a loop does not drain STS. */
function wantedIssue(situation: Situation): { reason: IssueReason; at: number } {
  const { reason, at } = reasonOf(situation);
  const isBound = repairs.has(reason)
    ? !isAnotherRequest(situation)
    : reason !== 'RefreshRequested' && isUndone(situation);
  return { reason, at: isBound ? Math.max(at, repairTime(situation)) : at };
}

/** The reasons that follow from what stands, whatever was asked for. */
const repairs: ReadonlySet<IssueReason> = new Set(['Missing', 'Drift', 'Adopted', 'Restored']);

/** Before this time, milliseconds since 1970, a Secret is not put right again. */
export function repairTime({ repairs: { count, lastAt } }: Pick<Situation, 'repairs'>): number {
  return (lastAt ?? 0) + repairDelay(count);
}

/** Whether the request was met, and no new session is due yet: what asks for one then is a change of the Secret. */
export function isUndone(situation: Situation): boolean {
  const { settled, now } = situation;
  return settled !== undefined && now < settled.until && !isAnotherRequest(situation);
}

function isAnotherRequest({ settled, ...asked }: Situation): boolean {
  return settled !== undefined && !isSameRequest(settled.request, asked);
}

function reasonOf(situation: Situation): { reason: IssueReason; at: number } {
  const { record, secret, now } = situation;
  if (secret === 'absent') return { reason: 'Missing', at: now };
  if (secret === 'edited') return { reason: 'Drift', at: now };
  if (secret === 'unowned') return { reason: 'Adopted', at: now };
  if (secret === 'stale' || record === undefined) return { reason: 'Restored', at: now };
  if (inputChanged(situation)) return { reason: 'InputChanged', at: now };
  // An empty Secret is never good, whatever end its credential seems to have once a wrong clock is put right.
  if (situation.scrubbed) return { reason: 'Due', at: now };
  if (isRequestOpen(situation)) return { reason: 'RefreshRequested', at: now };
  return { reason: 'Due', at: nextRefreshAt(situation, record) };
}

/** When the session of `record` is refreshed if nothing happens before, milliseconds since 1970. */
export function nextRefreshAt(situation: Pick<Situation, 'uid' | 'refresh' | 'isEcr'>, record: SessionRecord): number {
  return dueAt(situation.uid, record, situation.refresh, situation.isEcr ? MAX_ECR_AGE_MS : undefined);
}

/** A missing hash, or one of a version that this program does not know, is no reason to issue. */
export function inputChanged({ record, inputHash }: Pick<Situation, 'record' | 'inputHash'>): boolean {
  const held = record?.inputHash;
  return held !== undefined && inputHash !== undefined && held.startsWith('v1:') && held !== inputHash;
}

/** When the back-off of the last failure ends. It binds only the spec, the grants and the request that failed. */
function retryTime({ uid, failure, record, ...asked }: Situation): number {
  if (failure === undefined || !isSameRequest(failure, asked)) return 0;
  return nextAttemptAt(uid, failure, record?.expiresAt);
}

/** What tells one request from another. */
export type RequestKey = Pick<Failure, 'generation' | 'inputHash' | 'grantsKey'>;

/** Whether a failure speaks of the request as it would be made now. What is not known does not tell them apart. */
export function isSameRequest(failure: RequestKey, now: RequestKey): boolean {
  const agree = (a: string | undefined, b: string | undefined) => a === undefined || b === undefined || a === b;
  const isSameHash = agree(failure.inputHash, now.inputHash);
  return failure.generation === now.generation && isSameHash && agree(failure.grantsKey, now.grantsKey);
}
