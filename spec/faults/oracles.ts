import type { Revision } from '../controllers/aws-assume-role/observe.ts';
import { tripleOf } from '../controllers/aws-assume-role/support.ts';
import { faultOf, type KubeFault } from '../lab/fault-proxy.ts';
import { findLeaks } from '../support/leaks.ts';
import { type AwsFault, awsFaultOf } from './aws-faults.ts';
import { countsOf, type History } from './history.ts';
import { isKill, targetText } from './plan.ts';
import { scenarioOf } from './scenarios.ts';

/** What must hold after every plan. Gives what does not, a line each. */
export type Oracle = (history: History, faultFree: History) => string[];

/** How much more than without a fault may be done of each: a lost answer or a kill repeats what it hit. */
const SLACK: Readonly<Record<string, number>> = {
  'create secrets': 1,
  'update secrets': 2,
  'delete secrets': 1,
  'patch awsassumeroles/status': 6,
  'patch deployments': 1,
  'patch statefulsets': 1,
  'create events': 8,
  'create serviceaccounts/token': 3,
  'aws GetAuthorizationToken': 2,
  'aws GetCallerIdentity': 4,
};

/** The oracles, by what they promise. */
export const oracles = {
  'the fault has acted': ({ plan, struck }) => {
    if (plan === undefined || struck) return [];
    const isRacy = plan.target.side === 'kube' && plan.target.resource === scenarioOf(plan.scenario).racy;
    return isRacy ? [] : ['it never came to such a request'];
  },

  'the goal is reached': ({ failure }) => (failure === undefined ? [] : [failure]),

  'the end is that without a fault': ({ end }, faultFree) =>
    isSame(end, faultFree.end) ? [] : [difference(faultFree.end, end)],

  'the end stays': ({ end, later, restless }) =>
    isSame(end, later) ? restless : [difference(end, later), ...restless],

  'little more is done than without a fault': (history, faultFree) => {
    const [now, then] = [countsOf(history), countsOf(faultFree)];
    return Object.entries(now)
      .filter(([name, count]) => count > (then[name] ?? 0) + (SLACK[name] ?? sessionsMore(name, history)))
      .map(([name, count]) => `${name}: ${count} times, without a fault ${then[name] ?? 0}`);
  },

  'every Secret is one session': (history) =>
    shown(history)
      .filter((revision) => !isEmpty(revision) && !isIssued(revision, history))
      .map(named('holds no session')),

  'no Secret is empty': (history) => {
    const empty = shown(history).filter((revision) => isEmpty(revision) && !isScrubbed(revision, history));
    return empty.map(named('is empty'));
  },

  'no Secret has too little life left while AWS grants': (history) => (isOutage(history) ? [] : old(history)),

  'nothing secret is told': ({ texts, sessions, hops, ecrTokens }) => {
    const named = [...sessions, ...hops].flatMap(({ secretAccessKey, sessionToken }, at) => [
      [`secret key of session ${at}`, secretAccessKey] as const,
      [`token of session ${at}`, sessionToken] as const,
    ]);
    const tokens = ecrTokens.map(({ password }, at) => [`registry token ${at}`, password] as const);
    return findLeaks(texts, Object.fromEntries([...named, ...tokens]));
  },

  'nothing is tried without the right to it': ({ requests }) =>
    requests
      .filter(({ status, fault }) => status === 403 && fault === undefined)
      .map(({ verb, resource, name = '' }) => `${verb} ${resource} ${name} was refused`),

  'the process does not end by itself': ({ crashes, plan }) => {
    // One that has lost its Lease ends, once.
    const isLease = plan?.target.side === 'kube' && plan.target.resource === 'leases';
    return crashes.length <= (isLease ? 1 : 0) ? [] : [`it ended with ${crashes.join(', ')}`];
  },
} satisfies Readonly<Record<string, Oracle>>;

const sessionCalls: readonly string[] = ['aws AssumeRole', 'aws AssumeRole of a hop', 'aws AssumeRoleWithWebIdentity'];

/** What is refused after a session was issued, and so costs another one each time. */
const afterIssue: readonly string[] = ['kube.create.secrets', 'kube.update.secrets', 'aws.GetAuthorizationToken'];

