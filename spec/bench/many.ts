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

/** The operator and the bare loops, right one after the other: one before it and one after it, since machines change. */
async function rates(ground: Ground, { namespace, count, contents }: Round): Promise<Record<RateName, number>> {
  const { cluster } = ground;
  for (const kind of ['least-', 'before-', 'after-', '']) await cluster.createNamespace(`${kind}${namespace}`);
  const leastRate = await bareRateIn(ground, `least-${namespace}`, count, leastContents);
  const before = await bareRateIn(ground, `before-${namespace}`, count, contents);
  const { operator } = await ground.startOperator([namespace]);
  const rate = await vend(ground, namespace, namesOf('many', count));
  await operator.process.stop();
  const after = await bareRateIn(ground, `after-${namespace}`, count, contents);
  const bareRate = (before + after) / 2;
  return { bareRate, rate, ratio: rate / bareRate, leastRate, leastRatio: rate / leastRate };
}

/** Objects a second. */
async function bareRateIn({ plane }: Ground, namespace: string, count: number, contents: Contents): Promise<number> {
  const names = namesOf('bare', count);
  const { start, end } = await runLoop({ kubeconfig: plane.kubeconfig, namespace, names, contents });
  return (count * 1000) / (end - start);
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
