import { createHash } from 'node:crypto';
import { isRead, kubeFaults } from '../lab/fault-proxy.ts';
import { awsFaults } from './aws-faults.ts';
import type { History } from './history.ts';
import { isKill, type Plan, planLine, type Target, targetText } from './plan.ts';
import { type ScenarioName, scenarioOf } from './scenarios.ts';

/** A kind of request, and how often a run without a fault made it after its set-up. */
interface Kind {
  target: Target;
  count: number;
  /** Of a watch: whether it ran already, and whether an event about the object came in it. */
  isRunning: boolean;
  isTold: boolean;
}

/** In how many scenarios each fault is tried at each kind of request. */
const SCENARIOS_EACH = 2;

const killing = ['kill-before', 'kill-applied', 'kill-after'] as const;
/** What a watch that runs can have. */
const inStream = ['frozen', 'half-open', 'reset', 'lost-event', 'duplicated-event'] as const;
const aboutEvents: readonly string[] = ['lost-event', 'duplicated-event'];

/**
 * All plans of a scenario, made from what a run without a fault asked for: every write and every call of AWS, each time
 * it came, times the three points of a kill; and every kind of request times every fault that makes sense for it, at
 * one of them that the seed chooses.
 */
export function plansOf(scenario: ScenarioName, faultFree: History, seed: number): Plan[] {
  const { about, fromStart } = scenarioOf(scenario);
  const kinds = kindsOf(faultFree, fromStart === true);
  return kinds.flatMap((kind) => {
    const nths = Array.from({ length: kind.count }, (_, index) => index + 1);
    const kills = isReading(kind) ? [] : nths.flatMap((nth) => killing.map((fault) => ({ nth, fault })));
    const isMeant = about === undefined || (kind.target.side === 'kube' && kind.target.resource === about);
    const nth = 1 + (seed % Math.max(1, kind.count));
    const others = isMeant ? faultsFor(kind).map((fault) => ({ nth, fault })) : [];
    return [...kills, ...others].map((rest) => ({ scenario, target: kind.target, ...rest }) as Plan);
  });
}

/** Whether a run without a fault made the request that a plan is about. */
export function comesTo(faultFree: History, { scenario, target, nth }: Plan): boolean {
  const kinds = kindsOf(faultFree, scenarioOf(scenario).fromStart === true);
  return kinds.some((kind) => targetText(kind.target) === targetText(target) && kind.count >= nth);
}

/**
 * The plans that are worth their time: every kill, and of each fault at each kind of request a few scenarios, which
 * the seed chooses.
 */
export function chosen(plans: readonly Plan[], seed: number): Plan[] {
  const counts = new Map<string, number>();
  return shuffled(plans, seed).filter((plan) => {
    if (isKill(plan)) return true;
    const name = `${targetText(plan.target)} ${plan.fault}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
    return (counts.get(name) ?? 0) <= SCENARIOS_EACH;
  });
}

/** A few plans that together have every fault, every scenario, and every kind of request with every point of a kill. */
export function smoke(plans: readonly Plan[], seed: number): Plan[] {
  const quick = shuffled(plans, seed)
    .filter((plan) => !isSlow(plan))
    .sort((one, other) => Number(isLong(one)) - Number(isLong(other)));
  const seen = new Set<string>();
  return quick.filter((plan) => {
    const { target, fault, scenario } = plan;
    const news = [
      `${target.side} ${fault}`,
      scenario,
      isKill(plan) ? `${targetText(target)} ${fault}` : targetText(target),
    ];
    const isNew = news.some((one) => !seen.has(one));
    for (const one of news) seen.add(one);
    return isNew;
  });
}

/** Scenarios in which a session is waited for to end come last, so that they are chosen for nothing that others have. */
function isLong({ scenario }: Plan): boolean {
  return scenarioOf(scenario).firstSessionSeconds !== undefined;
}

/** What makes the operator wait for its longest deadlines, or for the end of a Lease. */
function isSlow({ target, fault, scenario }: Plan): boolean {
  const isSilent = ['drop', 'drop-after', 'half-open', 'frozen'].includes(fault);
  const isLong = target.side === 'aws' || isRead(target.verb);
  return (isSilent && isLong) || (scenario === 'lead' && isKill({ fault }));
}

/** The items in an order that the seed alone decides. */
function shuffled(plans: readonly Plan[], seed: number): Plan[] {
  const rank = (plan: Plan) =>
    createHash('sha256')
      .update(`${seed} ${planLine(plan)}`)
      .digest('hex');
  return plans
    .map((plan) => ({ plan, rank: rank(plan) }))
    .sort((a, b) => (a.rank < b.rank ? -1 : 1))
    .map(({ plan }) => plan);
}

/** A watch that ran before is told from one that begins, since only the latter is a request that is to come. */
function kindsOf({ requests, calls, startedAt, namespace }: History, fromStart: boolean): Kind[] {
  const kinds = new Map<string, Kind>();
  const add = (target: Target, isRunning = false, isTold = false) => {
    const name = `${targetText(target)} ${isRunning}`;
    const kind = kinds.get(name) ?? { target, count: 0, isRunning, isTold };
    kinds.set(name, { ...kind, count: kind.count + 1, isTold: kind.isTold || isTold });
  };
  for (const { verb, resource, events = [], at } of requests) {
    const isRunning = verb === 'watch' && !fromStart && at < startedAt;
    add({ side: 'kube', verb, resource }, isRunning, events.includes(namespace));
  }
  for (const { action } of calls) add({ side: 'aws', action });
  return [...kinds.values()];
}

function faultsFor({ target, isRunning, isTold }: Kind): readonly string[] {
  if (target.side === 'aws') return Object.keys(awsFaults).filter((fault) => !isKill({ fault }));
  if (isRunning) return isTold ? inStream : [];
  return Object.entries(kubeFaults as Record<string, { verbs?: readonly string[] }>)
    .filter(([fault, { verbs }]) => !isKill({ fault }) && (verbs?.includes(target.verb) ?? true))
    .map(([fault]) => fault)
    .filter((fault) => isTold || !aboutEvents.includes(fault));
}

function isReading({ target }: Kind): boolean {
  return target.side === 'kube' && isRead(target.verb);
}
