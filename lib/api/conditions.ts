/** The condition types of AWSAssumeRole, in the order in which they are listed. */
export const conditionTypes = [
  'Ready',
  'Reconciling',
  'Stalled',
  'Refreshed',
  'Granted',
  'DurationClamped',
  'Scrubbed',
  'RestartImpaired',
  'RegistryUnusable',
  'Suspended',
] as const;

/** A condition type of ours. */
export type ConditionType = (typeof conditionTypes)[number];
/** State of a condition. */
export type ConditionStatus = 'True' | 'False' | 'Unknown';

/** One condition as it is stored. The first five keys are always written, so that older operators can read the list. */
export interface Condition {
  type: string;
  status: ConditionStatus;
  /** One word, an AWS error code or one of our own. */
  reason: string;
  message: string;
  /** RFC 3339. */
  lastTransitionTime: string;
  observedGeneration?: number;
}

/** A condition to be set: all but its time, which follows from what stood before. */
export interface NewCondition {
  type: ConditionType;
  status: ConditionStatus;
  reason: string;
  message: string;
  /** `metadata.generation` of the object that was looked at. */
  observedGeneration: number;
}

/** A stored condition: older operators left keys out and kept a history, so any key may be missing. */
export type StoredCondition = { [Key in keyof Condition]?: Condition[Key] | undefined };

/**
 * The condition of a type, or undefined. Of a history of several the one with the latest transition counts, and of
 * equal ones the later in the list.
 */
export function findCondition<C extends StoredCondition>(list: readonly C[] | undefined, type: string): C | undefined {
  let found: C | undefined;
  for (const condition of list ?? []) {
    if (condition.type === type && (found === undefined || transition(condition) >= transition(found)))
      found = condition;
  }
  return found;
}

/**
 * The list with `condition` in it, each type once and in a fixed order, Ready first. `now` (RFC 3339) becomes the
 * transition time unless the status is what it was, at a time that does not lie ahead. The given list is left alone.
 */
export function setCondition(
  list: readonly StoredCondition[] | undefined,
  condition: NewCondition,
  now: string,
): Condition[] {
  const previous = findCondition(list, condition.type);
  const latest = Date.parse(now) + MAX_AHEAD_MS;
  const same = previous?.status === condition.status && isPast(transition(previous), latest);
  const { type, status, reason, message, observedGeneration } = condition;
  const lastTransitionTime = (same ? previous.lastTransitionTime : undefined) ?? now;
  const entry = { type, status, reason, message, lastTransitionTime, observedGeneration };
  return [...removeCondition(list, type, now), entry].sort(byType);
}

/** The list without the conditions of a type, each other type once and complete. Abnormal conditions end in this way. */
export function removeCondition(
  list: readonly StoredCondition[] | undefined,
  type: ConditionType,
  now: string,
): Condition[] {
  const others = new Set((list ?? []).flatMap((condition) => condition.type ?? []));
  others.delete(type);
  return [...others].flatMap((other) => complete(other, findCondition(list, other), now)).sort(byType);
}

/**
 * The list that holds exactly the `wanted` conditions of ours, with the times that follow from `list`; ours that are
 * not wanted end, those of others stay. This is the one call of a pass that computes all conditions anew.
 */
export function setConditions(
  list: readonly StoredCondition[] | undefined,
  wanted: readonly NewCondition[],
  now: string,
): Condition[] {
  const foreign = (list ?? []).filter(
    ({ type }) => !(conditionTypes as readonly (string | undefined)[]).includes(type),
  );
  const ours = wanted.flatMap((condition) =>
    setCondition(list, condition, now).filter(({ type }) => type === condition.type),
  );
  return [...removeCondition(foreign, 'Ready', now), ...ours].sort(byType);
}

function complete(type: string, stored: StoredCondition | undefined, now: string): Condition {
  const { status = 'Unknown', reason = '', message = '', lastTransitionTime = now, observedGeneration } = stored ?? {};
  const condition = { type, status, reason, message, lastTransitionTime };
  return observedGeneration === undefined ? condition : { ...condition, observedGeneration };
}

/** How far ahead of ours, in milliseconds, a time may lie that another clock has written. */
export const MAX_AHEAD_MS = 300_000;

function isPast(time: number, latest: number): boolean {
  return Number.isFinite(time) && !(time > latest);
}

/** Milliseconds since 1970, or before all times where there is none. */
function transition(condition: StoredCondition): number {
  const time = Date.parse(condition.lastTransitionTime ?? '');
  return Number.isNaN(time) ? Number.NEGATIVE_INFINITY : time;
}

function byType(a: Condition, b: Condition): number {
  return rank(a.type) - rank(b.type) || (a.type < b.type ? -1 : 1);
}

function rank(type: string): number {
  const index = (conditionTypes as readonly string[]).indexOf(type);
  return index === -1 ? conditionTypes.length : index;
}
