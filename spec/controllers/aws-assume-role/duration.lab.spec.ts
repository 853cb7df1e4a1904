import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { trustPrincipals } from '../../lab/index.ts';
import { eventually } from '../../support/eventually.ts';
import { requestRefresh } from './observe.ts';
import { idle, messageOf, openTimeScene, openTimeStage, roleSession, settled, type TimeStage } from './probes.ts';
import type { Scene } from './support.ts';

const issued = { Ready: 'True/Issued', Refreshed: 'True/Issued', Granted: 'True/Granted' };

describe('a session', () => {
  let stage: TimeStage;
  let scene: Scene | undefined;

  beforeAll(async () => {
    stage = await openTimeStage();
    const { aws, keys } = stage;
    const operator = await aws.createRole('operator', {
      trust: trustPrincipals(keys.arn),
      policies: ['sts:AssumeRole', 'sts:TagSession'],
    });
    const trust = trustPrincipals([keys.arn, operator]);
    await aws.createRole('hour', { trust, maxSessionDuration: 3600 });
    await aws.createRole('half-day', { trust, maxSessionDuration: 43_200 });
  });

  afterEach(async () => {
    await scene?.close();
    scene = undefined;
    stage.aws.gateway.forgetCalls();
  });

  afterAll(() => stage?.stop());

  /** What was asked for, in seconds, and what STS said. */
  const asked = (role: string) =>
    stage.aws.gateway
      .calls({ action: 'AssumeRole', role })
      .map(({ parameters, code }) => `${parameters['DurationSeconds']} ${code ?? 'OK'}`);

  test('longer than the role allows is asked for once, and an hour from then on, also after a restart', async () => {
    scene = await openTimeScene(stage);
    const clamped = { ...issued, DurationClamped: 'True/RoleMaximum' };
    await scene.apply('app', { roleName: 'hour', durationSeconds: 7200 });
    const object = await settled(scene, 'app', clamped);
    const { issuedAt = '', expiresAt = '', effectiveDurationSeconds } = object.status ?? {};
    expect({
      asked: asked('hour'),
      effectiveDurationSeconds,
      life: Date.parse(expiresAt) - Date.parse(issuedAt),
    }).toEqual({
      asked: ['7200 ValidationError', '3600 OK'],
      effectiveDurationSeconds: 3600,
      life: 3_600_000,
    });
    expect(messageOf(object, 'DurationClamped')).toContain('aws iam update-role --max-session-duration');
    stage.aws.gateway.forgetCalls();
    await scene.restart();
    await idle(scene);
    expect(asked('hour')).toEqual([]);
    await requestRefresh(scene, 'app', 'after the restart');
    await handled('app', 'after the restart');
    expect(asked('hour')).toEqual(['3600 OK']);
    await settled(scene, 'app', clamped);
  });

  async function handled(name: string, value: string): Promise<void> {
    const at = scene;
    await eventually(`request "${value}" to be handled`, async () => {
      return (await at?.status(name))?.lastHandledRefreshRequest === value;
    });
  }

  test('is asked for in full again when the spec changes, since the role may have changed too', async () => {
    scene = await openTimeScene(stage);
    await scene.apply('app', { roleName: 'hour', durationSeconds: 7200 });
    await settled(scene, 'app', { ...issued, DurationClamped: 'True/RoleMaximum' });
    await scene.apply('app', { roleName: 'hour', durationSeconds: 3600 });
    await settled(scene, 'app', issued);
    await scene.apply('app', { roleName: 'hour', durationSeconds: 10_800 });
    await settled(scene, 'app', { ...issued, DurationClamped: 'True/RoleMaximum' });
    expect(asked('hour')).toEqual(['7200 ValidationError', '3600 OK', '3600 OK', '10800 ValidationError', '3600 OK']);
  });

  test('of an operator that is a role session itself is asked for with an hour at most', async () => {
    scene = await openTimeScene(stage, { operator: { provider: () => roleSession(stage, 'operator') } });
    await scene.apply('app', { roleName: 'half-day', durationSeconds: 43_200 });
    const object = await settled(scene, 'app', { ...issued, DurationClamped: 'True/RoleChaining' });
    expect({ asked: asked('half-day'), effective: object.status?.effectiveDurationSeconds }).toEqual({
      asked: ['3600 OK'],
      effective: 3600,
    });
    expect(messageOf(object, 'DurationClamped')).toContain('auth.type: ServiceAccount (up to 12 h)');
  });

  test('of an operator that is a user lives as long as the role allows', async () => {
    scene = await openTimeScene(stage);
    await scene.apply('app', { roleName: 'half-day', durationSeconds: 43_200 });
    await settled(scene, 'app', issued);
    expect(asked('half-day')).toEqual(['43200 OK']);
  });
});
