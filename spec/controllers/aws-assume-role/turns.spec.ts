import { afterEach, describe, expect, it } from '@jest/globals';
import type { RoleGrant } from '../../../lib/api/role-grant.ts';
import { Gates } from '../../../lib/aws/gates.ts';
import { Hosts } from '../../../lib/aws/hosts.ts';
import { Admission } from '../../../lib/aws/rate.ts';
import { AwsAssumeRoleController } from '../../../lib/controllers/aws-assume-role/controller.ts';
import type { VendingContext } from '../../../lib/controllers/aws-assume-role/pass.ts';
import { sessionAnnotations } from '../../../lib/controllers/aws-assume-role/session-record.ts';
import { objectStore, secretStore } from '../../../lib/controllers/aws-assume-role/watch.ts';
import { errorOfStatus } from '../../../lib/kube/errors.ts';
import { type KubeObject, type ObjectMeta, secrets } from '../../../lib/kube/objects.ts';
import { Store } from '../../../lib/kube/store.ts';
import { createMetrics } from '../../../lib/metrics.ts';
import { ManualClock } from '../../support/clock.ts';
import { at, HOUR, role, SECOND, secretMeta, session, T0 } from './fixtures.ts';

const REGION = 'eu-west-1';
const PENDING_AFTER_MS = 700;
/** Takes every call and gives nothing. */
const deaf = new Proxy({}, { get: () => () => {} });
const caller = { accountId: '111122223333', partition: 'aws', arn: 'arn:aws:iam::111122223333:user/op' };
const self = () => ({ caller, region: REGION, identityProblem: undefined });
const roleGrant: RoleGrant = {
  apiVersion: 'rolevend.dev/v1alpha1',
  kind: 'RoleGrant',
  metadata: { name: 'all', resourceVersion: '1' },
  spec: { namespaces: { names: ['*'] }, roles: ['arn:self:iam::self:role/*'] },
};
const secret = (metadata: ObjectMeta): KubeObject => ({ apiVersion: 'v1', kind: 'Secret', metadata });
const namespace = (change: Partial<ObjectMeta> = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'team', resourceVersion: '2', ...change },
});

let close = () => {};
afterEach(() => close());

/** A controller whose one object finds in its first pass that STS did not answer, and so waits. */
async function waiting(object = role(), found?: ObjectMeta) {
  const clock = new ManualClock(T0);
  const hosts = new Hosts({ clock, random: () => 1 });
  hosts.failed(`STS ${REGION}`, 0, { code: 'StsUnreachable', message: 'no answer' });
  const gates = new Gates({ hosts, clock, region: REGION, workers: 8, onTurn: () => {} });
  const admission = new Admission({ clock, metrics: createMetrics(), self, onGranted: () => {} });
  close = () => {
    gates.close();
    admission.close();
  };
  const stores = {
    objects: objectStore(),
    secrets: secretStore(),
    grants: new Store<RoleGrant>(),
    namespaces: new Store(),
  };
  stores.objects.apply({ type: 'ADDED', object });
  stores.grants.apply({ type: 'ADDED', object: roleGrant });
  stores.namespaces.apply({ type: 'ADDED', object: namespace() });
  if (found) stores.secrets.apply({ type: 'ADDED', object: secret(found) });
  const get = () => Promise.reject(errorOfStatus({ verb: 'get', resource: secrets }, {}, 404));
  const client = { serverTime: T0 - HOUR, get, patchStatus: async () => undefined };
  const others = { announcer: deaf, metrics: deaf, log: deaf, self, skewMs: () => 0 };
  const context = { ...stores, ...others, clock, client, gates, admission } as unknown as VendingContext;
  const controller = new AwsAssumeRoleController(context);
  const pass = () => controller.reconcile('team/app', new AbortController().signal);
  expect([await pass(), gates.waiting()]).toEqual([{ requeueAfterMs: PENDING_AFTER_MS }, 1]);
  return { ...stores, clock, gates, pass };
}

type Scene = Awaited<ReturnType<typeof waiting>>;

describe('an object that waits for a host', () => {
  it.each<[string, (scene: Scene) => unknown]>([
    ['is denied', ({ grants }) => grants.apply({ type: 'DELETED', object: roleGrant })],
    [
      'meets the Secret of somebody else',
      ({ secrets }) =>
        secrets.apply({
          type: 'ADDED',
          object: secret({ name: 'creds', namespace: 'team', uid: 'x', resourceVersion: '3' }),
        }),
    ],
    [
      'is to go with its namespace',
      ({ namespaces }) =>
        namespaces.apply({ type: 'MODIFIED', object: namespace({ resourceVersion: '3', deletionTimestamp: at(0) }) }),
    ],
    ['is deleted', ({ objects }) => objects.apply({ type: 'DELETED', object: role() })],
  ])('takes no turn from others any more once it %s', async (_, happens) => {
    const scene = await waiting();
    happens(scene);
    await scene.pass();
    expect(scene.gates.waiting()).toBe(0);
  });

  it('is looked at again when its credential ends', async () => {
    const held = session({ issuedAt: T0 - HOUR + 10 * SECOND, expiresAt: T0 + 10 * SECOND });
    const found = { ...secretMeta(), annotations: { ...secretMeta().annotations, ...sessionAnnotations(held, 'sha') } };
    const secretRef = { name: 'creds', uid: 's-1', resourceVersion: '7' };
    const { clock, pass } = await waiting(role({ status: { observedGeneration: 2, secretRef } }), found);
    await clock.advance(PENDING_AFTER_MS);
    expect(await pass()).toEqual({ requeueAfterMs: 10 * SECOND - PENDING_AFTER_MS });
  });
});
