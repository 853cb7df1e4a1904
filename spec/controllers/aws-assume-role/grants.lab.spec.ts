import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { parseTime } from '../../../lib/clock.ts';
import { expectSuccess, trustPrincipals } from '../../lab/index.ts';
import { eventually } from '../../support/eventually.ts';
import {
  conditionsOf,
  grant,
  messageOf,
  openTimeScene,
  openTimeStage,
  revoke,
  settled,
  type TimeStage,
} from './probes.ts';
import type { Scene, SceneOptions } from './support.ts';

const denied = {
  Ready: 'False/GrantDenied',
  Stalled: 'True/GrantDenied',
  Refreshed: 'False/GrantDenied',
  Granted: 'False/GrantDenied',
};
const issued = { Ready: 'True/Issued', Refreshed: 'True/Issued', Granted: 'True/Granted' };
const revoked = { ...denied, Ready: 'True/Issued' };
const clamped = { ...issued, DurationClamped: 'True/Grant' };
const roles = ['arn:self:iam::self:role/app'];

describe('grants', () => {
  let stage: TimeStage;
  let scene: Scene | undefined;

  beforeAll(async () => {
    stage = await openTimeStage();
    await stage.aws.createRole('app', { trust: trustPrincipals(stage.keys.arn), maxSessionDuration: 43_200 });
  });

  afterEach(async () => {
    await scene?.close();
    scene = undefined;
    stage.aws.gateway.forgetCalls();
  });

  afterAll(() => stage?.stop());

  async function open(options: SceneOptions): Promise<Scene> {
    scene = await openTimeScene(stage, options);
    return scene;
  }

  test('are needed: without one nothing is issued, and the message holds a command that helps', async () => {
    const { ns, ...at } = await open({ grants: [] });
    await at.apply('app', {});
    const object = await settled({ ns, ...at }, 'app', denied);
    const message = messageOf(object, 'Granted');
    expect(message).toContain(`namespace ${ns.name} may not use role arn:aws:iam::111122223333:role/app`);
    expect(message).toContain('kubectl get rolegrants');
    expect(stage.aws.gateway.count('AssumeRole')).toBe(0);
    const [, text = ''] = /echo '(.*)' \| kubectl create -f -/.exec(message) ?? [];
    const { code } = await stage.plane.kubectlInput(text, 'create', '--filename', '-');
    // Nothing but the grant wakes an object that is denied.
    await eventually('the object to be woken', async () => (await at.get('app'))?.status?.expiresAt);
    expect({ code, conditions: conditionsOf(await at.ready('app')) }).toEqual({ code: 0, conditions: issued });
    const created = (JSON.parse(text) as { metadata: { name: string } }).metadata.name;
    expectSuccess(await stage.plane.request('DELETE', `/apis/rolevend.dev/v1alpha1/rolegrants/${created}`), created);
  });

  test('that are taken back leave the credential until it ends, and a new one heals without issuing', async () => {
    const at = await open({ grants: [{ roles }] });
    await at.apply('app', { durationSeconds: 900 });
    await at.ready('app');
    const before = await at.secret('app');
    await revoke(stage, at, 0);
    const object = await settled(at, 'app', revoked);
    expect({ phase: object.status?.phase, secret: await at.secret('app') }).toEqual({ phase: 'Ready', secret: before });
    await grant(stage, at, 0, { roles });
    await settled(at, 'app', issued);
    expect({ calls: stage.aws.gateway.count('AssumeRole'), secret: await at.secret('app') }).toEqual({
      calls: 1,
      secret: before,
    });
    await revoke(stage, at, 0);
    await at.apply('app', { durationSeconds: 900, refresh: { percent: 50 } });
    await settled(at, 'app', revoked);
    stage.clock.skip(900_000);
    await settled(at, 'app', denied);
    expect({ calls: stage.aws.gateway.count('AssumeRole'), secret: await at.secret('app') }).toEqual({
      calls: 1,
      secret: before,
    });
  });

  test('shorten sessions, and a changed limit is issued for at once', async () => {
    const at = await open({ grants: [{ roles, maxDurationSeconds: 900 }] });
    await at.apply('app', { durationSeconds: 7200 });
    const object = await settled(at, 'app', clamped);
    expect(object.status?.effectiveDurationSeconds).toBe(900);
    expect(messageOf(object, 'DurationClamped')).toContain('ask its owner to raise maxDurationSeconds');
    await askedBeforeDue(at, { roles, maxDurationSeconds: 1800 }, '1800');
    await settled(at, 'app', clamped);
    await askedBeforeDue(at, { roles }, '7200');
    await settled(at, 'app', issued);
    const calls = stage.aws.gateway.calls({ action: 'AssumeRole' });
    expect(calls.map(({ parameters }) => parameters['DurationSeconds'])).toEqual(['900', '1800', '7200']);
    expect((await at.status('app')).effectiveDurationSeconds).toBe(7200);
  });

  /** Changes the grant and waits for a session of this life, which comes before the refresh that is due without the change. */
  async function askedBeforeDue(at: Scene, terms: object, seconds: string): Promise<void> {
    const last = () => stage.aws.gateway.calls({ action: 'AssumeRole' }).at(-1);
    const { nextRefreshAt } = await at.status('app');
    await grant(stage, at, 0, terms);
    await eventually(`a session of ${seconds} s`, (saw) => saw(last()?.parameters['DurationSeconds']) === seconds);
    expect(last()?.at).toBeLessThan(parseTime(nextRefreshAt) ?? Number.NaN);
  }

  test('with Secret types deny the others and name the field and the way out', async () => {
    const at = await open({ grants: [{ roles, secretTypes: ['Map'] }] });
    await at.apply('map', {});
    await at.apply('file', { secretType: 'File' });
    await settled(at, 'map', issued);
    expect(messageOf(await settled(at, 'file', denied), 'Granted')).toBe(
      `secretType File is not allowed for namespace ${at.ns.name} and role arn:aws:iam::111122223333:role/app: ` +
        `use one of: Map; or widen spec.secretTypes in RoleGrant ${at.ns.name}-0. ` +
        `Show the terms: kubectl get rolegrants ${at.ns.name}-0 -o yaml`,
    );
    await grant(stage, at, 0, { roles, secretTypes: ['Map', 'File'] });
    await settled(at, 'file', issued);
  });

  test('derive the session name unless they say Any', async () => {
    const at = await open({ grants: [{ roles }] });
    await at.apply('own', { sessionName: 'payments' });
    await at.apply('derived', {});
    expect(messageOf(await settled(at, 'own', denied), 'Granted')).toContain(
      'remove sessionName, or set spec.sessionName: Any in RoleGrant',
    );
    await grant(stage, at, 0, { roles, sessionName: 'Any' });
    await settled(at, 'own', issued);
    await settled(at, 'derived', issued);
    const session = 'arn:aws:sts::111122223333:assumed-role/app/';
    expect([(await at.status('own')).assumedRoleArn, (await at.status('derived')).assumedRoleArn]).toEqual([
      `${session}payments`,
      `${session}rolevend-${at.ns.name}.derived`,
    ]);
    expect(stage.aws.gateway.count('AssumeRole')).toBe(2);
  });

  test('that select namespaces follow their labels', async () => {
    const at = await open({ grants: [] });
    const namespaces = { selector: { matchLabels: { team: at.ns.name } } };
    await grant(stage, at, 0, { namespaces, roles });
    await at.apply('app', {});
    await settled(at, 'app', denied);
    const label = (text: string) => stage.plane.kubectl('label', '--overwrite', 'namespace', at.ns.name, text);
    await label(`team=${at.ns.name}`);
    await settled(at, 'app', issued);
    await label('team=other');
    await settled(at, 'app', revoked);
    expect(stage.aws.gateway.count('AssumeRole')).toBe(1);
  });
});
