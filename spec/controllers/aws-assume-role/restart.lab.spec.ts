import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { eventually } from '../../support/eventually.ts';
import { type App, assumptions, openApp, writes } from './observe.ts';

const types = ['Map', 'File', 'EcrDockerConfigJson'] as const;
const REGISTRY = '111122223333.dkr.ecr.eu-central-1.amazonaws.com';

describe('an operator that starts anew', () => {
  let app: App;

  beforeAll(async () => {
    app = await openApp();
    for (const [index, secretType] of types.entries()) {
      await app.scene.apply(`app-${index}`, { secretType, ecrRepositoryUrl: REGISTRY });
      await app.scene.apply(`kept-${index}`, { secretType, ecrRepositoryUrl: REGISTRY, deletionPolicy: 'Retain' });
    }
    for (const index of types.keys()) {
      await app.scene.ready(`app-${index}`);
      await app.scene.ready(`kept-${index}`);
    }
  });

  afterAll(async () => {
    await app?.close();
  });

  test('issues and writes nothing for objects that are served', async () => {
    const before = await writes(app.stage, app.scene);
    app.stage.aws.gateway.forgetCalls();
    await app.scene.restart();
    // A new object is served after all others were looked at.
    await app.scene.apply('later', {});
    await app.scene.ready('later');
    await eventually('all passes', async () => {
      const samples = await app.scene.operator.metrics.getMetricsAsJSON();
      const passes = samples.find(({ name }) => name === 'controller_runtime_reconcile_total')?.values ?? [];
      return passes.reduce((sum, { value }) => sum + Number(value), 0) > 2 * types.length;
    });
    const { gateway } = app.stage.aws;
    expect(gateway.count('AssumeRole')).toBe(assumptions(app.stage, app.scene, 'later').length);
    expect(gateway.count('GetAuthorizationToken')).toBe(0);
    expect((await writes(app.stage, app.scene)).slice(before.length)).toEqual([
      'create secrets later',
      'patch awsassumeroles/status later',
    ]);
  });

  test('makes up for what happened while it was away', async () => {
    await app.scene.operator.stop();
    await app.scene.ns.kubectl('delete', 'secret', 'app-0');
    await app.scene.apply('app-1', { secretType: 'File', durationSeconds: 1800 });
    await app.scene.apply('new', {});
    await app.scene.ns.kubectl('delete', 'aar', 'later');
    app.stage.aws.gateway.forgetCalls();
    await app.scene.restart();
    const { gateway } = app.stage.aws;
    await eventually('what is missing', () => gateway.count('AssumeRole') === 3);
    for (const name of ['app-0', 'app-1', 'new']) await app.scene.ready(name);
    expect((await app.scene.secret('app-0'))?.text['awsAccessKeyId']).toBe(
      (await app.scene.status('app-0')).accessKeyId,
    );
    expect((await app.scene.status('app-1')).effectiveDurationSeconds).toBe(1800);
    expect(gateway.count('AssumeRole')).toBe(3);
  });
});
