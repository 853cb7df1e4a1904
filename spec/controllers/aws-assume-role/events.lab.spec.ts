import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { trustPrincipals } from '../../lab/index.ts';
import { eventually } from '../../support/eventually.ts';
import { requestRefresh } from './observe.ts';
import { eventsAbout, idle, openTimeScene, openTimeStage, type TimeStage } from './probes.ts';
import type { Scene } from './support.ts';

const SECOND = 1000;

describe('Events', () => {
  let stage: TimeStage;
  let scene: Scene;

  beforeAll(async () => {
    stage = await openTimeStage();
    await stage.aws.createRole('app', { trust: trustPrincipals(stage.keys.arn), maxSessionDuration: 3600 });
    scene = await openTimeScene(stage);
  });

  afterAll(async () => {
    await scene?.close();
    await stage?.stop();
  });

  /** Type and reason of an object's Events with the number of times that they stand there. */
  async function counted(name: string): Promise<Record<string, number>> {
    const seen: Record<string, number> = {};
    for (const { type, reason } of await eventsAbout(scene, name)) {
      seen[`${type} ${reason}`] = (seen[`${type} ${reason}`] ?? 0) + 1;
    }
    return seen;
  }

  /** Waits for an Event of this reason about the object. */
  const told = (name: string, reason: string, times = 1) =>
    eventually(`${times} Events ${reason} about ${name}`, async () => {
      const found = (await eventsAbout(scene, name)).filter((event) => event.reason === reason);
      return found.length >= times && found.at(-1)?.message;
    });

  /** Asks for a refresh, after the 30 s that lie between two, and waits until it is done or has failed. */
  async function refresh(name: string, value: string): Promise<void> {
    stage.clock.skip(30 * SECOND);
    const before = stage.aws.gateway.count('AssumeRole');
    await requestRefresh(scene, name, value);
    await eventually('the call', () => stage.aws.gateway.count('AssumeRole') > before);
    await idle(scene);
  }

  async function edit(name: string): Promise<void> {
    const drifts = () => stage.aws.gateway.count('AssumeRole');
    const before = drifts();
    await scene.ns.kubectl('patch', 'secret', name, '--patch', '{"stringData":{"awsAccessKeyId":"edited"}}');
    await eventually('the repair', () => drifts() > before);
    await idle(scene);
  }

  test('tell what happens to an object, each reason once in five minutes', async () => {
    await scene.apply('app', { durationSeconds: 7200 });
    await scene.ready('app');
    expect(await told('app', 'Issued')).toMatch(
      /^issued a credential of arn:aws:sts::111122223333:assumed-role\/app\/\S+, valid for 1 hour, until 20\S+Z$/,
    );
    expect(await told('app', 'DurationClamped')).toContain('max-session-duration');
    await refresh('app', 'first');
    // While an Event is written, time must not pass.
    expect(await told('app', 'Refreshed')).toMatch(
      /^replaced the credential \(RefreshRequested\), valid for 1 hour, until /,
    );
    for (const value of ['second', 'third']) await refresh('app', value);
    await edit('app');
    await told('app', 'DriftRepaired');
    stage.clock.skip(10 * SECOND);
    await edit('app');
    expect(await counted('app')).toEqual({
      'Normal Issued': 1,
      'Normal DurationClamped': 1,
      'Normal Refreshed': 1,
      'Normal DriftRepaired': 1,
    });
    stage.clock.skip(300 * SECOND);
    await refresh('app', 'after five minutes');
    await told('app', 'Refreshed', 2);
    expect(await counted('app')).toMatchObject({ 'Normal Issued': 1, 'Normal Refreshed': 2 });
  });

  test('tell of failed refreshes, of throttling and of the end of a credential', async () => {
    await scene.apply('failing', { durationSeconds: 900 });
    await scene.ready('failing');
    await told('failing', 'Issued');
    stage.aws.gateway.fail({ action: 'AssumeRole', with: 'Throttling', times: 1 });
    stage.aws.gateway.fail({ action: 'AssumeRole', with: '5xx' });
    await refresh('failing', 'now');
    expect(await told('failing', 'Throttled')).toContain('AWS asks for fewer requests');
    for (let calls = 0; calls < 3; calls += 1) {
      stage.clock.skip(300 * SECOND);
      await idle(scene);
    }
    expect(await told('failing', 'RefreshFailed')).toContain('failed (InternalFailure, request id');
    expect(await told('failing', 'Expired')).toMatch(/^the credential ended at 20\S+Z and could not be replaced$/);
    const seen = await counted('failing');
    expect(seen).toMatchObject({ 'Normal Issued': 1, 'Warning Throttled': 1, 'Warning Expired': 1 });
    expect(seen['Warning RefreshFailed']).toBeLessThanOrEqual(3);
    stage.aws.gateway.clear();
  });

  test('tell of a Secret of somebody else and of a role that is not granted', async () => {
    await scene.ns.kubectl('create', 'secret', 'generic', 'foreign', '--from-literal=key=value');
    await scene.apply('foreign', {});
    expect(await told('foreign', 'AdoptionRefused')).toContain('was not made for this object; delete or rename it');
    await scene.apply('denied', { roleArn: 'arn:aws:iam::444455556666:role/app' });
    expect(await told('denied', 'GrantDenied')).toContain('kubectl get rolegrants');
    expect([await counted('foreign'), await counted('denied')]).toEqual([
      { 'Warning AdoptionRefused': 1 },
      { 'Warning GrantDenied': 1 },
    ]);
    expect((await scene.secret('foreign'))?.text).toEqual({ key: 'value' });
  });
});
