import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { AWSAssumeRoleSpec } from '../../../lib/api/aws-assume-role.ts';
import { type TrustStatement, trustPrincipals } from '../../lab/index.ts';
import { eventually } from '../../support/eventually.ts';
import { requestRefresh } from './observe.ts';
import { grant, messageOf, openTimeScene, openTimeStage, settled, type TimeStage } from './probes.ts';
import { type Scene, tripleOf } from './support.ts';

const issued = { Ready: 'True/Issued', Refreshed: 'True/Issued', Granted: 'True/Granted' };
const denied = {
  Ready: 'False/GrantDenied',
  Stalled: 'True/GrantDenied',
  Refreshed: 'False/GrantDenied',
  Granted: 'False/GrantDenied',
};
const roles = ['arn:self:iam::self:role/*'];
const open = { roles, sessionName: 'Any', sourceIdentity: 'Any', tenantTagKeys: ['team', 'cost center'] };
const POLICY =
  '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}]}';
const whole: Partial<AWSAssumeRoleSpec> = {
  externalId: 'ext-1',
  sessionName: 'payments',
  sourceIdentity: 'jane',
  sessionPolicy: POLICY,
  policyArns: ['arn:aws:iam::aws:policy/ReadOnlyAccess'],
  sessionTags: { team: 'a', 'cost center': '1/2' },
  transitiveTagKeys: ['team'],
};

