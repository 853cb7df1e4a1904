import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type ControlPlane, startControlPlane } from '../../lab/index.ts';
import { eventually } from '../../support/eventually.ts';
import { type App, assumptions, openApp } from './observe.ts';
import { openStage, tripleOf } from './support.ts';

/** A Secret as a backup holds it: its owner had another UID. */
function fromBackup(name: string, owner = name): object {
  const uid = randomUUID();
  const text = { awsAccessKeyId: 'ASIAOLD', awsSecretAccessKey: 'old', awsSessionToken: 'old' };
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'Opaque',
    metadata: {
      name,
      labels: { 'aws-assume-role': 'true', 'rolevend.dev/managed': 'true', team: 'a' },
      annotations: {
        'rolevend.dev/owner': owner,
        'rolevend.dev/owner-uid': uid,
        'rolevend.dev/issued-at': '2026-01-01T00:00:00Z',
        'rolevend.dev/expires-at': '2026-01-01T01:00:00Z',
      },
      ownerReferences: [{ apiVersion: 'pincette.net/v1', kind: 'AWSAssumeRole', name: owner, uid, controller: true }],
    },
    stringData: text,
  };
}

/** One Secret with one good session, owned by the living object. */
function settled({ scene, stage }: App, name: string) {
  return eventually(`the Secret of ${name} is its own`, async () => {
    const object = await scene.get(name);
    const secret = await scene.secret(name);
    const owners = (secret?.metadata.ownerReferences ?? []).map(({ uid }) => uid);
    const isOwn = owners.length === 1 && owners[0] === object?.metadata.uid;
    const isKnown = object?.status?.secretRef?.resourceVersion === secret?.metadata.resourceVersion;
    return isOwn && isKnown && stage.aws.gateway.isOneSession(tripleOf(secret?.text ?? {})) ? secret : undefined;
  });
}

describe('a Secret that came back from a backup', () => {
  let app: App;

  beforeAll(async () => {
    app = await openApp();
  });

  afterAll(async () => {
    await app?.close();
  });

  test('before its object ends as one Secret of the living object, after two sessions at most', async () => {
    await app.scene.ns.apply(fromBackup('early'));
    await app.scene.apply('early', {});
    await settled(app, 'early');
    expect(assumptions(app.stage, app.scene, 'early').length).toBeLessThanOrEqual(2);
  });

  test('together with its object, while no operator runs, ends so too', async () => {
    await app.scene.operator.stop();
    await app.scene.apply('both', {});
    await app.scene.ns.apply(fromBackup('both'));
    await app.scene.restart();
    await settled(app, 'both');
    expect(assumptions(app.stage, app.scene, 'both').length).toBeLessThanOrEqual(2);
  });

  test('in the place of a newer one ends so too', async () => {
    await app.scene.apply('replaced', {});
    await app.scene.ready('replaced');
    await app.scene.operator.stop();
    await app.scene.ns.kubectl('delete', 'secret', 'replaced');
    await app.scene.ns.apply(fromBackup('replaced'));
    await app.scene.restart();
    await settled(app, 'replaced');
    expect(assumptions(app.stage, app.scene, 'replaced').length - 1).toBeLessThanOrEqual(2);
  });
});

describe('a Secret that came back from a backup, where no garbage collector removes it,', () => {
  let plane: ControlPlane | undefined;
  let app: App;

  beforeAll(async () => {
    plane = await startControlPlane({ name: 'no-collector', controllerManager: false });
    app = await openApp({}, openStage({}, plane));
  });

  afterAll(async () => {
    await app?.close();
    await plane?.stop();
  });

  test('is taken over and filled with a new session', async () => {
    const { scene, stage } = app;
    await scene.ns.apply(fromBackup('app'));
    const before = await scene.secret('app');
    await scene.apply('app', {});
    const after = await settled(app, 'app');
    expect(after.metadata).toMatchObject({ uid: before?.metadata.uid, labels: { team: 'a' } });
    expect(after.metadata.annotations?.['rolevend.dev/owner-uid']).toBe((await scene.get('app'))?.metadata.uid);
    expect(assumptions(stage, scene, 'app')).toHaveLength(1);
  });

  test('is taken over also when STS fails at first, and is not taken for a good one meanwhile', async () => {
    const { scene, stage } = app;
    stage.aws.gateway.fail({ action: 'AssumeRole', with: 'ServiceUnavailable', times: 1 });
    await scene.ns.apply(fromBackup('late'));
    await scene.apply('late', {});
    const { status } = await scene.condition('late', 'Ready', 'False');
    expect(status?.secretRef).toBeUndefined();
    await settled(app, 'late');
    expect(assumptions(stage, scene, 'late')).toHaveLength(2);
  });

  test('is refused to an object of another name', async () => {
    const { scene, stage } = app;
    await scene.ns.apply(fromBackup('named', 'somebody-else'));
    const before = await scene.secret('named');
    await scene.apply('named', {});
    await scene.condition('named', 'Stalled', 'True', 'AdoptionRefused');
    expect(await scene.secret('named')).toEqual(before);
    expect(assumptions(stage, scene, 'named')).toEqual([]);
  });
});
