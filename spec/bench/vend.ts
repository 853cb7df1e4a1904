import { type AWSAssumeRole, awsAssumeRoles } from '../../lib/api/aws-assume-role.ts';
import { findCondition } from '../../lib/api/conditions.ts';
import { systemClock as clock } from '../../lib/clock.ts';
import { eventually } from '../support/eventually.ts';
import { inParallel } from '../support/parallel.ts';
import { type Cluster, CONCURRENCY, objectOf } from './cluster.ts';
import { watchNamespace } from './watch.ts';

const LIMIT_MS = 180_000;

/** What happened to objects that were created together. */
export interface Vended {
  /** From the first create to the last status. */
  perSecond: number;
  /** Milliseconds from the create request to the Secret, shortest first. */
  latencies: number[];
}

/** Creates objects and waits until all are Ready. */
export async function vend(cluster: Cluster, namespace: string, names: readonly string[]): Promise<Vended> {
  const seen = await watchNamespace(cluster, namespace);
  const created = new Map<string, number>();
  const start = clock.monotonic();
  await inParallel(names, CONCURRENCY, async (name) => {
    created.set(name, clock.monotonic());
    await cluster.client.create(awsAssumeRoles, objectOf(namespace, name));
  });
  const hasAll = () => seen.statuses.size >= names.length && seen.secrets.size >= names.length;
  const isDone = async () => hasAll() && (await areReady(cluster, namespace, names));
  await eventually(`${names.length} objects to be Ready`, isDone, LIMIT_MS);
  await seen.end();
  const timesOf = (times: ReadonlyMap<string, number>) => names.map((name) => times.get(name) ?? Number.NaN);
  const secretTimes = timesOf(seen.secrets);
  const latencies = timesOf(created).map((createdAt, index) => (secretTimes[index] ?? Number.NaN) - createdAt);
  const end = Math.max(...timesOf(seen.statuses));
  return { perSecond: (names.length * 1000) / (end - start), latencies: latencies.sort((a, b) => a - b) };
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
