import type { Secret } from '../../lib/controllers/aws-assume-role/secret.ts';
import { secrets } from '../../lib/kube/objects.ts';
import type { OperatorProcess } from '../lab/demo/operator.ts';
import { eventually } from '../support/eventually.ts';
import { inParallel } from '../support/parallel.ts';
import { type Cluster, CONCURRENCY, namesOf } from './cluster.ts';
import type { FigureName } from './figures.ts';
import type { Ground } from './ground.ts';
import { cpuPerMinute, usageOf, whenQuiet } from './usage.ts';

type Name = Extract<FigureName, 'ready' | 'stsCallsAgain' | 'secretWritesAgain' | 'memory' | 'memoryGrown' | 'idle'>;

const LIMIT_MS = 60_000;
const IDLE_S = 30;
const FOREIGN_BYTES = 4096;

/** A new process finds so many valid objects in these namespaces, and then so many Secrets of others. */
export async function stock(
  ground: Ground,
  namespaces: readonly string[],
  count: number,
  foreign: number,
): Promise<Record<Name, number>> {
  const { cluster, sts } = ground;
  const [writes, calls] = [await cluster.writes(), await sts.assumeRoleCalls()];
  const { operator, readyMs } = await ground.startOperator(namespaces);
  const { peakMib } = await whenQuiet(operator.process);
  // Read only now, since giving out the figures of thousands of objects takes memory, too.
  await eventually('a pass over every object', async () => (await passes(operator)) >= count, LIMIT_MS);
  const [after, callsAfter] = [await cluster.writes(), await sts.assumeRoleCalls()];
  const { rssMib: before } = await usageOf(operator.process);
  await createForeign(cluster, namespaces, foreign);
  const { rssMib: beside } = await usageOf(operator.process);
  const idle = await cpuPerMinute(operator.process, IDLE_S);
  return {
    ready: readyMs / 1000,
    stsCallsAgain: callsAfter - calls,
    secretWritesAgain: after.secrets - writes.secrets,
    memory: peakMib,
    memoryGrown: beside - before,
    idle,
  };
}

/** Passes that have ended. */
async function passes({ url }: OperatorProcess): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const counts = [...text.matchAll(/^controller_runtime_reconcile_total\{.*\} (\d+)$/gm)];
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}

async function createForeign({ client }: Cluster, namespaces: readonly string[], count: number): Promise<void> {
  const data = { blob: Buffer.alloc(FOREIGN_BYTES, 'x').toString('base64') };
  await inParallel(namesOf('foreign', count), CONCURRENCY, async (name) => {
    const namespace = namespaces[Number(name.split('-').at(-1)) % namespaces.length] ?? '';
    await client.create<Secret>(secrets, { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, data });
  });
}
