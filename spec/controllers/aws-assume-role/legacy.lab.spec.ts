import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { findCondition } from '../../../lib/api/conditions.ts';
import { systemClock } from '../../../lib/clock.ts';
import { digest } from '../../../lib/secrets/render.ts';
import { eventually } from '../../support/eventually.ts';
import { type App, assumptions, eventShown, eventsOf, openApp, patch, writes } from './observe.ts';
import { ago, leaveBehind, OLDER_DURATION_SECONDS, olderData } from './older-operator.ts';
import { tripleOf } from './support.ts';

/** The field manager of one of the older operators. */
const LEGACY = 'awsassumerole.pincette.net';

describe('what an older operator left', () => {
  let app: App;

  beforeAll(async () => {
    app = await openApp();
  });

  afterAll(async () => {
    await app?.close();
  });

  test.each(['labelled', 'plain'] as const)('is taken over without a session: %s', async (style) => {
    const { scene, stage } = app;
    await scene.operator.stop();
    const issued = ago(60);
    await leaveBehind(scene, style, style, 60);
    const before = await scene.secret(style);
    await scene.restart();
    const { metadata, status } = await scene.ready(style);
    const after = await scene.secret(style);
    expect({ type: after?.type, text: after?.text }).toEqual({ type: 'Opaque', text: olderData });
    expect(after?.metadata).toEqual({
      ...before?.metadata,
      resourceVersion: expect.any(String),
      labels: { 'aws-assume-role': 'true', 'rolevend.dev/managed': 'true' },
      annotations: {
        ...before?.metadata.annotations,
        'rolevend.dev/owner': style,
        'rolevend.dev/owner-uid': metadata.uid,
        'rolevend.dev/issued-at': status?.issuedAt,
        'rolevend.dev/expires-at': status?.expiresAt,
        'rolevend.dev/input-hash': expect.stringMatching(/^v1:[0-9a-f]{64}$/),
        'rolevend.dev/data-sha256': digest(olderData),
        'rolevend.dev/session': expect.stringMatching(/^\{"specSha256":"[0-9a-f]{64}","assumed":true\}$/),
      },
      ownerReferences: [
        { apiVersion: 'pincette.net/v1', kind: 'AWSAssumeRole', name: style, uid: metadata.uid, controller: true },
      ],
    });
    // A second may have begun between the two readings of the clock.
    expect(Date.parse(status?.issuedAt ?? '') - Date.parse(issued)).toBeLessThanOrEqual(1000);
    expect(Date.parse(status?.expiresAt ?? '') - Date.parse(status?.issuedAt ?? '')).toBe(
      OLDER_DURATION_SECONDS * 1000,
    );
    expect(assumptions(stage, scene, style)).toEqual([]);
    expect((await writes(stage, scene)).filter((line) => line.endsWith(` ${style}`))).toEqual([
      `update secrets ${style}`,
      `patch awsassumeroles/status ${style}`,
    ]);
  });

  test('has one entry of each condition from then on', async () => {
    const { status } = await app.scene.ready('labelled');
    const [ready, ...others] = status?.conditions ?? [];
    expect(ready).toEqual({
      type: 'Ready',
      status: 'True',
      reason: 'Issued',
      message: expect.any(String),
      // The last change to Ready is still that of the older operator.
      lastTransitionTime: status?.issuedAt,
      observedGeneration: 1,
    });
    expect(others.map(({ type, status: state }) => `${type} ${state}`)).toEqual(['Refreshed True', 'Granted True']);
    expect({ ...status, conditions: [] }).toEqual({
      observedGeneration: 1,
      health: { status: 'Healthy' },
      phase: 'Ready',
      roleArn: app.stage.aws.roleArn('app'),
      issuedAt: status?.issuedAt,
      expiresAt: status?.expiresAt,
      nextRefreshAt: expect.any(String),
      effectiveDurationSeconds: OLDER_DURATION_SECONDS,
      consecutiveFailures: 0,
      secretRef: expect.objectContaining({ name: 'labelled' }),
      conditions: [],
    });
  });

  test('is not taken over a second time after a restart', async () => {
    const { scene, stage } = app;
    const before = await writes(stage, scene);
    await scene.restart();
    await scene.apply('later', {});
    await scene.ready('later');
    expect((await writes(stage, scene)).slice(before.length)).toEqual([
      'create secrets later',
      'patch awsassumeroles/status later',
    ]);
    expect(stage.aws.gateway.count('AssumeRole')).toBe(1);
  });

  test('is taken over without a session also by an object that was suspended meanwhile', async () => {
    const { scene, stage } = app;
    await scene.operator.stop();
    await leaveBehind(scene, 'paused', 'labelled', 60);
    await patch(scene, 'aar/paused', { spec: { suspend: true } });
    const before = await scene.secret('paused');
    await scene.restart();
    const { status } = await scene.condition('paused', 'Suspended', 'True');
    expect({ ready: findCondition(status?.conditions, 'Ready')?.status, secretRef: status?.secretRef }).toEqual({
      ready: 'True',
      secretRef: undefined,
    });
    expect(await scene.secret('paused')).toEqual(before);
    await patch(scene, 'aar/paused', { spec: { suspend: false } });
    await eventually('the take-over', async () => (await scene.status('paused')).secretRef);
    expect((await scene.secret('paused'))?.text).toEqual(olderData);
    expect(assumptions(stage, scene, 'paused')).toEqual([]);
  });

  test.each([
    ['is due', 'due', 700],
    ['has ended', 'ended', 1000],
  ])('is issued anew where its session %s', async (_what, name, issuedSecondsAgo) => {
    const { scene, stage } = app;
    await scene.operator.stop();
    await leaveBehind(scene, name, 'labelled', issuedSecondsAgo);
    const before = await scene.secret(name);
    await scene.restart();
    const secret = await eventually('a session of ours', async () => {
      const found = await scene.secret(name);
      return stage.aws.gateway.isOneSession(tripleOf(found?.text ?? {})) ? found : undefined;
    });
    expect(secret.metadata.uid).toBe(before?.metadata.uid);
    expect(assumptions(stage, scene, name)).toHaveLength(1);
  });

  test('is named in an Event when it still writes', async () => {
    const { scene } = app;
    const { ns } = scene;
    expect(await eventsOf(scene, 'labelled')).not.toContain('Warning LegacyOperatorActive');
    const second = Math.floor(systemClock.now() / 1000);
    // Field managers' times are whole seconds: a write of the same second tells no order.
    await eventually('the next second', () => Math.floor(systemClock.now() / 1000) > second);
    const change = JSON.stringify({ data: { awsSessionToken: 'bGF0ZXI=' } });
    await ns.kubectl('patch', 'secret', 'labelled', `--field-manager=${LEGACY}`, '--type', 'merge', '--patch', change);
    await eventShown(scene, 'labelled', 'Warning LegacyOperatorActive');
    await eventually('a session of ours', async () => {
      const secret = await scene.secret('labelled');
      return app.stage.aws.gateway.isOneSession(tripleOf(secret?.text ?? {}));
    });
  });
});
