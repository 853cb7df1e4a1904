import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import { awsAssumeRoles } from '../../lib/api/aws-assume-role.ts';
import { systemClock as clock, rfc3339 } from '../../lib/clock.ts';
import type { Secret } from '../../lib/controllers/aws-assume-role/secret.ts';
import { secrets } from '../../lib/kube/objects.ts';
import type { Keys, LabAws } from '../lab/index.ts';
import { eventually } from '../support/eventually.ts';
import { inParallel } from '../support/parallel.ts';
import { type Cluster, objectOf } from './cluster.ts';

const LIMIT_MS = 120_000;

/**
 * The limit that an operator cannot pass: per object one create, one Secret and one status write, and nothing else.
 * Gives objects a second.
 */
export async function bareLoop({ client }: Cluster, namespace: string, names: readonly string[], concurrency: number) {
  const start = clock.monotonic();
  await inParallel(names, concurrency, async (name) => {
    const { metadata } = await client.create(awsAssumeRoles, objectOf(namespace, name));
    const secret: Secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, data: secretData };
    await client.create(secrets, secret);
    const ref = { namespace, name };
    const version = metadata.resourceVersion;
    await client.patchStatus(awsAssumeRoles, ref, metadata.uid ?? '', status, { resourceVersion: version });
  });
  return (names.length * 1000) / (clock.monotonic() - start);
}

const base64 = (text: string) => Buffer.from(text).toString('base64');
/** As large as what AWS gives. */
const secretData = {
  awsAccessKeyId: base64('A'.repeat(20)),
  awsSecretAccessKey: base64('s'.repeat(40)),
  awsSessionToken: base64('t'.repeat(400)),
};
/** As large as the operator's. */
const condition = (type: string) => ({
  type,
  status: 'True',
  reason: 'Issued',
  message: 'm'.repeat(90),
  lastTransitionTime: rfc3339(0),
  observedGeneration: 1,
});
const status = {
  observedGeneration: 1,
  health: { status: 'Healthy' },
  phase: 'Ready',
  roleArn: 'arn:aws:iam::111122223333:role/app',
  expiresAt: rfc3339(0),
  conditions: ['Ready', 'Refreshed', 'Granted'].map(condition),
};

/** What the laboratory's AWS, which is no part of the product, can do at most. Gives AssumeRole calls a second. */
export async function awsAlone(aws: LabAws, keys: Keys, count: number, concurrency: number): Promise<number> {
  const { endpoint, region } = aws;
  const client = new STSClient({ endpoint, region, credentials: keys, maxAttempts: 1 });
  const calls = Array.from({ length: count }, (_, index) => `call-${index}`);
  const start = clock.monotonic();
  await inParallel(calls, concurrency, (name) =>
    client.send(new AssumeRoleCommand({ RoleArn: aws.roleArn('app'), RoleSessionName: name })),
  );
  client.destroy();
  return (count * 1000) / (clock.monotonic() - start);
}

/** What happened to objects that were created together. */
export interface Vended {
  /** From the first create to the last object that is Ready. */
  perSecond: number;
  /** Milliseconds from the create request to the Secret, shortest first. */
  latencies: number[];
}

/** Creates objects and waits until the operator is done with all. */
export async function vend(
  cluster: Cluster,
  namespace: string,
  names: readonly string[],
  concurrency: number,
): Promise<Vended> {
  const created = new Map<string, number>();
  const start = clock.monotonic();
  await inParallel(names, concurrency, async (name) => {
    created.set(name, clock.monotonic());
    await cluster.client.create(awsAssumeRoles, objectOf(namespace, name));
  });
  const { readySeen, secretSeen } = cluster;
  const isDone = () => names.every((name) => readySeen.has(name) && secretSeen.has(name));
  await eventually(`${names.length} objects to be Ready`, isDone, LIMIT_MS);
  const end = Math.max(...names.map((name) => readySeen.get(name) ?? 0));
  const latencies = names.map((name) => (secretSeen.get(name) ?? 0) - (created.get(name) ?? 0));
  return { perSecond: (names.length * 1000) / (end - start), latencies: latencies.sort((a, b) => a - b) };
}

/** The value that so many percent of the sorted values do not exceed. */
export function percentile(sorted: readonly number[], percent: number): number {
  return sorted[Math.min(sorted.length, Math.ceil((sorted.length * percent) / 100)) - 1] ?? Number.NaN;
}

/** Successful and failed AssumeRole calls so far. */
export function assumeRoleCalls({ gateway }: LabAws): number {
  return gateway.count('AssumeRole');
}
