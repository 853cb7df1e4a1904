import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { findCondition } from '../../../lib/api/conditions.ts';
import { systemClock } from '../../../lib/clock.ts';
import { eventually } from '../../support/eventually.ts';
import { assumptions, eventShown, patch, writes } from './observe.ts';
import { openTimeApp, passUntil, type TimeApp } from './probes.ts';
import { objectOf, tripleOf } from './support.ts';

describe('a Secret that another one owns', () => {
  let app: TimeApp;
  let openedAt: number;

  beforeAll(async () => {
    app = await openTimeApp();
    openedAt = systemClock.monotonic();
  });

  afterAll(async () => {
    await app?.close();
  });

  const foreign = (name: string, metadata: object = {}) =>
    app.scene.ns.apply({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, ...metadata },
      stringData: { mine: 'kept' },
    });
  const isGood = async (name: string) => {
    const secret = await app.scene.secret(name);
    return app.stage.aws.gateway.isOneSession(tripleOf(secret?.text ?? {}));
  };
  const refused = async (name: string, reason: string) => {
    const { status } = await app.scene.condition(name, 'Stalled', 'True', reason);
    return {
      ready: findCondition(status?.conditions, 'Ready')?.reason,
      health: status?.health?.status,
      message: findCondition(status?.conditions, 'Ready')?.message,
      secretRef: status?.secretRef,
    };
  };

  test.each([
    ['plain', 'made by a user', {}],
    ['labelled', 'with our labels', { labels: { 'aws-assume-role': 'true', 'rolevend.dev/managed': 'true' } }],
    [
      'orphan',
      'of another object that is gone',
      {
        labels: { 'rolevend.dev/managed': 'true' },
        annotations: { 'rolevend.dev/owner': 'gone', 'rolevend.dev/owner-uid': 'gone' },
      },
    ],
  ])('is left alone: %s, %s', async (name, _what, metadata) => {
    const { scene, stage } = app;
    await foreign(name, metadata);
    const before = await scene.secret(name);
    await scene.apply(name, {});
    expect(await refused(name, 'AdoptionRefused')).toEqual({
      ready: 'AdoptionRefused',
      health: 'Unhealthy',
      message: expect.stringMatching(
        `^Secret "${name}" exists and was not made for this object; delete or rename it, or choose another spec.secretName`,
      ),
      secretRef: undefined,
    });
    await eventShown(scene, name, 'Warning AdoptionRefused');
    expect(await scene.secret(name)).toEqual(before);
    // One without our label is in no cache, so that an object that is new may meet it when its own is to be written.
    expect(assumptions(stage, scene, name).length).toBeLessThanOrEqual(name === 'plain' ? 1 : 0);
  });

  test('is met by a new object for one session, and no more however often it looks again', async () => {
    const { scene, stage } = app;
    await eventually(
      'a second that is not the one in which the operator started',
      () => systemClock.monotonic() - openedAt > 2_000,
    );
    await foreign('met');
    await scene.apply('met', {});
    await refused('met', 'AdoptionRefused');
    await scene.ns.kubectl('annotate', 'aar/met', 'example.org/look=again');
    await eventShown(scene, 'met', 'Warning AdoptionRefused');
    expect(assumptions(stage, scene, 'met').map(({ code }) => code)).toEqual([undefined]);
  });

  test('is told of, also where STS refuses for good', async () => {
    const { scene, stage } = app;
    await foreign('refused');
    stage.aws.gateway.fail({ action: 'AssumeRole', with: 'MalformedPolicyDocument', times: 1 });
    await scene.apply('refused', {});
    expect(await refused('refused', 'AdoptionRefused')).toMatchObject({ ready: 'AdoptionRefused' });
    expect(assumptions(stage, scene, 'refused').map(({ code }) => code)).toEqual(['MalformedPolicyDocument']);
    stage.aws.gateway.clear();
  });

  test('is made for the object as soon as the other one is gone', async () => {
    await app.scene.ns.kubectl('delete', 'secret', 'plain');
    // One without our label is in no cache, so it is looked for from time to time.
    await passUntil(app, 'a Secret of its own', () => isGood('plain'));
    const { status } = await app.scene.ready('plain');
    expect(await isGood('plain')).toBe(true);
    expect(findCondition(status?.conditions, 'Stalled')).toBeUndefined();
    expect(assumptions(app.stage, app.scene, 'plain').length).toBeLessThanOrEqual(2);
  });

  test('is left alone also where a status names it as written, in its very version', async () => {
    const { scene } = app;
    await foreign('forged', { labels: { 'rolevend.dev/managed': 'true' } });
    const before = await scene.secret('forged');
    await scene.apply('forged', {});
    await refused('forged', 'AdoptionRefused');
    const { uid, resourceVersion } = before?.metadata ?? {};
    const status = { conditions: null, secretRef: { name: 'forged', uid, resourceVersion } };
    const change = ['--type', 'merge', '--patch', JSON.stringify({ status })];
    const { code } = await scene.ns.kubectl('patch', 'aar', 'forged', '--subresource=status', ...change);
    expect(code).toBe(0);
    await eventually('the true status', async () => {
      const { conditions, secretRef } = await scene.status('forged');
      return findCondition(conditions, 'Stalled') !== undefined && secretRef === undefined;
    });
    expect(await scene.secret('forged')).toEqual(before);
  });

  test('is left where it is when the object takes another name', async () => {
    const { scene } = app;
    await patch(scene, 'aar/labelled', { spec: { secretName: 'own' } });
    await scene.ready('labelled');
    expect((await scene.secret('labelled'))?.text).toEqual({ mine: 'kept' });
  });

  test('stays with its owner, however many objects name it, and goes to the next when that is gone', async () => {
    const { scene, stage } = app;
    await scene.apply('elder', { secretName: 'shared' });
    await scene.ready('elder');
    await scene.apply('younger', { secretName: 'shared' });
    expect(await refused('younger', 'ConflictingSecret')).toEqual({
      ready: 'ConflictingSecret',
      health: 'Unhealthy',
      message: 'AWSAssumeRole "elder" owns Secret "shared"; choose another spec.secretName for one of the two',
      secretRef: undefined,
    });
    await eventShown(scene, 'younger', 'Warning ConflictingSecret');
    expect((await writes(stage, scene)).filter((line) => line.includes('secrets shared'))).toHaveLength(1);
    await scene.ns.kubectl('delete', 'aar', 'elder');
    const { metadata } = await scene.ready('younger');
    await eventually('the Secret of the younger', async () => {
      const [owner] = (await scene.secret('shared'))?.metadata.ownerReferences ?? [];
      return owner?.uid === metadata.uid && (await isGood('shared'));
    });
    expect(assumptions(stage, scene, 'younger').length).toBeLessThanOrEqual(2);
  });

  test('is made for the older object where several wait for a new one', async () => {
    const { scene, stage } = app;
    await scene.operator.stop();
    const names = ['first', 'second', 'third'];
    await scene.ns.apply(...names.map((name) => objectOf(name, { secretName: 'wanted' })));
    await scene.restart();
    const objects = await Promise.all(names.map(async (name) => await scene.get(name)));
    const age = (object: (typeof objects)[0]) => `${object?.metadata.creationTimestamp} ${object?.metadata.uid}`;
    const [oldest = '', ...others] = objects
      .sort((a, b) => (age(a) < age(b) ? -1 : 1))
      .map((o) => o?.metadata.name ?? '');
    await scene.ready(oldest);
    for (const name of others) await refused(name, 'ConflictingSecret');
    expect(names.map((name) => assumptions(stage, scene, name).length).sort()).toEqual([0, 0, 1]);
    const [heir = '', last = ''] = others;
    await patch(scene, `aar/${oldest}`, { spec: { secretName: 'elsewhere' } });
    await scene.ready(oldest);
    await scene.ready(heir);
    await refused(last, 'ConflictingSecret');
  });

  test('belongs to the new object when one is deleted and made again', async () => {
    const { scene, stage } = app;
    await scene.apply('again', {});
    const { metadata: old } = await scene.ready('again');
    await scene.ns.kubectl('delete', 'aar', 'again');
    await scene.apply('again', {});
    const { metadata } = await scene.ready('again');
    expect(metadata.uid).not.toBe(old.uid);
    await eventually('one Secret of the living object', async () => {
      const { secretRef } = await scene.status('again');
      const secret = await scene.secret('again');
      const [owner, ...others] = secret?.metadata.ownerReferences ?? [];
      const isSettled = secretRef?.uid === secret?.metadata.uid;
      return isSettled && owner?.uid === metadata.uid && others.length === 0 && (await isGood('again'));
    });
    const extra = assumptions(stage, scene, 'again').length - 1;
    expect(extra).toBeGreaterThanOrEqual(1);
    expect(extra).toBeLessThanOrEqual(2);
  });
});
