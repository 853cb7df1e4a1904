import { type Contents, leastContents } from './bare-loop.ts';
import { namesOf } from './cluster.ts';
import type { FigureName } from './figures.ts';
import type { Ground } from './ground.ts';
import { runLoop } from './loop.ts';
import { whenQuiet } from './usage.ts';
import { latencies, percentile, vend } from './vend.ts';

type RateName = Extract<FigureName, 'bareRate' | 'rate' | 'ratio' | 'leastRate' | 'leastRatio'>;
type CostName = Extract<
  FigureName,
  'median' | 'slowest' | 'stsCalls' | 'secretWrites' | 'statusWrites' | 'cpu' | 'peak'
>;

/** One round of the measurements of many objects at once. */
export interface Round {
  namespace: string;
  /** How many objects. */
  count: number;
  /** What the operator writes for an object. */
  contents: Contents;
}

/** Measures bare loops and the operator, which has a new process for each of two measurements. */
export async function many(ground: Ground, round: Round): Promise<Record<RateName | CostName, number>> {
  return { ...(await rates(ground, round)), ...(await costs(ground, `timed-${round.namespace}`, round.count)) };
}

/** The operator, twice, and a bare loop before and after each time, right one after the other, since machines change. */
async function rates(ground: Ground, { namespace, count, contents }: Round): Promise<Record<RateName, number>> {
  const leastRate = await bareRateIn(ground, `least-${namespace}`, count, leastContents);
  let before = await bareRateIn(ground, `bare-${namespace}`, count, contents);
  const pairs: { bareRate: number; rate: number }[] = [];
  for (const name of [namespace, `again-${namespace}`]) {
    const rate = await rateIn(ground, name, count);
    const after = await bareRateIn(ground, `bare-after-${name}`, count, contents);
    pairs.push({ bareRate: (before + after) / 2, rate });
    before = after;
  }
  const [bareRate, rate] = [mean(pairs.map((pair) => pair.bareRate)), mean(pairs.map((pair) => pair.rate))];
  const ratio = mean(pairs.map((pair) => pair.rate / pair.bareRate));
  return { bareRate, rate, ratio, leastRate, leastRatio: rate / leastRate };
}

/** Objects a second, by a new process of the operator. */
async function rateIn(ground: Ground, namespace: string, count: number): Promise<number> {
  await ground.cluster.createNamespace(namespace);
  const { operator } = await ground.startOperator([namespace]);
  const rate = await vend(ground, namespace, namesOf('many', count));
  await operator.process.stop();
  return rate;
}

/** Objects a second, by a bare loop. */
async function bareRateIn(
  { cluster, plane }: Ground,
  namespace: string,
  count: number,
  contents: Contents,
): Promise<number> {
  await cluster.createNamespace(namespace);
  const names = namesOf('bare', count);
  const { start, end } = await runLoop({ kubeconfig: plane.kubeconfig, namespace, names, contents });
  return (count * 1000) / (end - start);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

async function costs(ground: Ground, namespace: string, count: number): Promise<Record<CostName, number>> {
  const { cluster, sts } = ground;
  await cluster.createNamespace(namespace);
  const { operator } = await ground.startOperator([namespace]);
  const [writes, calls] = [await cluster.writes(), await sts.assumeRoleCalls()];
  const times = await latencies(cluster, namespace, namesOf('timed', count));
  const { cpuSeconds, peakMib } = await whenQuiet(operator.process);
  const [after, callsAfter] = [await cluster.writes(), await sts.assumeRoleCalls()];
  await operator.process.stop();
  return {
    median: percentile(times, 50) / 1000,
    slowest: percentile(times, 99) / 1000,
    stsCalls: callsAfter - calls,
    secretWrites: after.secrets - writes.secrets,
    statusWrites: after.statuses - writes.statuses,
    cpu: cpuSeconds,
    peak: peakMib,
  };
}

/** For each figure the median of the rounds; where it is to be exact, the round that is furthest from it. */
export function medians<T extends string>(rounds: readonly Record<T, number>[], exact: Partial<Record<T, number>>) {
  const names = Object.keys(rounds[0] ?? {}) as T[];
  const middle = (name: T) => {
    const values = rounds.map((round) => round[name]).sort((a, b) => a - b);
    const wanted = exact[name];
    const wrong = values.find((value) => wanted !== undefined && value !== wanted);
    return wrong ?? percentile(values, 50);
  };
  return Object.fromEntries(names.map((name) => [name, middle(name)])) as Record<T, number>;
}
