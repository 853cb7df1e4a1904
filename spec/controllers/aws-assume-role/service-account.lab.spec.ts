import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { AWSAssumeRoleSpec } from '../../../lib/api/aws-assume-role.ts';
import { type RoleTerms, type TrustStatement, trustPrincipals, trustServiceAccount } from '../../lab/index.ts';
import { eventually } from '../../support/eventually.ts';
import { findLeaks } from '../../support/leaks.ts';
import { requestRefresh } from './observe.ts';
import {
  eventsAbout,
  grant,
  idle,
  messageOf,
  openTimeScene,
  openTimeStage,
  revoke,
  roleSession,
  settled,
  type TimeStage,
} from './probes.ts';
import { type Scene, type SceneOptions, tripleOf } from './support.ts';

const issued = { Ready: 'True/Issued', Refreshed: 'True/Issued', Granted: 'True/Granted' };
const retrying = (reason: string) => ({
  Ready: `False/${reason}`,
  Reconciling: 'True/Retrying',
  Refreshed: `False/${reason}`,
  Granted: 'True/Granted',
});
const stalled = (reason: string) => ({
  Ready: `False/${reason}`,
  Stalled: `True/${reason}`,
  Refreshed: `False/${reason}`,
  Granted: 'True/Granted',
});
const denied = { ...stalled('GrantDenied'), Granted: 'False/GrantDenied' };
const HALF_DAY = 43_200;

