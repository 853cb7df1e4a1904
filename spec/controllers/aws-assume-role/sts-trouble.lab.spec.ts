import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { eventually } from '../../support/eventually.ts';
import { requestRefresh } from './observe.ts';
import { eventsAbout, idle, messageOf, openTimeApp, settled, type TimeStage } from './probes.ts';
import { type Scene, tripleOf } from './support.ts';

const granted = { Granted: 'True/Granted' };
const issued = { ...granted, Ready: 'True/Issued', Refreshed: 'True/Issued' };
const SECOND = 1000;
const CALL_LIMIT_MS = 20 * SECOND;

/** What goes wrong, the reason that it is shown with, and a piece of the advice. */
const troubles = [
  {
    fault: 'reset',
    code: 'StsUnreachable',
    says: 'got no answer from AWS (StsUnreachable, ECONNRESET). Check the network',
  },
  {
    fault: 'stall',
    code: 'StsUnreachable',
    says: 'got no answer from AWS (StsUnreachable, TIMEOUT). Check the network',
  },
  {
    fault: 'garbage',
    code: 'StsUnreachable',
    says: 'got no answer from AWS (StsUnreachable, HTTP 200, text/html). Something on the way answered',
  },
  { fault: '5xx', code: 'InternalFailure', says: 'It is tried again.' },
  { fault: 'ServiceUnavailable', code: 'ServiceUnavailable', says: 'It is tried again.' },
  { fault: 'Throttling', code: 'Throttling', says: 'AWS asks for fewer requests' },
];

describe('passing trouble with STS', () => {
  let stage: TimeStage;
  let scene: Scene;

  beforeAll(async () => {
    ({ stage, scene } = await openTimeApp());
  });

  afterEach(() => stage.aws.gateway.clear());

  afterAll(async () => {
    await scene?.close();
    await stage?.stop();
  });

  /** Lets the calls fail from now on, and waits until one more has come. */
  async function failing(fault: string, start: () => Promise<void>): Promise<void> {
    const before = stage.aws.gateway.count('AssumeRole');
    stage.aws.gateway.fail({ action: 'AssumeRole', with: fault });
    await start();
    await eventually('a call that fails', () => stage.aws.gateway.count('AssumeRole') > before);
    if (fault === 'stall') stage.clock.skip(CALL_LIMIT_MS);
    await idle(scene);
  }

  describe.each(troubles)('of the kind $fault', ({ fault, code, says }) => {
    const name = `app-${fault.toLowerCase()}`;

    test('shows what it is while there is no credential, and ends by itself', async () => {
      await failing(fault, () => scene.apply(name, {}));
      const object = await settled(scene, name, {
        ...granted,
        Ready: `False/${code}`,
        Reconciling: 'True/Retrying',
        Refreshed: `False/${code}`,
      });
      expect({ ...object.status, message: messageOf(object, 'Ready') }).toMatchObject({
        lastErrorCode: code,
        health: { status: 'Unhealthy' },
        phase: 'Pending',
        message: expect.stringContaining(says),
      });
      stage.aws.gateway.clear();
      stage.clock.skip(5 * SECOND);
      await settled(scene, name, issued);
      expect(stage.aws.gateway.isOneSession(tripleOf((await scene.secret(name))?.text ?? {}))).toBe(true);
    });

    test('leaves Ready and the Secret alone while the old credential is valid', async () => {
      const before = await scene.secret(name);
      stage.clock.skip(30 * SECOND);
      await failing(fault, () => requestRefresh(scene, name, 'now'));
      const object = await settled(scene, name, { ...granted, Ready: 'True/Issued', Refreshed: `False/${code}` });
      expect({ secret: await scene.secret(name), ...object.status }).toMatchObject({
        secret: before ?? 'a Secret',
        health: { status: 'Healthy' },
        phase: 'Ready',
      });
      stage.aws.gateway.clear();
      stage.clock.skip(5 * SECOND);
      const healed = await settled(scene, name, issued);
      expect(healed.status?.lastHandledRefreshRequest).toBe('now');
      expect((await scene.secret(name))?.text).not.toEqual(before?.text);
    });
  });

  test('is told while STS keeps silent, before the call has come to its deadline', async () => {
    stage.aws.gateway.fail({ action: 'AssumeRole', with: 'stall' });
    await scene.apply('silent', {});
    const object = await settled(scene, 'silent', {
      ...granted,
      Ready: 'Unknown/Pending',
      Reconciling: 'True/Pending',
    });
    expect(object.status?.health).toEqual({ status: 'Unknown' });
    stage.aws.gateway.clear();
    stage.clock.skip(CALL_LIMIT_MS);
    await idle(scene);
    stage.clock.skip(5 * SECOND);
    await settled(scene, 'silent', issued);
  });

  test('comes as HTTP 400 when STS throttles, and slows all calls of this identity down', async () => {
    stage.aws.gateway.forgetCalls();
    await failing('Throttling', () => requestRefresh(scene, 'app-reset', 'again'));
    expect(stage.aws.gateway.calls({ action: 'AssumeRole' }).map(({ status, code }) => ({ status, code }))).toEqual([
      { status: 400, code: 'Throttling' },
    ]);
    const series = (await scene.operator.metrics.getSingleMetric('rolevend_sts_bucket_tokens')?.get())?.values ?? [];
    const [tokens] = series.filter(({ labels }) => labels['op'] === 'AssumeRole');
    expect(tokens?.value).toBeLessThan(150);
  });

  test('that outlasts the credential makes the object Expired, with an Event, until STS answers again', async () => {
    await scene.apply('expiring', { durationSeconds: 900 });
    await scene.ready('expiring');
    const before = await scene.secret('expiring');
    await failing('5xx', () => requestRefresh(scene, 'expiring', 'now'));
    await settled(scene, 'expiring', { ...granted, Ready: 'True/Issued', Refreshed: 'False/InternalFailure' });
    stage.clock.skip(900 * SECOND);
    const failed = { ...granted, Reconciling: 'True/Retrying', Refreshed: 'False/InternalFailure' };
    const object = await settled(scene, 'expiring', { ...failed, Ready: 'False/Expired' });
    expect(messageOf(object, 'Ready')).toMatch(/^the credential ended at .*Z; STS AssumeRole for .*InternalFailure/);
    expect(await scene.secret('expiring')).toEqual(before);
    const expired = await eventually('the Event', async () =>
      (await eventsAbout(scene, 'expiring')).find(({ reason }) => reason === 'Expired'),
    );
    expect(expired).toEqual({
      type: 'Warning',
      reason: 'Expired',
      message: `the credential ended at ${object.status?.expiresAt} and could not be replaced`,
    });
    await idle(scene);
    stage.aws.gateway.clear();
    stage.clock.skip(60 * SECOND);
    await settled(scene, 'expiring', issued);
    expect((await scene.secret('expiring'))?.metadata.uid).toBe(before?.metadata.uid);
  });
});
