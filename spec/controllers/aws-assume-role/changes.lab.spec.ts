import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { findCondition } from '../../../lib/api/conditions.ts';
import { trustPrincipals } from '../../lab/aws/index.ts';
import { eventually } from '../../support/eventually.ts';
import { type App, assumptions, eventsOf, openApp, patch, requestRefresh } from './observe.ts';
import { tripleOf } from './support.ts';

const REGISTRY = '111122223333.dkr.ecr.eu-central-1.amazonaws.com';

describe('a change of an AWSAssumeRole', () => {
  let app: App;

  beforeAll(async () => {
    app = await openApp();
    await app.stage.aws.createRole('other', { trust: trustPrincipals(app.stage.keys.arn) });
    for (const name of ['request', 'labels', 'name', 'type', 'immutable']) await app.scene.apply(name, {});
    for (const name of ['request', 'labels', 'name', 'type', 'immutable']) await app.scene.ready(name);
  });

  afterAll(async () => {
    await app?.close();
  });

  const change = async (name: string, spec: object) => {
    await patch(app.scene, `aar/${name}`, { spec });
    return (await app.scene.ready(name)).status ?? {};
  };
  const calls = (name: string) => assumptions(app.stage, app.scene, name);
  const secretOf = async (name: string) => {
    const secret = await app.scene.secret(name);
    if (secret === undefined) throw new Error(`no Secret ${name}`);
    return secret;
  };

  test('of its duration or its role issues at once, into the same Secret', async () => {
    const { uid } = (await secretOf('request')).metadata;
    const longer = await change('request', { durationSeconds: 1800 });
    expect({ calls: calls('request').length, seconds: longer.effectiveDurationSeconds }).toEqual({
      calls: 2,
      seconds: 1800,
    });
    expect(calls('request')[1]?.parameters['DurationSeconds']).toBe('1800');
    const another = await change('request', { roleName: 'other' });
    const secret = await secretOf('request');
    expect({ calls: calls('request').length, role: calls('request')[2]?.role, roleArn: another.roleArn }).toEqual({
      calls: 3,
      role: app.stage.aws.roleArn('other'),
      roleArn: app.stage.aws.roleArn('other'),
    });
    expect({ uid: secret.metadata.uid, key: secret.text['awsAccessKeyId'] }).toEqual({ uid, key: another.accessKeyId });
  });

  test('that comes while a call is under way is not lost', async () => {
    const { gateway } = app.stage.aws;
    await app.scene.apply('overtaken', {});
    await app.scene.ready('overtaken');
    // The answer is late, so the status of the pass is written after the second change.
    gateway.fail({ action: 'AssumeRole', with: 'none', delayMs: 500, times: 1 });
    await patch(app.scene, 'aar/overtaken', { spec: { durationSeconds: 1800 } });
    await eventually('the call is under way', () => calls('overtaken').length === 2);
    await patch(app.scene, 'aar/overtaken', { spec: { roleName: 'other' } });
    const { metadata, status } = await app.scene.ready('overtaken');
    expect({ generation: metadata.generation, observed: status?.observedGeneration, role: status?.roleArn }).toEqual({
      generation: 3,
      observed: 3,
      role: app.stage.aws.roleArn('other'),
    });
  });

  test('of its type costs no session while finalizers keep the old Secret, and is done when they are gone', async () => {
    const { scene } = app;
    await scene.apply('kept', {});
    await scene.ready('kept');
    await patch(scene, 'secret/kept', { metadata: { finalizers: ['example.org/keep'] } });
    await patch(scene, 'aar/kept', { spec: { secretType: 'EcrDockerConfigJson', ecrRepositoryUrl: REGISTRY } });
    const object = await scene.condition('kept', 'Refreshed', 'False', 'SecretEnding');
    expect(findCondition(object.status?.conditions, 'Refreshed')?.message).toBe(
      `Secret ${scene.ns.name}/kept has to be replaced, but finalizers keep the old one; remove them from its metadata.finalizers`,
    );
    const { metadata, type } = await secretOf('kept');
    expect({ calls: calls('kept').length, ending: metadata.deletionTimestamp, type }).toEqual({
      calls: 1,
      ending: undefined,
      type: 'Opaque',
    });
    await patch(scene, 'secret/kept', { metadata: { finalizers: null } });
    await requestRefresh(scene, 'kept', 'now');
    await eventually('the other type', async () => (await secretOf('kept')).type === 'kubernetes.io/dockerconfigjson');
    expect(calls('kept')).toHaveLength(2);
  });

  test('of the labels and annotations for its Secret asks STS for nothing and takes dropped keys away', async () => {
    await app.scene.ns.kubectl('label', 'secret', 'labels', 'foreign=kept');
    await app.scene.ns.kubectl('annotate', 'secret', 'labels', 'example.org/foreign=kept');
    const shown = async () => {
      const { metadata } = await secretOf('labels');
      const notOurs = ([key]: [string, string]) => !key.startsWith('rolevend.dev/') && key !== 'aws-assume-role';
      const pick = (map: Record<string, string> = {}) => Object.fromEntries(Object.entries(map).filter(notOurs));
      return { labels: pick(metadata.labels), annotations: pick(metadata.annotations) };
    };
    await change('labels', { metadata: { labels: { a: '1', b: '1' }, annotations: { 'example.org/x': '1' } } });
    expect(await shown()).toEqual({
      labels: { foreign: 'kept', a: '1', b: '1' },
      annotations: { 'example.org/foreign': 'kept', 'example.org/x': '1' },
    });
    await change('labels', { metadata: { labels: { a: null, b: '2' }, annotations: null } });
    expect(await shown()).toEqual({
      labels: { foreign: 'kept', b: '2' },
      annotations: { 'example.org/foreign': 'kept' },
    });
    await change('labels', { metadata: null });
    expect(await shown()).toEqual({ labels: { foreign: 'kept' }, annotations: { 'example.org/foreign': 'kept' } });
    expect(calls('labels')).toHaveLength(1);
    expect(await eventsOf(app.scene, 'labels')).not.toContain('Normal DriftRepaired');
  });

  test('of its refresh settings asks STS for nothing and moves the next refresh', async () => {
    const before = await app.scene.status('labels');
    const after = await change('labels', { refresh: { percent: 40, jitterPercent: 0 } });
    expect(after.nextRefreshAt).not.toBe(before.nextRefreshAt);
    expect(after.expiresAt).toBe(before.expiresAt);
    expect(calls('labels')).toHaveLength(1);
  });

  test('of the name of its Secret writes the new one and removes the old one', async () => {
    const status = await change('name', { secretName: 'renamed' });
    await eventually('the end of the old Secret', async () => (await app.scene.secret('name')) === undefined);
    const secret = await secretOf('renamed');
    expect(app.stage.aws.gateway.isOneSession(tripleOf(secret.text))).toBe(true);
    expect(status.secretRef).toEqual({
      name: 'renamed',
      uid: secret.metadata.uid,
      resourceVersion: secret.metadata.resourceVersion,
    });
    expect(calls('name')).toHaveLength(2);
  });

  test('of its form replaces the data as a whole, and the Secret where its type cannot stay', async () => {
    const map = await secretOf('type');
    await change('type', { secretType: 'File' });
    const file = await secretOf('type');
    expect({ uid: file.metadata.uid, keys: Object.keys(file.text) }).toEqual({
      uid: map.metadata.uid,
      keys: ['credentials'],
    });
    await app.scene.ns.kubectl('label', 'secret', 'type', 'foreign=kept');
    const status = await change('type', { secretType: 'EcrDockerConfigJson', ecrRepositoryUrl: REGISTRY });
    const ecr = await secretOf('type');
    expect({ type: ecr.type, keys: Object.keys(ecr.text), foreign: ecr.metadata.labels?.['foreign'] }).toEqual({
      type: 'kubernetes.io/dockerconfigjson',
      keys: ['.dockerconfigjson'],
      foreign: 'kept',
    });
    expect(ecr.metadata.uid).not.toBe(file.metadata.uid);
    expect(status.secretRef?.uid).toBe(ecr.metadata.uid);
    expect(calls('type')).toHaveLength(3);
  });

  test('comes through where somebody made the Secret immutable', async () => {
    await patch(app.scene, 'secret/immutable', { immutable: true });
    const frozen = await secretOf('immutable');
    const status = await change('immutable', { durationSeconds: 1800 });
    const fresh = await secretOf('immutable');
    expect({ immutable: fresh.immutable, key: fresh.text['awsAccessKeyId'] }).toEqual({
      immutable: undefined,
      key: status.accessKeyId,
    });
    expect(fresh.metadata.uid).not.toBe(frozen.metadata.uid);
    expect(calls('immutable')).toHaveLength(2);
  });
});
