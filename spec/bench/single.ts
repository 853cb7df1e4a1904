import { namesOf } from './cluster.ts';
import type { Ground } from './ground.ts';
import { latencies, percentile } from './vend.ts';

const COUNT = 15;

/** Objects that are created one after the other. */
export async function single(ground: Ground, namespace: string): Promise<Record<'single', number>> {
  const { cluster } = ground;
  await cluster.createNamespace(namespace);
  const { operator } = await ground.startOperator([namespace]);
  const times: number[] = [];
  for (const name of namesOf('single', COUNT)) times.push(...(await latencies(cluster, namespace, [name])));
  await operator.process.stop();
  const sorted = times.sort((a, b) => a - b);
  return { single: percentile(sorted, 50) / 1000 };
}
