import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { AWSAssumeRoleSpec } from '../../../lib/api/aws-assume-role.ts';
import { trustPrincipals } from '../../lab/index.ts';
import { requestRefresh } from './observe.ts';
import { conditionsOf, grant, messageOf, revoke, settled } from './probes.ts';
import { openScene, openStage, type Scene, type Stage, tripleOf } from './support.ts';

const denied = {
  Ready: 'False/GrantDenied',
  Stalled: 'True/GrantDenied',
  Refreshed: 'False/GrantDenied',
  Granted: 'False/GrantDenied',
};
const PARTNER = '444455556666';

describe('a tenant whose namespace is granted role/team-a/* and its own role/tenants/${namespace}/*', () => {
  let stage: Stage;
  let scene: Scene;

  beforeAll(async () => {
    stage = await openStage();
    const { aws, keys } = stage;
    const roles = ['arn:self:iam::self:role/team-a/*', 'arn:self:iam::self:role/tenants/${namespace}/*'];
    scene = await openScene(stage, { grants: [{ roles }] });
    const trust = trustPrincipals(keys.arn);
    const paths = {
      reader: '/team-a/',
      admin: '/team-b/',
      mine: `/tenants/${scene.ns.name}/`,
      theirs: '/tenants/shop/',
    };
    for (const [name, path] of Object.entries(paths)) await aws.createRole(name, { trust, path });
    const partner = await aws.account(PARTNER);
    await partner.createRole('open', { trust, path: '/team-a/' });
    await partner.createRole('shared', { trust: trustPrincipals(keys.arn, { externalId: 'shop-7' }) });
  });

  afterAll(async () => {
    await scene?.close();
    await stage?.stop();
  });

  test('gets these roles, also below a further path', async () => {
    await scene.apply('reader', { roleName: 'team-a/reader' });
    await scene.apply('mine', { roleName: `tenants/${scene.ns.name}/mine` });
    expect([(await scene.ready('reader')).status?.roleArn, (await scene.ready('mine')).status?.roleArn]).toEqual([
      'arn:aws:iam::111122223333:role/team-a/reader',
      `arn:aws:iam::111122223333:role/tenants/${scene.ns.name}/mine`,
    ]);
  });

  const attacks: Record<string, (ns: string) => Partial<AWSAssumeRoleSpec>> = {
    "another team's role": () => ({ roleName: 'team-b/admin' }),
    "another team's role by its ARN": () => ({ roleArn: 'arn:aws:iam::111122223333:role/team-b/admin' }),
    "another tenant's role": () => ({ roleName: 'tenants/shop/theirs' }),
    'the role of a namespace whose name goes on': (ns) => ({ roleName: `tenants/${ns}-2/mine` }),
    'the role of every tenant': () => ({ roleName: 'tenants/mine' }),
    'a role with the name of the path': () => ({ roleName: 'team-a' }),
    'a path that goes on': () => ({ roleName: 'team-ab/reader' }),
    'a path in other case': () => ({ roleName: 'Team-A/reader' }),
    'a path that holds the granted one further in': () => ({ roleName: 'team-b/team-a/reader' }),
    'the same path of another account': () => ({ roleArn: `arn:aws:iam::${PARTNER}:role/team-a/open` }),
    'the same path of another partition': () => ({ roleArn: 'arn:aws-cn:iam::111122223333:role/team-a/reader' }),
  };

  test('is denied everything else, and AWS is not even asked', async () => {
    const before = stage.aws.gateway.count('AssumeRole');
    const cases = Object.entries(attacks).map(([title, spec], index) => ({ title, name: `attack-${index}`, spec }));
    for (const { name, spec } of cases) await scene.apply(name, spec(scene.ns.name));
    const seen: Record<string, unknown> = {};
    for (const { name, title } of cases) {
      const object = await settled(scene, name, denied);
      seen[title] = { secret: await scene.secret(name), namesIt: messageOf(object, 'Ready').includes(scene.ns.name) };
    }
    const refused = { secret: undefined, namesIt: true };
    expect(seen).toEqual(Object.fromEntries(Object.keys(attacks).map((title) => [title, refused])));
    expect(stage.aws.gateway.count('AssumeRole')).toBe(before);
  });

  test.each([
    { roleName: 'team-a/../team-b/admin' },
    { roleName: 'team-a//admin' },
    { roleName: 'team-a/*' },
    { roleName: 'tenants/${namespace}/mine' },
    { roleArn: 'arn:self:iam::self:role/team-a/reader' },
    { roleArn: 'arn:aws:iam::111122223333:role/team-a/../team-b/admin' },
    { roleName: 'team-a/reader', sessionName: 'rolevend-shop.theirs' },
    { roleName: 'team-a/reader', externalId: 'rolevend:lab/shop/theirs' },
  ])('cannot store %j', async (spec) => {
    await expect(scene.apply('refused', spec)).rejects.toThrow(
      /is invalid: spec\.(roleName|roleArn|sessionName|externalId)/,
    );
  });

  test('keeps the old Secret as it is when an object turns to a role that is not granted', async () => {
    await scene.apply('turned', { roleName: 'team-a/reader' });
    await scene.ready('turned');
    const before = await scene.secret('turned');
    await scene.apply('turned', { roleName: 'team-b/admin' });
    await settled(scene, 'turned', denied);
    expect((await scene.secret('turned'))?.text).toEqual(before?.text);
    await scene.apply('turned', { roleName: 'team-a/reader' });
    await scene.ready('turned');
    expect((await scene.secret('turned'))?.text).toEqual(before?.text);
  });

  test('cannot keep a role by asking for refreshes after the grant is gone', async () => {
    await stage.aws.createRole('lent', { trust: trustPrincipals(stage.keys.arn), path: '/team-b/' });
    await grant(stage, scene, 1, { roles: ['arn:self:iam::self:role/team-b/lent'] });
    await scene.apply('former', { roleName: 'team-b/lent' });
    await scene.ready('former');
    await revoke(stage, scene, 1);
    await settled(scene, 'former', { ...denied, Ready: 'True/Issued' });
    await requestRefresh(scene, 'former', 'now');
    await scene.ns.kubectl('delete', 'secret', 'former');
    const object = await settled(scene, 'former', denied);
    expect({ secret: await scene.secret('former'), handled: object.status?.lastHandledRefreshRequest }).toEqual({
      secret: undefined,
      handled: undefined,
    });
    expect(stage.aws.gateway.count('AssumeRole', { role: 'lent' })).toBe(1);
  });

  test('reaches a role of another account with a grant for it and the external id that its owner asks for', async () => {
    const roleArn = `arn:aws:iam::${PARTNER}:role/shared`;
    await grant(stage, scene, 2, { roles: [roleArn] });
    await scene.apply('wrong', { roleArn, externalId: 'shop-8' });
    const statement = '"Condition":{"StringEquals":{"sts:ExternalId":"shop-8"}}';
    const wrong = await scene.condition('wrong', 'Ready', 'False', 'AccessDenied');
    expect(messageOf(wrong, 'Ready')).toContain(statement);
    await scene.apply('shared', { roleArn, externalId: 'shop-7' });
    const { status } = await scene.ready('shared');
    const secret = await scene.secret('shared');
    const session = `arn:aws:sts::${PARTNER}:assumed-role/shared/rolevend-${scene.ns.name}.shared`;
    expect({
      session: status?.assumedRoleArn,
      isOne: stage.aws.gateway.isOneSession(tripleOf(secret?.text ?? {})),
    }).toEqual({ session, isOne: true });
    expect(conditionsOf(await scene.get('shared'))).toMatchObject({ Granted: 'True/Granted' });
  });

  const host = (region: string) => `111122223333.dkr.ecr.${region}.amazonaws.com`;
  const pulling = { secretType: 'EcrDockerConfigJson', roleName: 'team-a/reader' } as const;
  const regions: Record<string, [Partial<AWSAssumeRoleSpec>, string]> = {
    'another partition': [{ roleName: 'team-a/reader', region: 'us-iso-east-1' }, 'spec.region'],
    'a registry there': [{ ...pulling, ecrRepositoryUrl: `${host('cn-north-1')}.cn/x` }, 'spec.ecrRepositoryUrl'],
    'a registry in a list': [
      { ...pulling, ecr: { registries: [{}, { region: 'us-gov-west-1' }] } },
      'spec.ecr.registries[1].region',
    ],
    'the host of a registry in a list': [
      { ...pulling, ecr: { registries: [{ urls: [host('us-gov-west-1')] }] } },
      'spec.ecr.registries[0].urls[0]',
    ],
    'the Region of a token': [
      {
        roleName: 'team-a/reader',
        secretType: 'Template',
        template: { data: { password: '${ecr.password}' } },
        tokens: [{ name: 'ecr', ecr: { region: 'eu-isoe-west-1' } }],
      },
      'spec.tokens[0].ecr.region',
    ],
  };

  test('makes the operator connect to no Region of another partition, nor to one that its grants leave out', async () => {
    const before = stage.aws.gateway.count('AssumeRole');
    const cases = Object.entries(regions).map(([title, [spec, field]], index) => ({
      title,
      spec,
      field,
      name: `far-${index}`,
    }));
    for (const { name, spec } of cases) await scene.apply(name, spec);
    for (const { name, field } of cases)
      expect(messageOf(await settled(scene, name, denied), 'Ready')).toContain(`(of ${field}) is not allowed`);
    await grant(stage, scene, 3, { roles: ['arn:self:iam::self:role/team-a/*'], regions: ['eu-*-*', 'ap-east-1'] });
    await scene.apply('outside', { roleName: 'team-a/reader', region: 'us-east-1' });
    expect(messageOf(await settled(scene, 'outside', denied), 'Ready')).toContain(
      `name one that fits eu-*-* or ap-east-1; or add it to spec.regions in RoleGrant ${scene.ns.name}-3`,
    );
    expect(stage.aws.gateway.count('AssumeRole')).toBe(before);
    await scene.apply('outside', { roleName: 'team-a/reader', region: 'eu-west-2' });
    await scene.ready('outside');
    expect(stage.aws.gateway.count('AssumeRole', { region: 'eu-west-2' })).toBe(1);
    await revoke(stage, scene, 3);
  });
});