describe('what an object says about its session', () => {
  let stage: TimeStage;
  let scene: Scene | undefined;

  beforeAll(async () => {
    stage = await openTimeStage();
    await stage.aws.createRole('app', { trust: trustPrincipals(stage.keys.arn, { externalId: 'ext-1' }) });
    await stage.aws.createRole('plain', { trust: trustPrincipals(stage.keys.arn) });
  });

  afterEach(async () => {
    await scene?.close();
    scene = undefined;
    stage.aws.gateway.clear();
    stage.aws.gateway.forgetCalls();
  });

  afterAll(() => stage?.stop());

  async function openWith(...grants: object[]): Promise<Scene> {
    scene = await openTimeScene(stage, { grants });
    return scene;
  }
  const calls = () => stage.aws.gateway.calls({ action: 'AssumeRole' });
  const last = () => calls().at(-1)?.parameters ?? {};

  test('reaches STS as it is written, and the session has the same ARN over all rotations', async () => {
    const at = await openWith(open);
    await at.apply('app', { ...whole, durationSeconds: 900 });
    const arns = [(await settled(at, 'app', issued)).status?.assumedRoleArn];
    const { Action: _, Version: __, ...said } = last();
    for (const rotation of [2, 3, 4]) {
      stage.clock.skip(500_000);
      await eventually(`rotation ${rotation}`, () => calls().length === rotation);
      await eventually('its status', async () => {
        return (await at.status('app')).accessKeyId === stage.aws.gateway.issued().at(-1)?.accessKeyId;
      });
      arns.push((await at.status('app')).assumedRoleArn);
    }
    expect({ said, arns }).toEqual({
      said: {
        RoleArn: stage.aws.roleArn('app'),
        RoleSessionName: 'payments',
        DurationSeconds: '900',
        ExternalId: 'ext-1',
        SourceIdentity: 'jane',
        Policy: POLICY,
        'PolicyArns.member.1.arn': 'arn:aws:iam::aws:policy/ReadOnlyAccess',
        'Tags.member.1.Key': 'cost center',
        'Tags.member.1.Value': '1/2',
        'Tags.member.2.Key': 'team',
        'Tags.member.2.Value': 'a',
        'TransitiveTagKeys.member.1': 'team',
      },
      arns: Array(4).fill(`arn:aws:sts::${stage.aws.accountId}:assumed-role/app/payments`),
    });
    const session = stage.aws.gateway.issued().at(-1);
    expect({ source: session?.sourceIdentity, tags: session?.transitiveTags }).toEqual({
      source: 'jane',
      tags: { team: 'a' },
    });
    expect(stage.aws.gateway.isOneSession(tripleOf((await at.secret('app'))?.text ?? {}))).toBe(true);
  });

  test('is denied field by field without a grant for it, and issued as soon as one says so', async () => {
    const at = await openWith({ roles });
    const { aws } = stage;
    const about = `for namespace ${at.ns.name} and role ${aws.roleArn('plain')}`;
    const said: Record<string, string> = {};
    await at.apply('source', { roleName: 'plain', sourceIdentity: 'jane' });
    await at.apply('tags', { roleName: 'plain', sessionTags: { team: 'a', stage: 'b' } });
    for (const name of ['source', 'tags']) said[name] = messageOf(await settled(at, name, denied), 'Granted');
    const where = `in RoleGrant ${at.ns.name}-0. Show the terms: kubectl get rolegrants ${at.ns.name}-0 -o yaml`;
    expect(said).toEqual({
      source: `sourceIdentity may not be set ${about}: remove sourceIdentity, or set spec.sourceIdentity: Any ${where}`,
      tags: `sessionTags may not set stage, team ${about}: remove it, or add the key to spec.tenantTagKeys ${where}`,
    });
    expect(aws.gateway.count('AssumeRole')).toBe(0);
    await grant(stage, at, 0, { roles, sourceIdentity: 'Any', tenantTagKeys: ['stage', 'team'] });
    for (const name of ['source', 'tags']) await settled(at, name, issued);
  });

  test('is completed by a grant that derives the source identity, at once, and never against the object', async () => {
    const at = await openWith({ roles });
    await at.apply('app', { roleName: 'plain' });
    await settled(at, 'app', issued);
    expect(last()).not.toHaveProperty('SourceIdentity');
    await grant(stage, at, 0, { roles, sourceIdentity: 'Derived' });
    await eventually('a session with a source identity', () => last()['SourceIdentity'] !== undefined);
    await settled(at, 'app', issued);
    expect(last()['SourceIdentity']).toBe(`rolevend-${at.ns.name}.app`);
    await at.apply('own', { roleName: 'plain', sourceIdentity: 'jane' });
    await settled(at, 'own', denied);
    expect(calls()).toHaveLength(2);
  });

  test('may be too large for AWS, which tells how much and what to shorten, and is issued once it is shorter', async () => {
    const at = await openWith(open);
    const noise = Array.from({ length: 90 }, (_, index) => `s3:Get${(index * 7919).toString(36)}`);
    const long = JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Deny', Action: noise, Resource: '*' }],
    });
    await at.apply('app', { ...whole, sessionPolicy: long });
    const code = 'PackedPolicyTooLarge';
    const object = await settled(at, 'app', {
      Ready: `False/${code}`,
      Stalled: `True/${code}`,
      Refreshed: `False/${code}`,
      Granted: 'True/Granted',
    });
    const message = messageOf(object, 'Stalled');
    expect(message).toMatch(/Session policy, policy ARNs and tags together take [1-9]\d\d % of the space/);
    expect(message).toContain(
      `Shorten or remove: spec.sessionPolicy (${long.length} characters), spec.policyArns (1), spec.sessionTags (2).`,
    );
    await at.apply('app', whole);
    const { status } = await settled(at, 'app', issued);
    expect(status?.packedPolicySizePercent).toBeGreaterThan(0);
    expect(status?.packedPolicySizePercent).toBeLessThanOrEqual(100);
  });

  test('may lack rights in AWS: the statements of the message repair it', async () => {
    const { aws, keys } = stage;
    const at = await openWith(open);
    const lacking = { Effect: 'Allow' as const, Principal: { AWS: keys.arn }, Action: 'sts:AssumeRole' };
    await aws.createRole('lacking', { trust: { Version: '2012-10-17', Statement: [lacking] } });
    await at.apply('app', { ...whole, roleName: 'lacking' });
    const denial = await settled(at, 'app', {
      Ready: 'False/AccessDenied',
      Reconciling: 'True/Retrying',
      Refreshed: 'False/AccessDenied',
      Granted: 'True/Granted',
    });
    const message = messageOf(denial, 'Ready');
    const actions = '["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]';
    expect(message).toContain(
      `Identity policy of ${keys.arn}: {"Effect":"Allow","Action":${actions},"Resource":"${aws.roleArn('lacking')}"}`,
    );
    const trust = message.slice(message.indexOf('Trust policy of')).replace(/^Trust policy of \S+: /, '');
    await aws.updateTrust('lacking', { Version: '2012-10-17', Statement: JSON.parse(trust) as TrustStatement });
    await requestRefresh(at, 'app', 'repaired');
    await settled(at, 'app', issued);
  });

  test('is refused without a call where the session policy is no JSON', async () => {
    const at = await openWith(open);
    await at.apply('app', { ...whole, sessionPolicy: '{"Version":"2012-10-17",}' });
    const code = 'InvalidSpec';
    const object = await settled(at, 'app', {
      Ready: `False/${code}`,
      Stalled: `True/${code}`,
      Refreshed: `False/${code}`,
    });
    expect({ message: messageOf(object, 'Stalled'), calls: calls() }).toEqual({
      message: 'spec.sessionPolicy is not JSON: look for a missing or superfluous comma, quote or bracket',
      calls: [],
    });
  });
});