/** A kill, and whatever strikes once, costs one more session; what is refused several times in a row one each time. */
function sessionsMore(name: string, { plan }: History): number {
  if (plan === undefined || !sessionCalls.includes(name)) return 0;
  const { target, fault } = plan;
  if (isKill(plan) || !afterIssue.includes(targetText(target))) return 1;
  const times =
    target.side === 'aws' ? awsFaultOf(fault as AwsFault).rule(nobody).times : faultOf(fault as KubeFault).times;
  return times ?? 1;
}

const nobody = async (): Promise<void> => {};

/** All that does not hold, as `oracle: what is wrong`. */
export function judge(history: History, faultFree: History): string[] {
  return Object.entries(oracles as Record<string, Oracle>).flatMap(([promise, oracle]) =>
    oracle(history, faultFree).map((line) => `not "${promise}": ${line}`),
  );
}

/** Whether the plan itself keeps AWS from answering, or the scenario the operator from asking. */
function isOutage({ plan, scenario }: History): boolean {
  const isSilent = plan?.target.side === 'aws' && awsFaultOf(plan.fault as AwsFault).isOutage === true;
  return isSilent || scenarioOf(scenario).isDenied === true;
}

/** Whether it was emptied where that was asked for, and not before the end of what was in it. */
function isScrubbed({ at, secret }: Revision, history: History): boolean {
  if (scenarioOf(history.scenario).isDenied !== true) return false;
  const before = history.revisions.filter((one) => one.at < at && one.secret.metadata.uid === secret.metadata.uid);
  const endsAt = before.map((one) => expiryOf(one, history)).filter((end) => end !== undefined);
  return endsAt.length > 0 && Math.max(...endsAt) <= at;
}

/** What readers saw, without what users wrote on purpose: `drift` edits a field, and `adopt` begins with other data. */
function shown({ revisions }: History): Revision[] {
  const isOfUser = ({ text }: Revision) => text['awsSecretAccessKey'] === 'edited' || 'mine' in text;
  return revisions.filter((revision) => revision.type !== 'DELETED' && !isOfUser(revision));
}

function isEmpty({ text }: Revision): boolean {
  return Object.keys(text).length === 0 || Object.values(text).some((value) => value === '');
}

function isIssued(revision: Revision, history: History): boolean {
  return expiryOf(revision, history) !== undefined;
}

function expiryOf(revision: Revision, history: History): number | undefined {
  return lifeOf(revision, history)?.expiresAt;
}

/** Begin and end of what a Secret holds, by AWS's own record; undefined where AWS issued no such thing. */
function lifeOf(
  { text }: Revision,
  { sessions, ecrTokens }: History,
): { issuedAt: number; expiresAt: number } | undefined {
  const registry = text['.dockerconfigjson'];
  if (registry !== undefined) return ecrTokens.find(({ password }) => registry.includes(password));
  const triple = tripleOf(text);
  const session = sessions.find(({ accessKeyId }) => accessKeyId === triple.accessKeyId);
  const isOne = session?.secretAccessKey === triple.secretAccessKey && session.sessionToken === triple.sessionToken;
  return isOne ? session : undefined;
}

/**
 * Secrets that stood with less life than is promised: the default of refresh.minRemainingSeconds, at most 60 % of the
 * session, less one minute.
 */
function old(history: History): string[] {
  return history.revisions.flatMap((revision, at) => {
    const { name, uid } = revision.secret.metadata;
    const next = history.revisions.slice(at + 1).find(({ secret }) => secret.metadata.uid === uid);
    const until = next?.at ?? history.endedAt;
    const life = lifeOf(revision, history);
    if (revision.type === 'DELETED' || life === undefined) return [];
    const promised = Math.max(0, Math.min(420_000, 0.6 * (life.expiresAt - life.issuedAt)) - 60_000);
    const left = life.expiresAt - until;
    return left >= promised ? [] : [`Secret ${name} had ${left} ms left, promised are ${promised}`];
  });
}

function named(problem: string): (revision: Revision) => string {
  return ({ secret: { metadata } }) => `Secret ${metadata.name} at version ${metadata.resourceVersion} ${problem}`;
}

/** Both were made by the same code, so their keys have one order. */
function isSame(one: object, other: object): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function difference(wanted: object, found: object): string {
  return `wanted ${JSON.stringify(wanted)}, found ${JSON.stringify(found)}`;
}
