import { bareLoop, contentsOf } from './bare-loop.ts';
import { namesOf } from './cluster.ts';
import type { FigureName } from './figures.ts';
import type { Ground } from './ground.ts';
import { whenQuiet } from './usage.ts';
import { percentile, vend } from './vend.ts';

type Name = Extract<
  FigureName,
  | 'bareRate'
  | 'sameRate'
  | 'sameRatio'
  | 'rate'
  | 'ratio'
  | 'bareOthers'
  | 'others'
  | 'bound'
  | 'median'
  | 'slowest'
  | 'stsCalls'
  | 'secretWrites'
  | 'statusWrites'
  | 'cpu'
  | 'peak'
>;

/** One round: so many objects at once, by a bare loop and then by a new process of the operator. */
export async function many(ground: Ground, namespace: string, count: number): Promise<Record<Name, number>> {
  const { cluster, sts } = ground;
  const bare = `bare-${namespace}`;
  await cluster.createNamespace(bare);
  const atFirst = await ground.cpuSeconds();
  const bareRate = await bareLoop(cluster, bare, namesOf('bare', count));
  const bareOthers = (await ground.cpuSeconds()) - atFirst;
  await cluster.createNamespace(namespace);
  const { operator } = await ground.startOperator([namespace]);
  const [writes, calls] = [await cluster.writes(), await sts.assumeRoleCalls()];
  const before = await ground.cpuSeconds();
  const { perSecond, latencies } = await vend(cluster, namespace, namesOf('many', count));
  const others = (await ground.cpuSeconds()) - before;
  const { cpuSeconds, peakMib } = await whenQuiet(operator.process);
  const [after, callsAfter] = [await cluster.writes(), await sts.assumeRoleCalls()];
  await operator.process.stop();
  const contents = await contentsOf(cluster, namespace, 'many-0');
  await cluster.createNamespace(`same-${namespace}`);
  const sameRate = await bareLoop(cluster, `same-${namespace}`, namesOf('same', count), contents);
  return {
    bareRate,
    sameRate,
    sameRatio: perSecond / sameRate,
    rate: perSecond,
    ratio: perSecond / bareRate,
    bareOthers: (bareOthers * 1000) / count,
    others: (others * 1000) / count,
    bound: bareOthers / others,
    median: percentile(latencies, 50) / 1000,
    slowest: percentile(latencies, 99) / 1000,
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
