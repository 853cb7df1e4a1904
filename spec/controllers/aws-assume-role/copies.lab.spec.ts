import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { AWSAssumeRole } from '../../../lib/api/aws-assume-role.ts';
import { findCondition } from '../../../lib/api/conditions.ts';
import type { Secret } from '../../../lib/controllers/aws-assume-role/secret.ts';
import { type TestNamespace, testNamespace, trustPrincipals } from '../../lab/index.ts';
import { scaledClock } from '../../support/clock.ts';
import { eventually } from '../../support/eventually.ts';
import { assumptions, eventShown, patch, textOf } from './observe.ts';
import { objectOf, openScene, openStage, type Scene, type Stage, tripleOf } from './support.ts';

describe('where several namespaces are worked on', () => {
  let stage: Stage;
  let scene: Scene;
  let original: TestNamespace;
  let other: TestNamespace;

  beforeAll(async () => {
    stage = await openStage();
    await stage.aws.createRole('app', { trust: trustPrincipals(stage.keys.arn) });
    original = await testNamespace(stage.plane);
    other = await testNamespace(stage.plane);
    const namespaces = [original.name, other.name];
    const grants = [{ namespaces: { names: namespaces }, roles: ['arn:self:iam::self:role/*'] }];
    scene = await openScene(stage, { operator: { namespaces }, grants });
  });

  afterAll(async () => {
    await scene?.close();
    for (const ns of [original, other]) await ns?.remove();
    await stage?.stop();
  });

  async function json<T>(ns: TestNamespace, kind: string, name: string): Promise<T | undefined> {
    const { code, stdout } = await ns.kubectl('get', kind, name, '--output', 'json');
    return code === 0 ? (JSON.parse(stdout) as T) : undefined;
  }
  const secretOf = (ns: TestNamespace, name: string) => json<Secret>(ns, 'secret', name);
  const objectIn = (ns: TestNamespace, name: string) => json<AWSAssumeRole>(ns, 'aar', name);
  const ready = (ns: TestNamespace, name: string) =>
    eventually(`${ns.name}/${name} is ready`, async () => {
      const object = await objectIn(ns, name);
      return findCondition(object?.status?.conditions, 'Ready')?.status === 'True' ? object : undefined;
    });
  /** The Secret as a tool takes it to another place: with everything that is not the API server's own. */
  const copyOf = ({ metadata, type, data }: Secret, name: string, change: object = {}) => {
    const { labels, annotations } = metadata;
    return { apiVersion: 'v1', kind: 'Secret', type, data, metadata: { name, labels, annotations, ...change } };
  };
  const deletions = async () =>
    (await stage.plane.auditLog()).filter(({ verb, objectRef, ...entry }) => {
      const isOurs = (entry as { userAgent?: string }).userAgent === 'rolevend';
      return isOurs && verb === 'delete' && objectRef?.namespace === other.name;
    }).length;

  test('copies of a Secret in another one are left alone, and the original keeps its credential', async () => {
    await original.apply(objectOf('app', {}));
    await ready(original, 'app');
    const secret = (await secretOf(original, 'app')) as Secret;
    const names = Array.from({ length: 30 }, (_, index) => `copy-${index}`);
    const finalizers = { finalizers: ['example.org/keep'] };
    await other.apply(...['app', ...names].map((name) => copyOf(secret, name, name === 'app' ? {} : finalizers)));
    const before = await secretOf(other, 'copy-7');
    await original.kubectl('annotate', 'aar/app', 'rolevend.dev/refresh-requested-at=now');
    await eventually('the refresh', async () => (await objectIn(original, 'app'))?.status?.lastHandledRefreshRequest);
    expect(await secretOf(other, 'copy-7')).toEqual(before);
    expect(await deletions()).toBe(0);
    expect(assumptions(stage, { ...scene, ns: original }, 'app')).toHaveLength(2);
    const kept = JSON.stringify([{ op: 'remove', path: '/metadata/finalizers' }]);
    for (const name of names) await other.kubectl('patch', 'secret', name, '--type', 'json', '--patch', kept);
  });

  test('a copy in the same one, under another name, is left alone too', async () => {
    const secret = (await secretOf(original, 'app')) as Secret;
    await original.apply(copyOf(secret, 'spare'));
    const before = await secretOf(original, 'spare');
    await original.apply(objectOf('app', { secretName: 'renamed' }));
    await eventually('the former one is gone', async () => (await secretOf(original, 'app')) === undefined);
    expect(await secretOf(original, 'spare')).toEqual(before);
  });

  test('one that is restored under another name gets credentials of its own, though the owner of its Secrets lives', async () => {
    const spec = { deletionPolicy: 'Retain' } as const;
    await original.apply(objectOf('kept', spec));
    await ready(original, 'kept');
    const secret = (await secretOf(original, 'kept')) as Secret;
    await other.apply(copyOf(secret, 'kept'), objectOf('kept', spec));
    const { metadata } = await ready(other, 'kept');
    const restored = await secretOf(other, 'kept');
    expect(restored?.metadata.annotations?.['rolevend.dev/owner-uid']).toBe(metadata.uid);
    expect(stage.aws.gateway.isOneSession(tripleOf(textOf(restored as Secret)))).toBe(true);
    expect(restored?.data).not.toEqual(secret.data);
    expect(assumptions(stage, { ...scene, ns: other }, 'kept')).toHaveLength(1);
  });
});

