import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { AWSAssumeRole } from '../../../lib/api/aws-assume-role.ts';
import { type Account, type TrustStatement, trustPrincipals, trustServiceAccount } from '../../lab/index.ts';
import { eventually } from '../../support/eventually.ts';
import { findLeaks } from '../../support/leaks.ts';
import { requestRefresh } from './observe.ts';
import { eventsAbout, grant, messageOf, openTimeScene, openTimeStage, settled, type TimeStage } from './probes.ts';
import { type Scene, type SceneOptions, tripleOf } from './support.ts';

const issued = { Ready: 'True/Issued', Refreshed: 'True/Issued', Granted: 'True/Granted' };
const clamped = { ...issued, DurationClamped: 'True/RoleChaining' };
const denied = {
  Ready: 'False/GrantDenied',
  Stalled: 'True/GrantDenied',
  Refreshed: 'False/GrantDenied',
  Granted: 'False/GrantDenied',
};
const PARTNER = '444455556666';
const policies = ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'];
const own = 'arn:self:iam::self:role/*';
const partners = `arn:aws:iam::${PARTNER}:role/hops/*`;
const open = { roles: [own, partners], sessionName: 'Any', sourceIdentity: 'Any', tenantTagKeys: ['team', 'stage'] };

describe('a chain', () => {
  let stage: TimeStage;
  let partner: Account;
  let scene: Scene | undefined;
  /** ARNs of four hops, alternating between two accounts, and of the role that they lead to. */
  let hops: string[];
  let target: string;

  beforeAll(async () => {
    stage = await openTimeStage();
    partner = await stage.aws.account(PARTNER);
    hops = [];
    for (const [index, account] of [stage.aws, partner, partner, stage.aws].entries()) {
      const trust = trustPrincipals(hops.at(-1) ?? stage.keys.arn, { externalId: `ext-${index}` });
      hops.push(await account.createRole(`hop-${index}`, { path: '/hops/', trust, policies }));
    }
    const trust = trustPrincipals(hops.at(-1) ?? '', { externalId: 'ext-target' });
    target = await stage.aws.createRole('target', { trust, maxSessionDuration: 43_200 });
  });

  afterEach(async () => {
    await scene?.close();
    scene = undefined;
    stage.aws.gateway.clear();
    stage.aws.gateway.forgetCalls();
  });

  afterAll(() => stage?.stop());

  async function openWith(spec: object | undefined, options: SceneOptions = {}): Promise<Scene> {
    scene = await openTimeScene(stage, { grants: spec === undefined ? [] : [spec], ...options });
    return scene;
  }

  const calls = () => stage.aws.gateway.calls({ action: 'AssumeRole' });
  const chain = () => hops.map((roleArn, index) => ({ roleArn, externalId: `ext-${index}` }));
  const sessionArn = (roleArn: string, session: string) => {
    const [, , , , account, resource = ''] = roleArn.split(':');
    return `arn:aws:sts::${account}:assumed-role/${resource.split('/').at(-1)}/${session}`;
  };

  test('of four hops carries external ids and transitive tags to the role, for an hour at most', async () => {
    const at = await openWith(open);
    const [first, second, ...rest] = chain();
    const tagged = [
      { ...first, sessionTags: { team: 'a', stage: 'dev' }, transitiveTagKeys: ['team'] },
      second,
      ...rest,
    ] as ReturnType<typeof chain>;
    const session = {
      externalId: 'ext-target',
      sessionName: 'mine',
      sourceIdentity: 'jane',
      sessionTags: { stage: 'prod' },
    };
    await at.apply('app', { roleArn: target, chain: tagged, durationSeconds: 43_200, ...session });
    const object = await settled(at, 'app', clamped);
    const derived = `rolevend-${at.ns.name}.app`;
    const callers = [stage.keys.arn, ...hops.map((roleArn) => sessionArn(roleArn, derived))];
    expect(calls().map(({ role, caller, status }) => ({ role, caller, status }))).toEqual(
      [...hops, target].map((role, index) => ({ role, caller: callers[index], status: 200 })),
    );
    const said = calls().map(({ parameters: { Action: _, Version: __, RoleArn: ___, ...parameters } }) => parameters);
    const common = { RoleSessionName: derived, DurationSeconds: '900' };
    expect(said).toEqual([
      {
        ...common,
        ExternalId: 'ext-0',
        'Tags.member.1.Key': 'stage',
        'Tags.member.1.Value': 'dev',
        'Tags.member.2.Key': 'team',
        'Tags.member.2.Value': 'a',
        'TransitiveTagKeys.member.1': 'team',
      },
      ...['ext-1', 'ext-2', 'ext-3'].map((ExternalId) => ({ ...common, ExternalId })),
      {
        RoleSessionName: 'mine',
        DurationSeconds: '3600',
        ExternalId: 'ext-target',
        SourceIdentity: 'jane',
        'Tags.member.1.Key': 'stage',
        'Tags.member.1.Value': 'prod',
      },
    ]);
    const vended = stage.aws.gateway.issued().at(-1);
    expect({ tags: vended?.transitiveTags, arn: vended?.arn, source: vended?.sourceIdentity }).toEqual({
      tags: { team: 'a' },
      arn: sessionArn(target, 'mine'),
      source: 'jane',
    });
    const { accessKeyId, effectiveDurationSeconds } = object.status ?? {};
    expect({ accessKeyId, effectiveDurationSeconds }).toEqual({
      accessKeyId: vended?.accessKeyId,
      effectiveDurationSeconds: 3600,
    });
    expect(messageOf(object, 'DurationClamped')).toContain('The role is reached through spec.chain');
    expect(messageOf(object, 'Granted').split('; ')).toHaveLength(5);
  });

  test('shows and stores nothing of the sessions on the way, over a rotation', async () => {
    const at = await openWith(open);
    await at.apply('app', { roleArn: target, chain: chain(), externalId: 'ext-target' });
    const { status: before } = await settled(at, 'app', issued);
    stage.clock.skip(500_000);
    await eventually('the rotation', () => calls().length === 10);
    await eventually('its status', async () => (await at.status('app')).accessKeyId !== before?.accessKeyId);
    expect((await at.status('app')).assumedRoleArn).toBe(before?.assumedRoleArn);
    const secret = await at.secret('app');
    expect(stage.aws.gateway.isOneSession(tripleOf(secret?.text ?? {}))).toBe(true);
    const all = await at.ns.kubectl('get', 'secrets,configmaps', '--output', 'json', '--show-managed-fields');
    const texts = {
      log: at.operator.log.join(''),
      object: JSON.stringify(await at.get('app')),
      secret: Object.values(secret?.text ?? {}).join(' '),
      stored: all.stdout,
      events: JSON.stringify(await eventsAbout(at, 'app')),
      metrics: await at.operator.metrics.metrics(),
    };
    const intermediate = stage.aws.gateway.issued().filter(({ roleArn }) => hops.includes(roleArn ?? ''));
    const values = intermediate.flatMap(({ secretAccessKey, sessionToken }, index) => [
      [`key ${index}`, secretAccessKey],
      [`token ${index}`, sessionToken],
    ]);
    expect(intermediate.length).toBeGreaterThanOrEqual(8);
    expect(findLeaks(texts, Object.fromEntries(values) as Record<string, string>)).toEqual([]);
    const said = Object.values(texts).join(' ');
    expect(intermediate.filter(({ accessKeyId }) => said.includes(accessKeyId))).toEqual([]);
  });

  test('is denied for one hop that no grant allows, and issued as soon as one does', async () => {
    const at = await openWith({ ...open, roles: [own] });
    await at.apply('app', { roleArn: target, chain: chain(), externalId: 'ext-target' });
    const message = messageOf(await settled(at, 'app', denied), 'Granted');
    expect(message).toContain(`namespace ${at.ns.name} may not use role ${hops[1]}`);
    expect(calls()).toEqual([]);
    await grant(stage, at, 1, { roles: [hops[1]] });
    await eventually('the message to name the next role', async () =>
      messageOf((await at.get('app')) as AWSAssumeRole, 'Granted').includes(`may not use role ${hops[2]}`),
    );
    await grant(stage, at, 2, { roles: [partners] });
    await settled(at, 'app', issued);
  });

  test('is denied where a hop would hand on a tag that the role after it does not allow, and AWS is not asked', async () => {
    const at = await openWith({ roles: [`arn:self:iam::self:role/hops/*`, partners], tenantTagKeys: ['team'] });
    await grant(stage, at, 1, { roles: ['arn:self:iam::self:role/target'] });
    const [first, ...rest] = chain();
    const tagged = { ...first, sessionTags: { team: 'victims' }, transitiveTagKeys: ['team'] } as (typeof rest)[number];
    await at.apply('app', { roleArn: target, chain: [tagged, ...rest], externalId: 'ext-target' });
    const object = await settled(at, 'app', denied);
    expect(messageOf(object, 'Granted')).toContain(
      `transitiveTagKeys of chain[0] may not hand on team for namespace ${at.ns.name} and role ${target}`,
    );
    expect([await at.secret('app'), calls()]).toEqual([undefined, []]);
  });

  test('that a hop refuses names the two roles between which a statement lacks, and is mended with it', async () => {
    const at = await openWith(open);
    await partner.updateTrust('hop-2', trustPrincipals(stage.keys.arn));
    await at.apply('app', { roleArn: target, chain: chain(), externalId: 'ext-target' });
    const object = await settled(at, 'app', {
      Ready: 'False/AccessDenied',
      Reconciling: 'True/Retrying',
      Refreshed: 'False/AccessDenied',
      Granted: 'True/Granted',
    });
    const message = messageOf(object, 'Ready');
    expect(message).toContain(
      `Identity policy of ${hops[1]}: {"Effect":"Allow","Action":"sts:AssumeRole","Resource":"${hops[2]}"} Trust policy of ${hops[2]}: `,
    );
    const statement = JSON.parse(message.slice(message.lastIndexOf(': {') + 2)) as TrustStatement;
    await partner.updateTrust('hop-2', { Version: '2012-10-17', Statement: statement });
    await requestRefresh(at, 'app', 'repaired');
    await settled(at, 'app', issued);
  });

  test('can begin with the token of a ServiceAccount, without any grant', async () => {
    const at = await openWith(undefined);
    const { aws, plane } = stage;
    aws.gateway.trustIssuer({ issuer: plane.issuer, caFile: plane.caFile });
    const provider = await aws.oidcProvider(plane.issuer);
    const trust = trustServiceAccount(provider, { namespace: at.ns.name, name: 'default' });
    const first = await aws.createRole('web-hop', { trust, policies });
    const last = await aws.createRole('behind', { trust: trustPrincipals(first, { externalId: 'ext-9' }) });
    const auth = { type: 'ServiceAccount', serviceAccountRef: { name: 'default' } } as const;
    const session = { externalId: 'ext-9', sourceIdentity: 'jane', sessionTags: { team: 'a' } };
    await at.apply('app', { roleArn: last, auth, chain: [{ roleArn: first }], durationSeconds: 7200, ...session });
    await settled(at, 'app', clamped);
    const made = aws.gateway.calls().filter(({ role }) => role === first || role === last);
    const subject = `system:serviceaccount:${at.ns.name}:default`;
    expect(made.map(({ action, caller }) => `${action} ${caller}`)).toEqual([
      `AssumeRoleWithWebIdentity ${subject}`,
      `AssumeRole ${sessionArn(first, `rolevend-${at.ns.name}.app`)}`,
    ]);
    expect(aws.gateway.issued().at(-1)).toMatchObject({ roleArn: last, sourceIdentity: 'jane' });
  });
});
