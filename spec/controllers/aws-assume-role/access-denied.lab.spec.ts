import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { trustPrincipals } from '../../lab/index.ts';
import { eventually } from '../../support/eventually.ts';
import { requestRefresh } from './observe.ts';
import { idle, messageOf, openTimeScene, openTimeStage, settled, type TimeStage } from './probes.ts';
import { type Scene, tripleOf } from './support.ts';

const granted = { Granted: 'True/Granted' };
const issued = { ...granted, Ready: 'True/Issued', Refreshed: 'True/Issued' };
const failing = { ...granted, Refreshed: 'False/AccessDenied' };
const retrying = { ...failing, Ready: 'False/AccessDenied', Reconciling: 'True/Retrying' };
const stalled = { ...failing, Ready: 'False/AccessDenied', Stalled: 'True/AccessDenied' };
const SECOND = 1000;

describe('a role that denies access', () => {
  let stage: TimeStage;
  let scene: Scene;

  beforeAll(async () => {
    stage = await openTimeStage();
    scene = await openTimeScene(stage);
  });

  afterAll(async () => {
    await scene?.close();
    await stage?.stop();
  });

  const trust = () => trustPrincipals(stage.keys.arn);
  const calls = (role: string) => stage.aws.gateway.calls({ action: 'AssumeRole', role });
  const called = async (role: string, times: number) => {
    await eventually(`call ${times} for ${role}`, () => calls(role).length >= times);
    await idle(scene);
  };
  /** So many seconds, where at least as many lie between a call and the one before, else how many do. A busy machine adds some. */
  const gaps = (role: string, wanted: number[]) => {
    const times = calls(role).map(({ at }) => at);
    return times.slice(1).map((at, index) => Math.min((at - (times[index] ?? 0)) / SECOND, wanted[index] ?? 0));
  };

  /** Passes the waits between the tries, each but its last second first, so that a try that comes early is seen. */
  async function exhaust(role: string, name: string): Promise<void> {
    const first = calls(role).length;
    for (const [index, seconds] of [5, 10, 20].entries()) {
      stage.clock.skip((seconds - 1) * SECOND);
      await scene.status(name);
      stage.clock.skip(SECOND);
      await called(role, first + index + 1);
    }
  }

  test('is asked again after 5, 10 and 20 s and then given up, with both policy statements to repair it', async () => {
    await scene.apply('missing', { roleName: 'team/missing' });
    const first = await settled(scene, 'missing', retrying);
    expect(messageOf(first, 'Reconciling')).toBe(messageOf(first, 'Ready'));
    await exhaust('missing', 'missing');
    const object = await settled(scene, 'missing', stalled);
    const roleArn = 'arn:aws:iam::111122223333:role/team/missing';
    const requestId = object.status?.lastRequestId ?? 'none';
    const identity = `{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"${roleArn}"}`;
    const principal = `{"AWS":"${stage.keys.arn}"}`;
    expect({
      gaps: gaps('missing', [5, 10, 20]),
      message: messageOf(object, 'Stalled'),
      secret: await scene.secret('missing'),
    }).toEqual({
      gaps: [5, 10, 20],
      message:
        `STS AssumeRole for ${roleArn} in eu-central-1 failed (AccessDenied, request id ${requestId}). ` +
        'The role may not exist, or one of two statements is missing; STS does not say which one lacks. ' +
        `Identity policy of ${stage.keys.arn}: ${identity} ` +
        `Trust policy of ${roleArn}: {"Effect":"Allow","Principal":${principal},"Action":"sts:AssumeRole"}`,
      secret: undefined,
    });
  });

  test.each([
    [
      { kind: 'service control policy', explicit: true },
      'An explicit deny in a service control policy of the organization of account 111122223333 refuses it',
      false,
    ],
    [{ kind: 'permissions boundary', explicit: false }, 'No permissions boundary of arn:aws:iam::111122223333:', false],
    [
      { kind: 'identity-based policy', explicit: false },
      'No identity-based policy of arn:aws:iam::111122223333:',
      true,
    ],
  ])('by a policy is told with its kind, and with statements where they help: %j', async (policy, says, helps) => {
    const name = policy.kind.replaceAll(' ', '-');
    await stage.aws.createRole(name, { trust: trust() });
    stage.aws.gateway.fail({ action: 'AssumeRole', role: name, with: 'AccessDenied', policy });
    await scene.apply(name, { roleName: name });
    const message = messageOf(await settled(scene, name, retrying), 'Ready');
    expect(message).toContain(says);
    expect(message.includes('Trust policy of')).toBe(helps);
  });

  test('that is repaired within these tries is used by itself', async () => {
    await stage.aws.createRole('late', { trust: trustPrincipals('arn:aws:iam::111122223333:user/admin') });
    await scene.apply('late', { roleName: 'late' });
    await settled(scene, 'late', retrying);
    await stage.aws.updateTrust('late', trust());
    stage.clock.skip(5 * SECOND);
    const { status } = await settled(scene, 'late', issued);
    expect({ calls: calls('late').length, failures: status?.consecutiveFailures, code: status?.lastErrorCode }).toEqual(
      {
        calls: 2,
        failures: 0,
        code: undefined,
      },
    );
  });

  test('for good is asked every 10 minutes, and what it was repaired with is found by itself', async () => {
    await scene.apply('slow', { roleName: 'slow' });
    await settled(scene, 'slow', retrying);
    await exhaust('slow', 'slow');
    await settled(scene, 'slow', stalled);
    stage.clock.skip(599 * SECOND);
    await scene.status('slow');
    stage.clock.skip(SECOND);
    await called('slow', 5);
    expect(gaps('slow', [5, 10, 20, 600])).toEqual([5, 10, 20, 600]);
    await settled(scene, 'slow', stalled);
    await stage.aws.createRole('slow', { trust: trust() });
    stage.clock.skip(600 * SECOND);
    await settled(scene, 'slow', issued);
  });

  test('is asked at once when a refresh is requested, and once per request', async () => {
    await scene.apply('asked', { roleName: 'asked' });
    await settled(scene, 'asked', retrying);
    await exhaust('asked', 'asked');
    await settled(scene, 'asked', stalled);
    await requestRefresh(scene, 'asked', 'first');
    await called('asked', 5);
    await settled(scene, 'asked', stalled);
    expect((await scene.status('asked')).lastHandledRefreshRequest).toBeUndefined();
    await stage.aws.createRole('asked', { trust: trust() });
    stage.clock.skip(30 * SECOND);
    await requestRefresh(scene, 'asked', 'second');
    const { status } = await settled(scene, 'asked', issued);
    expect({ calls: calls('asked').length, handled: status?.lastHandledRefreshRequest }).toEqual({
      calls: 6,
      handled: 'second',
    });
  });

  test('never takes away the credential that stands', async () => {
    await stage.aws.createRole('closed', { trust: trust() });
    await scene.apply('closed', { roleName: 'closed', durationSeconds: 900 });
    await scene.ready('closed');
    const before = await scene.secret('closed');
    await stage.aws.updateTrust('closed', trustPrincipals('arn:aws:iam::111122223333:user/admin'));
    await requestRefresh(scene, 'closed', 'now');
    await settled(scene, 'closed', { ...failing, Ready: 'True/Issued' });
    await exhaust('closed', 'closed');
    await settled(scene, 'closed', { ...failing, Ready: 'True/Issued', Stalled: 'True/AccessDenied' });
    expect(await scene.secret('closed')).toEqual(before);
    stage.clock.skip(900 * SECOND);
    await settled(scene, 'closed', stalled);
    expect(await scene.secret('closed')).toEqual(before);
    await stage.aws.updateTrust('closed', trust());
    stage.clock.skip(600 * SECOND);
    await settled(scene, 'closed', issued);
    const after = await scene.secret('closed');
    expect({ uid: after?.metadata.uid, isOne: stage.aws.gateway.isOneSession(tripleOf(after?.text ?? {})) }).toEqual({
      uid: before?.metadata.uid,
      isOne: true,
    });
  });
});
