import { namesOf } from './cluster.ts';
import type { Ground } from './ground.ts';
import { percentile, vend } from './vend.ts';

const COUNT = 15;

/** Objects that are created one after the other, in a namespace that an operator works in. */
export async function single({ cluster }: Ground, namespace: string): Promise<Record<'single', number>> {
  const times: number[] = [];
  for (const name of namesOf('single', COUNT)) times.push(...(await vend(cluster, namespace, [name])).latencies);
  return {
    single:
      percentile(
        times.sort((a, b) => a - b),
        50,
      ) / 1000,
  };
}
