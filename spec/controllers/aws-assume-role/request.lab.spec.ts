import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parseTime } from '../../../lib/clock.ts';
import { trustPrincipals } from '../../lab/aws/index.ts';
import { eventually } from '../../support/eventually.ts';
import { assumptions, requestRefresh, writes } from './observe.ts';
import { openTimeApp, passUntil, type TimeApp } from './probes.ts';

describe('the annotation rolevend.dev/refresh-requested-at', () => {
  let app: TimeApp;

  beforeAll(async () => {
    app = await openTimeApp();
  });

  afterAll(async () => {
    await app?.close();
  });

  const handled = (name: string, value: string) =>
    eventually(`${value} is handled`, async (saw) => {
      return saw(await app.scene.status(name)).lastHandledRefreshRequest === value;
    });

  test('brings one new session, into the same Secret', async () => {
    const { scene, stage } = app;
    await scene.apply('app', {});
    const before = await scene.ready('app');
    await requestRefresh(scene, 'app', 'please');
    await handled('app', 'please');
    const after = await scene.status('app');
    const secret = await scene.secret('app');
    expect(assumptions(stage, scene, 'app')).toHaveLength(2);
    expect(secret?.text['awsAccessKeyId']).toBe(after.accessKeyId);
    expect(after.accessKeyId).not.toBe(before.status?.accessKeyId);
    expect(after.secretRef).toEqual({
      name: 'app',
      uid: before.status?.secretRef?.uid,
      resourceVersion: secret?.metadata.resourceVersion,
    });
    expect((await writes(stage, scene)).slice(-2)).toEqual(['update secrets app', 'patch awsassumeroles/status app']);
  });

  test('holds for one refresh only, also over a restart', async () => {
    const { scene, stage } = app;
    await scene.restart();
    await scene.apply('later', {});
    await scene.ready('later');
    expect(assumptions(stage, scene, 'app')).toHaveLength(2);
  });

  test('is followed at most once in 30 seconds', async () => {
    const { scene, stage } = app;
    await requestRefresh(scene, 'later', 'first');
    await handled('later', 'first');
    await requestRefresh(scene, 'later', 'second');
    await requestRefresh(scene, 'later', 'third');
    await passUntil(app, 'third is handled', async (saw) => {
      return saw(await scene.status('later')).lastHandledRefreshRequest === 'third';
    });
    const [, first, second, ...others] = assumptions(stage, scene, 'later').map(({ at }) => at);
    expect(others).toEqual([]);
    // Times of the operator are whole seconds.
    expect((second ?? 0) - (first ?? 0)).toBeGreaterThanOrEqual(29_000);
  });

  test('that is taken back after it failed for good leaves no trace of the failure', async () => {
    const { scene, stage } = app;
    await stage.aws.createRole('withdrawn', { trust: trustPrincipals(stage.keys.arn) });
    await scene.apply('withdrawn', { roleName: 'withdrawn' });
    await scene.ready('withdrawn');
    stage.aws.gateway.fail({ action: 'AssumeRole', role: 'withdrawn', with: 'MalformedPolicyDocument', times: 1 });
    await requestRefresh(scene, 'withdrawn', 'please');
    await scene.condition('withdrawn', 'Stalled', 'True', 'MalformedPolicyDocument');
    await scene.ns.kubectl('annotate', 'aar', 'withdrawn', 'rolevend.dev/refresh-requested-at-');
    const { status } = await scene.condition('withdrawn', 'Refreshed', 'True', 'Issued');
    expect(status?.conditions?.map(({ type, status: value }) => [type, value])).toEqual([
      ['Ready', 'True'],
      ['Refreshed', 'True'],
      ['Granted', 'True'],
    ]);
  });

  test('beats the back-off of a permanent failure', async () => {
    const { scene, stage } = app;
    const { gateway } = stage.aws;
    await stage.aws.createRole('stuck', { trust: trustPrincipals(stage.keys.arn) });
    gateway.fail({ action: 'AssumeRole', role: 'stuck', with: 'MalformedPolicyDocument', times: 2 });
    await scene.apply('stuck', { roleName: 'stuck' });
    const { status } = await scene.condition('stuck', 'Stalled', 'True', 'MalformedPolicyDocument');
    await requestRefresh(scene, 'stuck', 'in vain');
    await passUntil(app, 'the second try', (saw) => saw(assumptions(stage, scene, 'stuck')).length === 2);
    expect((await scene.status('stuck')).lastHandledRefreshRequest).toBeUndefined();
    await requestRefresh(scene, 'stuck', 'again');
    await passUntil(app, 'the third try', (saw) => saw(assumptions(stage, scene, 'stuck')).length === 3);
    await scene.ready('stuck');
    const after = await scene.status('stuck');
    expect(assumptions(stage, scene, 'stuck')).toHaveLength(3);
    expect(after.lastHandledRefreshRequest).toBe('again');
    expect((parseTime(after.issuedAt) ?? 0) - (parseTime(status?.lastAttemptAt) ?? 0)).toBeLessThan(300_000);
  });
});
