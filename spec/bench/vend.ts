import { type AWSAssumeRole, awsAssumeRoles } from '../../lib/api/aws-assume-role.ts';
import { findCondition } from '../../lib/api/conditions.ts';
import { systemClock as clock, sleep } from '../../lib/clock.ts';
import { secrets } from '../../lib/kube/objects.ts';
import { eventually } from '../support/eventually.ts';
import { inParallel } from '../support/parallel.ts';
import { type Cluster, CONCURRENCY, objectOf } from './cluster.ts';
import type { Ground } from './ground.ts';
import { runLoop } from './loop.ts';
import { watchNamespace } from './watch.ts';

/** The part of the objects for which nothing is watched. */
const UNWATCHED = 0.95;
/** By then the last status is written, and to list all objects takes no time of what is measured. */
const SETTLED_MS = 1_000;

/**
 * Creates objects and waits until all are Ready. Gives objects a second, from the first create to the last status. The
 * benchmark watches nothing meanwhile, as in the bare loop, so that it takes none of the time that it measures: only when the
 * stand-in for STS was asked for nearly all credentials, it begins to watch for the statuses that are still to come.
 */
export async function vend(
  { plane: { kubeconfig }, cluster, sts }: Ground,
  namespace: string,
  names: readonly string[],
): Promise<number> {
  const before = await sts.assumeRoleCalls();
  const called = (count: number) =>
    eventually(`${count} AssumeRole calls`, async () => (await sts.assumeRoleCalls(before + count)) >= before + count);
  const [{ start }, last] = await Promise.all([
    runLoop({ kubeconfig, namespace, names }),
    called(Math.floor(names.length * UNWATCHED)).then(() =>
      watchNamespace(cluster, namespace, awsAssumeRoles, 'MODIFIED'),
    ),
  ]);
  await called(names.length);
  await sleep(clock, SETTLED_MS);
  await eventually(`${names.length} objects to be Ready`, () => areReady(cluster, namespace, names));
  await last.end();
  if (last.times.size === 0) throw new Error('the last status was written before it was watched for');
  // An object changes only when its status is written.
  return (names.length * 1000) / (Math.max(...last.times.values()) - start);
}

/** Creates objects. Gives the milliseconds from each create request to the event of the Secret, shortest first. */
export async function latencies(cluster: Cluster, namespace: string, names: readonly string[]): Promise<number[]> {
  const seen = await watchNamespace(cluster, namespace, secrets, 'ADDED');
  const created = new Map<string, number>();
  await inParallel(names, CONCURRENCY, async (name) => {
    created.set(name, clock.monotonic());
    await cluster.client.create(awsAssumeRoles, objectOf(namespace, name));
  });
  await eventually(`${names.length} Secrets`, () => names.every((name) => seen.times.has(name)));
  await seen.end();
  const latency = (name: string) => (seen.times.get(name) ?? Number.NaN) - (created.get(name) ?? Number.NaN);
  return names.map(latency).sort((a, b) => a - b);
}

async function areReady({ client }: Cluster, namespace: string, names: readonly string[]): Promise<boolean> {
  const { items } = await client.list<AWSAssumeRole>(awsAssumeRoles, { namespace });
  const ready = items.filter(({ status }) => findCondition(status?.conditions, 'Ready')?.status === 'True');
  const known = new Set(ready.map(({ metadata }) => metadata.name));
  return names.every((name) => known.has(name));
}

/** The value that so many percent of the sorted values do not exceed. */
export function percentile(sorted: readonly number[], percent: number): number {
  return sorted[Math.min(sorted.length, Math.ceil((sorted.length * percent) / 100)) - 1] ?? Number.NaN;
}
