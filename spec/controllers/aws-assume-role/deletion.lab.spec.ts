import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { eventually, HANG_LIMIT_MS } from '../../support/eventually.ts';
import { type App, assumptions, openApp, patch } from './observe.ts';
import { tripleOf } from './support.ts';

describe('the deletion of an AWSAssumeRole', () => {
  let app: App;

  beforeAll(async () => {
    app = await openApp();
  });

  afterAll(async () => {
    await app?.close();
  });

  const remove = (name: string) => app.scene.ns.kubectl('delete', 'aar', name);
  const gone = (name: string) =>
    eventually(`Secret ${name} is gone`, async () => (await app.scene.secret(name)) === undefined);
  const owners = async (name: string) => {
    const { ownerReferences = [] } = (await app.scene.secret(name))?.metadata ?? {};
    return ownerReferences.map(({ name: owner }) => owner);
  };
  /** The garbage collector works in order, so it has seen all earlier deletions when this Secret is gone. */
  const collectorHasSeenAll = async () => {
    await app.scene.apply('sentinel', {});
    await app.scene.ready('sentinel');
    await remove('sentinel');
    await gone('sentinel');
  };

  test('takes the Secret with it', async () => {
    const { scene } = app;
    await scene.apply('deleted', {});
    await scene.ready('deleted');
    expect(await owners('deleted')).toEqual(['deleted']);
    await remove('deleted');
    await gone('deleted');
  });

  test('leaves the Secret with its credential under deletionPolicy Retain', async () => {
    const { scene, stage } = app;
    await scene.apply('retained', { deletionPolicy: 'Retain' });
    const { metadata } = await scene.ready('retained');
    const before = await scene.secret('retained');
    expect(await owners('retained')).toEqual([]);
    expect(before?.metadata.annotations).toMatchObject({
      'rolevend.dev/owner': 'retained',
      'rolevend.dev/owner-uid': metadata.uid,
    });
    await remove('retained');
    await collectorHasSeenAll();
    expect(await scene.secret('retained')).toEqual(before);
    expect(stage.aws.gateway.isOneSession(tripleOf(before?.text ?? {}))).toBe(true);
  });

  test('leaves a Secret that an object of the same name takes over, and no other object', async () => {
    const { scene, stage } = app;
    const before = await scene.secret('retained');
    await scene.apply('another', { secretName: 'retained' });
    await scene.condition('another', 'Stalled', 'True', 'AdoptionRefused');
    expect(await scene.secret('retained')).toEqual(before);
    await remove('another');
    await scene.apply('retained', {});
    const { metadata, status } = await scene.ready('retained');
    const after = await scene.secret('retained');
    expect(after?.metadata).toMatchObject({
      uid: before?.metadata.uid,
      ownerReferences: [{ name: 'retained', uid: metadata.uid }],
    });
    expect(after?.text['awsAccessKeyId']).toBe(status?.accessKeyId);
    expect(assumptions(stage, scene, 'another')).toEqual([]);
    expect(assumptions(stage, scene, 'retained')).toHaveLength(2);
  });

  test('does as the policy says that was set last, and a change of it costs no session', async () => {
    const { scene, stage } = app;
    await scene.apply('switched', {});
    await scene.ready('switched');
    await patch(scene, 'aar/switched', { spec: { deletionPolicy: 'Retain' } });
    await eventually('no owner', async () => (await owners('switched')).length === 0);
    await patch(scene, 'aar/switched', { spec: { deletionPolicy: 'Delete' } });
    await eventually('an owner', async () => (await owners('switched')).length === 1);
    await patch(scene, 'aar/switched', { spec: { deletionPolicy: 'Retain' } });
    await scene.ready('switched');
    expect(await owners('switched')).toEqual([]);
    expect(assumptions(stage, scene, 'switched')).toHaveLength(1);
    await remove('switched');
    await collectorHasSeenAll();
    expect(await scene.secret('switched')).toBeDefined();
  });

  test('of a whole namespace goes through while sessions are being issued', async () => {
    const { scene } = app;
    app.stage.aws.gateway.sessionSeconds(4);
    for (const name of ['one', 'two', 'three']) await scene.apply(name, {});
    await scene.ready('three');
    const { code } = await scene.ns.kubectl('delete', 'namespace', scene.ns.name, `--timeout=${HANG_LIMIT_MS / 1000}s`);
    expect(code).toBe(0);
  });
});
