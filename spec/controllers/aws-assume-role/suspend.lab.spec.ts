import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { findCondition } from '../../../lib/api/conditions.ts';
import { eventually } from '../../support/eventually.ts';
import { assumptions, eventShown, patch, requestRefresh } from './observe.ts';
import { idle, openTimeApp, type TimeApp } from './probes.ts';

const LIFE_SECONDS = 900;

describe('spec.suspend', () => {
  let app: TimeApp;

  beforeAll(async () => {
    app = await openTimeApp();
  });

  afterAll(async () => {
    await app?.close();
  });

  const suspend = (name: string, value: boolean) => patch(app.scene, `aar/${name}`, { spec: { suspend: value } });
  const told = async (name: string) => {
    const { conditions } = await app.scene.status(name);
    return conditions?.map(({ type, status, reason }) => `${type} ${status} ${reason}`);
  };

  test('stops every refresh; the object is ready until its credential ends, and then says so', async () => {
    const { scene, stage } = app;
    stage.aws.gateway.sessionSeconds(LIFE_SECONDS);
    await scene.apply('app', {});
    await scene.ready('app');
    await suspend('app', true);
    await scene.condition('app', 'Suspended', 'True');
    const issued = await scene.status('app');
    const calls = assumptions(stage, scene, 'app').length;
    expect(await told('app')).toEqual([
      'Ready True Issued',
      'Refreshed True Issued',
      'Granted True Granted',
      'Suspended True Suspended',
    ]);
    expect(issued.nextRefreshAt).toBeUndefined();
    await requestRefresh(scene, 'app', 'while suspended');
    stage.clock.skip((LIFE_SECONDS / 2) * 1_000);
    await idle(scene);
    expect((await told('app'))?.at(0)).toBe('Ready True Issued');
    stage.clock.skip((LIFE_SECONDS / 2) * 1_000);
    const { status } = await scene.condition('app', 'Ready', 'False', 'Expired');
    expect({ ...status, conditions: [] }).toEqual({
      ...issued,
      health: { status: 'Unhealthy' },
      phase: 'Pending',
      conditions: [],
    });
    expect(await told('app')).toEqual([
      'Ready False Expired',
      'Refreshed True Issued',
      'Granted True Granted',
      'Suspended True Suspended',
    ]);
    expect(assumptions(stage, scene, 'app')).toHaveLength(calls);
    expect((await scene.secret('app'))?.text['awsAccessKeyId']).toBe(status?.accessKeyId);
    await eventShown(scene, 'app', 'Warning Expired');
  });

  test('issues at once when it ends, and follows the request that was made meanwhile', async () => {
    const { scene, stage } = app;
    stage.aws.gateway.sessionSeconds(undefined);
    const before = assumptions(stage, scene, 'app').length;
    await suspend('app', false);
    const { status } = await scene.ready('app');
    expect(findCondition(status?.conditions, 'Suspended')).toBeUndefined();
    expect(status?.lastHandledRefreshRequest).toBe('while suspended');
    expect(assumptions(stage, scene, 'app')).toHaveLength(before + 1);
  });

  test('leaves the Secret alone, but for a change of deletionPolicy, which holds at a deletion', async () => {
    const { scene, stage } = app;
    await scene.apply('kept', {});
    await scene.ready('kept');
    const change = { suspend: true, deletionPolicy: 'Retain', metadata: { labels: { team: 'a' } } };
    await patch(scene, 'aar/kept', { spec: change });
    await scene.condition('kept', 'Suspended', 'True');
    const { metadata, text } = (await scene.secret('kept')) ?? {};
    expect({ owners: metadata?.ownerReferences, team: metadata?.labels?.['team'] }).toEqual({});
    expect(text?.['awsAccessKeyId']).toBe((await scene.status('kept')).accessKeyId);
    expect(assumptions(stage, scene, 'kept')).toHaveLength(1);
  });

  test('keeps a new object from its first credential until it ends', async () => {
    const { scene, stage } = app;
    await scene.apply('new', { suspend: true });
    await scene.condition('new', 'Suspended', 'True');
    expect(await told('new')).toEqual(['Ready Unknown Suspended', 'Granted True Granted', 'Suspended True Suspended']);
    expect(await scene.secret('new')).toBeUndefined();
    expect(assumptions(stage, scene, 'new')).toEqual([]);
    await suspend('new', false);
    await scene.ready('new');
    await eventually('the Secret', () => scene.secret('new'));
  });
});