describe('auth of a ServiceAccount', () => {
  let stage: TimeStage;
  let provider: string;
  let scene: Scene | undefined;

  beforeAll(async () => {
    stage = await openTimeStage();
    const { aws, plane, keys } = stage;
    aws.gateway.trustIssuer({ issuer: plane.issuer, caFile: plane.caFile });
    provider = await aws.oidcProvider(plane.issuer, ['sts.amazonaws.com', 'custom']);
    await aws.createRole('operator', { trust: trustPrincipals(keys.arn), policies: ['sts:AssumeRole'] });
  });

  afterEach(async () => {
    await scene?.close();
    scene = undefined;
    stage.aws.gateway.clear();
    stage.aws.gateway.forgetCalls();
  });

  afterAll(() => stage?.stop());

  async function open(options: SceneOptions = {}): Promise<Scene> {
    scene = await openTimeScene(stage, { grants: [], ...options });
    return scene;
  }

  /** A role that trusts a ServiceAccount of the scene, and the spec that uses it. */
  async function roleFor(at: Scene, account: string, terms: Partial<RoleTerms> = {}, audience?: string) {
    const name = `${at.ns.name}-${account}`;
    const trust = trustServiceAccount(provider, { namespace: at.ns.name, name: account }, audience);
    const roleArn = await stage.aws.createRole(name, { trust, ...terms });
    const auth = { type: 'ServiceAccount' as const, serviceAccountRef: { name: account } };
    return { roleArn, auth: { ...auth, ...(audience !== undefined && { audience }) } };
  }

  const account = (at: Scene, name: string) =>
    at.ns.apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name } });
  const calls = () => stage.aws.gateway.calls({ action: 'AssumeRoleWithWebIdentity' });

  test('gives sessions of 12 hours that IAM grants to it alone, without a RoleGrant, over all rotations', async () => {
    const at = await open({ operator: { provider: () => roleSession(stage, 'operator') } });
    await account(at, 'reports');
    const spec = await roleFor(at, 'reports', { maxSessionDuration: HALF_DAY });
    const { gateway } = stage.aws;
    await at.apply('app', { ...spec, durationSeconds: HALF_DAY, sessionPolicy: '{}', sessionName: 'nightly' });
    const first = await settled(at, 'app', issued);
    for (const rotation of [2, 3]) {
      stage.clock.skip(0.6 * HALF_DAY * 1000);
      await eventually(
        `rotation ${rotation}`,
        () => calls().filter(({ status }) => status === 200).length === rotation,
      );
      await settled(at, 'app', issued);
    }
    const subject = `system:serviceaccount:${at.ns.name}:reports`;
    const parameters = {
      Action: 'AssumeRoleWithWebIdentity',
      Version: '2011-06-15',
      RoleArn: spec.roleArn,
      RoleSessionName: 'nightly',
      DurationSeconds: String(HALF_DAY),
      Policy: '{}',
    };
    expect(calls().map(({ caller, parameters: said, status }) => ({ caller, said, status }))).toEqual(
      Array(3).fill({ caller: subject, said: parameters, status: 200 }),
    );
    const { status } = (await at.get('app')) ?? {};
    const { issuedAt = '', expiresAt = '', effectiveDurationSeconds, assumedRoleArn } = status ?? {};
    expect({
      life: (Date.parse(expiresAt) - Date.parse(issuedAt)) / 1000,
      effectiveDurationSeconds,
      assumedRoleArn,
      ofOperator: gateway.calls({ action: 'AssumeRole', role: spec.roleArn }),
      isOne: gateway.isOneSession(tripleOf((await at.secret('app'))?.text ?? {})),
    }).toEqual({
      life: HALF_DAY,
      effectiveDurationSeconds: HALF_DAY,
      assumedRoleArn: first.status?.assumedRoleArn,
      ofOperator: [],
      isOne: true,
    });
    expect(messageOf(first, 'Granted')).toBe(
      `no RoleGrant is needed: IAM decides by the ServiceAccount whether it may use ${spec.roleArn}`,
    );
    expect(findLeaks(await said(at), secrets())).toEqual([]);
  });

  /** Everything that the operator says. */
  async function said(at: Scene): Promise<Record<string, string>> {
    return {
      log: at.operator.log.join(''),
      object: JSON.stringify(await at.get('app')),
      metadata: JSON.stringify((await at.secret('app'))?.metadata),
      events: JSON.stringify(await eventsAbout(at, 'app')),
      metrics: await at.operator.metrics.metrics(),
    };
  }

  /** The tokens that were exchanged and the sessions that they gave. */
  function secrets(): Record<string, string> {
    const { gateway } = stage.aws;
    const tokens = gateway.webIdentityTokens().map((token, index) => [`token ${index}`, token]);
    const sessions = gateway.issued().flatMap(({ secretAccessKey, sessionToken }, index) => [
      [`key ${index}`, secretAccessKey],
      [`session token ${index}`, sessionToken],
    ]);
    expect(tokens.length).toBeGreaterThanOrEqual(3);
    return Object.fromEntries([...tokens, ...sessions]) as Record<string, string>;
  }

  test('waits for one that is missing, keeps the credential of one that was deleted, and goes on with a new one', async () => {
    const at = await open();
    const spec = await roleFor(at, 'late');
    await at.apply('app', { ...spec, durationSeconds: 900 });
    const code = 'ServiceAccountNotFound';
    const object = await settled(at, 'app', retrying(code));
    expect(messageOf(object, 'Ready')).toBe(
      `There is no ServiceAccount late in namespace ${at.ns.name}: create it, or correct spec.auth.serviceAccountRef.name. It is looked for again.`,
    );
    await account(at, 'late');
    stage.clock.skip(4_000);
    await settled(at, 'app', issued);
    const before = await at.secret('app');
    await at.ns.kubectl('delete', 'serviceaccount', 'late');
    stage.clock.skip(480_000);
    await settled(at, 'app', { ...issued, Refreshed: `False/${code}` });
    expect(await at.secret('app')).toEqual(before);
    stage.clock.skip(420_000);
    await settled(at, 'app', { ...retrying(code), Ready: 'False/Expired' });
    expect({ calls: calls().length, secret: await at.secret('app') }).toEqual({ calls: 1, secret: before });
    await account(at, 'late');
    // No wait is longer than a minute while nothing is valid.
    stage.clock.skip(60_000);
    await settled(at, 'app', issued);
    expect(calls()).toHaveLength(2);
  });

  test('sends a token for the audience that is asked for, and tells what AWS lacks where it knows none', async () => {
    const at = await open();
    await account(at, 'custom');
    await at.apply('app', await roleFor(at, 'custom', {}, 'custom'));
    await settled(at, 'app', issued);
    await account(at, 'unknown');
    const { roleArn, auth } = await roleFor(at, 'unknown');
    await at.apply('unknown', { roleArn, auth: { ...auth, audience: 'nobody' } });
    const code = 'InvalidIdentityToken';
    const object = await settled(at, 'unknown', retrying(code));
    expect(messageOf(object, 'Ready')).toContain(
      `AWS does not accept the token of system:serviceaccount:${at.ns.name}:unknown: the account of the role needs the IAM OIDC provider ${provider} with the audience nobody`,
    );
    const made = calls().length;
    for (const [index, seconds] of [5, 10, 20].entries()) {
      stage.clock.skip(seconds * 1000);
      await eventually(`try ${index + 2}`, () => calls().length === made + index + 1);
      await idle(at);
    }
    await settled(at, 'unknown', stalled(code));
  });

  test('is exchanged after all where AWS could not fetch the keys of the issuer for a moment', async () => {
    const at = await open();
    await account(at, 'app');
    const refused = { action: 'AssumeRoleWithWebIdentity', with: 'InvalidIdentityToken', times: 2 };
    stage.aws.gateway.fail({ ...refused, message: "Couldn't retrieve verification key from your identity provider" });
    await at.apply('app', await roleFor(at, 'app'));
    await settled(at, 'app', retrying('InvalidIdentityToken'));
    stage.clock.skip(5_000);
    await eventually('the second try', () => calls().length === 2);
    await idle(at);
    stage.clock.skip(10_000);
    await settled(at, 'app', issued);
    expect(calls().map(({ code }) => code)).toEqual(['InvalidIdentityToken', 'InvalidIdentityToken', undefined]);
  });

  test('says which kind of policy keeps it out, and prints no statement where none can help', async () => {
    const at = await open();
    await account(at, 'app');
    const policy = { kind: 'resource control policy', explicit: true };
    stage.aws.gateway.fail({ action: 'AssumeRoleWithWebIdentity', with: 'AccessDenied', policy });
    await at.apply('app', await roleFor(at, 'app'));
    const message = messageOf(await settled(at, 'app', retrying('AccessDenied')), 'Ready');
    expect(message).toContain(
      'An explicit deny in a resource control policy of the organization of account 111122223333',
    );
    expect(message).not.toContain('{');
  });

  test('is refused by a role that does not trust it, with the statement that repairs the role', async () => {
    const at = await open();
    await account(at, 'stranger');
    const { roleArn } = await roleFor(at, 'other');
    await at.apply('app', { roleArn, auth: { type: 'ServiceAccount', serviceAccountRef: { name: 'stranger' } } });
    const message = messageOf(await settled(at, 'app', retrying('AccessDenied')), 'Ready');
    const statement = JSON.parse(message.slice(message.indexOf('{'))) as TrustStatement;
    await stage.aws.updateTrust(`${at.ns.name}-other`, { Version: '2012-10-17', Statement: statement });
    await requestRefresh(at, 'app', 'repaired');
    await settled(at, 'app', issued);
  });

  test('can be forbidden, or demanded, by the auth types of a grant', async () => {
    const at = await open();
    await account(at, 'app');
    const web: Partial<AWSAssumeRoleSpec> = await roleFor(at, 'app');
    const roles = ['arn:self:iam::self:role/*'];
    await grant(stage, at, 0, { roles, auth: ['Operator'] });
    await at.apply('web', web);
    expect(messageOf(await settled(at, 'web', denied), 'Granted')).toContain('auth.type ServiceAccount is not allowed');
    expect(calls()).toHaveLength(0);
    await grant(stage, at, 0, { roles, auth: ['ServiceAccount'] });
    await settled(at, 'web', issued);
    await at.apply('own', { roleArn: stage.aws.roleArn('operator') });
    expect(messageOf(await settled(at, 'own', denied), 'Granted')).toContain('auth.type Operator is not allowed');
    await revoke(stage, at, 0);
    await settled(at, 'web', issued);
    expect(calls()).toHaveLength(1);
  });

  test('works while the operator has no AWS identity of its own', async () => {
    const provider = () => Promise.reject(new Error('none'));
    const at = await open({ operator: { provider }, waitUntilReady: false });
    await account(at, 'app');
    await at.apply('app', await roleFor(at, 'app'));
    await settled(at, 'app', issued);
    await idle(at);
    expect(stage.aws.gateway.count('GetCallerIdentity')).toBe(0);
  });
});
