import { type AWSAssumeRole, awsAssumeRoles } from '../../lib/api/aws-assume-role.ts';
import { rfc3339 } from '../../lib/clock.ts';
import type { Secret } from '../../lib/controllers/aws-assume-role/secret.ts';
import type { KubeClient } from '../../lib/kube/client.ts';
import { type OwnerReference, secrets } from '../../lib/kube/objects.ts';
import { inParallel } from '../support/parallel.ts';
import { type Cluster, CONCURRENCY, objectOf } from './cluster.ts';

/** What a bare loop writes beside the object. */
export interface Contents {
  data: Record<string, string>;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  ownerReferences: OwnerReference[];
  status: object;
}

/**
 * The limit that an operator cannot pass: per object one create, one Secret and one status write, and nothing else; no
 * watch, no AWS.
 */
export async function bareLoop(
  client: KubeClient,
  namespace: string,
  names: readonly string[],
  { data, labels, annotations, ownerReferences, status }: Contents,
): Promise<void> {
  await inParallel(names, CONCURRENCY, async (name) => {
    const { metadata } = await client.create(awsAssumeRoles, objectOf(namespace, name));
    const uid = metadata.uid ?? '';
    const owners = ownerReferences.map((owner) => ({ ...owner, name, uid }));
    const own = { name, namespace, labels, annotations, ownerReferences: owners };
    const secret: Secret = { apiVersion: 'v1', kind: 'Secret', metadata: own, data };
    await client.create(secrets, secret);
    await client.patchStatus(awsAssumeRoles, { namespace, name }, uid, status, {
      resourceVersion: metadata.resourceVersion,
    });
  });
}

/** What the operator has written for an object, to be written again. */
export async function contentsOf({ client }: Cluster, namespace: string, name: string): Promise<Contents> {
  const { metadata, data = {} } = await client.get<Secret>(secrets, { namespace, name });
  const { labels = {}, annotations = {}, ownerReferences = [] } = metadata;
  const { status = {} } = await client.get<AWSAssumeRole>(awsAssumeRoles, { namespace, name });
  return { data, labels, annotations, ownerReferences, status };
}

const base64 = (text: string) => Buffer.from(text).toString('base64');
/** As large as what AWS gives. */
const secretData = {
  awsAccessKeyId: base64('A'.repeat(20)),
  awsSecretAccessKey: base64('s'.repeat(40)),
  awsSessionToken: base64('t'.repeat(400)),
};
const condition = (type: string) => ({
  type,
  status: 'True',
  reason: 'Issued',
  message: 'm'.repeat(90),
  lastTransitionTime: rfc3339(0),
  observedGeneration: 1,
});
const leastStatus = {
  observedGeneration: 1,
  health: { status: 'Healthy' },
  phase: 'Ready',
  roleArn: 'arn:aws:iam::111122223333:role/app',
  expiresAt: rfc3339(0),
  conditions: ['Ready', 'Refreshed', 'Granted'].map(condition),
};
/** The least that could be written. */
export const leastContents: Contents = {
  data: secretData,
  labels: {},
  annotations: {},
  ownerReferences: [],
  status: leastStatus,
};
