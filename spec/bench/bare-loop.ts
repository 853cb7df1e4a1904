import { awsAssumeRoles } from '../../lib/api/aws-assume-role.ts';
import { systemClock as clock, rfc3339 } from '../../lib/clock.ts';
import type { Secret } from '../../lib/controllers/aws-assume-role/secret.ts';
import { secrets } from '../../lib/kube/objects.ts';
import { inParallel } from '../support/parallel.ts';
import { type Cluster, CONCURRENCY, objectOf } from './cluster.ts';

/**
 * The limit that an operator cannot pass: per object one create, one Secret and one status write, and nothing else; no
 * watch, no AWS. Gives objects a second.
 */
export async function bareLoop({ client }: Cluster, namespace: string, names: readonly string[]): Promise<number> {
  const start = clock.monotonic();
  await inParallel(names, CONCURRENCY, async (name) => {
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