describe('what the API server refuses beside the issue', () => {
  let stage: Stage;
  let scene: Scene;
  const policies = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies';

  beforeAll(async () => {
    // Waits of ten seconds are watched in two.
    const clock = scaledClock(5);
    stage = await openStage({ clock });
    await stage.aws.createRole('app', { trust: trustPrincipals(stage.keys.arn) });
    scene = await openScene(stage, { operator: { clock } });
  });

  afterAll(async () => {
    for (const name of ['keep', 'strip']) await allow(name);
    await scene?.close();
    await stage?.stop();
  });

  /** Forbids what `denied` holds for, about Secrets of the scene's namespace. */
  async function forbid(name: string, operation: string, denied: string): Promise<void> {
    const full = `${scene.ns.name}-${name}`;
    const about = { apiGroups: [''], apiVersions: ['v1'], resources: ['secrets'], operations: [operation] };
    await scene.ns.apply(
      {
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'ValidatingAdmissionPolicy',
        metadata: { name: full },
        spec: {
          matchConstraints: { resourceRules: [about] },
          matchConditions: [{ name: 'here', expression: `request.namespace == '${scene.ns.name}'` }],
          validations: [{ expression: `!(${denied})`, message: 'not here' }],
        },
      },
      {
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'ValidatingAdmissionPolicyBinding',
        metadata: { name: full },
        spec: { policyName: full, validationActions: ['Deny'] },
      },
    );
  }
  async function allow(name: string): Promise<void> {
    await stage.plane.request('DELETE', `${policies}bindings/${scene.ns.name}-${name}`);
    await stage.plane.request('DELETE', `${policies}/${scene.ns.name}-${name}`);
  }

  test('is no reason to say nothing: the clean-up of a former name', async () => {
    await scene.apply('app', {});
    await scene.ready('app');
    await forbid('keep', 'DELETE', 'true');
    const isRefused = async () => (await scene.ns.kubectl('delete', 'secret', 'app', '--dry-run=server')).code !== 0;
    await eventually('the policy', isRefused);
    await patch(scene, 'aar/app', { spec: { secretName: 'renamed' } });
    const { status } = await scene.ready('app');
    expect(status?.secretRef?.name).toBe('renamed');
    expect(await scene.secret('app')).toBeDefined();
    await eventShown(scene, 'app', 'Warning FormerSecretKept');
    await allow('keep');
    await eventually('the former one is gone', async () => (await scene.secret('app')) === undefined);
  });

  test('is no reason to say nothing: labels that are to be put right', async () => {
    await scene.apply('labels', {});
    await scene.ready('labels');
    const isOn = (object: string) => `${object}.metadata.?labels[?'aws-assume-role'] == optional.of('true')`;
    await forbid('strip', 'UPDATE', `${isOn('object')} && !(${isOn('oldObject')})`);
    await eventually('the policy', async () => {
      await patch(scene, 'secret/labels', { metadata: { labels: { 'aws-assume-role': 'no' } } });
      const change = JSON.stringify({ metadata: { labels: { 'aws-assume-role': 'true' } } });
      return (
        await scene.ns.kubectl('patch', 'secret', 'labels', '--dry-run=server', '--type=merge', `--patch=${change}`)
      ).code;
    });
    await patch(scene, 'secret/labels', { metadata: { labels: { 'aws-assume-role': 'other' } } });
    await eventShown(scene, 'labels', 'Warning RepairFailed');
    await patch(scene, 'aar/labels', { spec: { refresh: { percent: 50 } } });
    const { status, metadata } = await scene.ready('labels');
    expect(status?.observedGeneration).toBe(metadata.generation);
  });
});
