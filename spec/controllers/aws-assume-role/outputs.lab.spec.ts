import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { AWSAssumeRoleSpec } from '../../../lib/api/aws-assume-role.ts';
import { rfc3339 } from '../../../lib/clock.ts';
import { trustPrincipals } from '../../lab/index.ts';
import { type App, assumptions, openApp } from './observe.ts';
import { grant, messageOf } from './probes.ts';

describe('the data of the Secret', () => {
  let app: App;

  beforeAll(async () => {
    app = await openApp();
  });

  afterAll(async () => {
    await app?.close();
  });

  /** What the object writes, and the session that the gateway issued for it. */
  async function written(name: string, spec: Partial<AWSAssumeRoleSpec>) {
    await app.scene.apply(name, spec);
    const { status } = await app.scene.ready(name);
    const secret = await app.scene.secret(name);
    const session = app.stage.aws.gateway.issued().find(({ accessKeyId }) => accessKeyId === status?.accessKeyId);
    if (session === undefined) throw new Error(`nothing was issued for ${name}`);
    return { ...session, expiration: status?.expiresAt ?? '', type: secret?.type, text: secret?.text };
  }

  test('is, for type Env, the variables that AWS SDKs read', async () => {
    const { accessKeyId, secretAccessKey, sessionToken, type, text } = await written('env', { secretType: 'Env' });
    expect({ type, text }).toEqual({
      type: 'Opaque',
      text: { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: sessionToken },
    });
  });

  test('is, for type Process, what a credential_process prints and the file that names it, for an hour', async () => {
    const { accessKeyId, secretAccessKey, sessionToken, expiration, type, text, ...session } = await written(
      'process',
      {
        secretType: 'Process',
      },
    );
    expect(type).toBe('Opaque');
    expect({ ...text, 'credentials.json': JSON.parse(text?.['credentials.json'] ?? '') }).toEqual({
      'credentials.json': {
        Version: 1,
        AccessKeyId: accessKeyId,
        SecretAccessKey: secretAccessKey,
        SessionToken: sessionToken,
        Expiration: expiration,
      },
      config: '[default]\ncredential_process=cat /.aws/credentials.json',
    });
    expect(session.expiresAt - session.issuedAt).toBe(3_600_000);
  });

  test('has the names and extras that output asks for, in the Region of the object', async () => {
    const output: AWSAssumeRoleSpec['output'] = {
      keys: { credentials: 'cloud' },
      profile: 'velero',
      include: ['expiration', 'region', 'roleArn', 'config'],
    };
    const spec = { secretType: 'File', region: 'eu-west-1', output } as const;
    const { accessKeyId, secretAccessKey, sessionToken, expiration, text } = await written('named', spec);
    expect(text).toEqual({
      cloud: `[velero]\naws_access_key_id=${accessKeyId}\naws_secret_access_key=${secretAccessKey}\naws_session_token=${sessionToken}`,
      config: '[profile velero]\nregion=eu-west-1',
      expiration,
      region: 'eu-west-1',
      roleArn: app.stage.aws.roleArn('app'),
    });
  });

  test('is, for type Template, exactly what the templates say', async () => {
    const data = { 'conf.json': '{"id": "${accessKeyId}", "until": ${expirationUnix}}', static: '$${accountId}' };
    const { accessKeyId, expiresAt, type, text } = await written('template', {
      secretType: 'Template',
      template: { data },
    });
    expect({ type, text }).toEqual({
      type: 'Opaque',
      text: { 'conf.json': `{"id": "${accessKeyId}", "until": ${expiresAt / 1000}}`, static: '${accountId}' },
    });
  });

  test('holds registry tokens that a template names, made with the session, and lives by them where it holds no more', async () => {
    const tokens = [
      { name: 'own', ecr: {} },
      { name: 'other', ecr: { accountId: '444455556666', region: 'us-west-2' } },
      { name: 'idle', ecr: { region: 'us-east-2' } },
    ];
    const data = {
      login: '${own.username}:${own.password}@${own.registry}',
      auth: '${other.auth} ${other.expiration}',
    };
    const { accessKeyId, expiration, text } = await written('tokens', {
      secretType: 'Template',
      template: { data },
      tokens,
    });
    const { gateway, accountId, region } = app.stage.aws;
    const issued = gateway.ecrTokens().filter((token) => token.accessKeyId === accessKeyId);
    const [own, other, ...more] = issued.sort((a, b) => (a.accountId < b.accountId ? -1 : 1));
    expect([own?.accountId, own?.region, other?.accountId, other?.region, more]).toEqual([
      accountId,
      region,
      '444455556666',
      'us-west-2',
      [],
    ]);
    const end = rfc3339(Math.min(...issued.map(({ expiresAt }) => expiresAt)));
    expect({ expiration, text }).toEqual({
      expiration: end,
      text: {
        login: `AWS:${own?.password}@${accountId}.dkr.ecr.${region}.amazonaws.com`,
        auth: `${Buffer.from(`AWS:${other?.password}`).toString('base64')} ${rfc3339(other?.expiresAt ?? 0)}`,
      },
    });
  });

  test('ends with the session where it holds a part of it beside a token', async () => {
    const mixed = await written('mixed', {
      template: { data: { password: '${ecr.password}' } },
      tokens: [{ name: 'ecr', ecr: {} }],
    });
    expect(Date.parse(mixed.expiration)).toBe(mixed.expiresAt);
    expect(Object.keys(mixed.text ?? {})).toEqual([
      'awsAccessKeyId',
      'awsSecretAccessKey',
      'awsSessionToken',
      'password',
    ]);
  });

  test('is not written for a template with an unknown name, and no session is asked for', async () => {
    const { scene, stage } = app;
    await scene.apply('misspelt', { secretType: 'Template', template: { data: { id: '${accesKeyId}' } } });
    const object = await scene.condition('misspelt', 'Stalled', 'True', 'InvalidSpec');
    const says =
      'spec.template.data.id uses the unknown name "accesKeyId"; known are accessKeyId, secretAccessKey, sessionToken, expiration, expirationUnix, issuedAt, region, roleArn, accountId; write $${ for a literal ${';
    expect([messageOf(object, 'Stalled'), messageOf(object, 'Ready')]).toEqual([says, says]);
    expect(assumptions(stage, scene, 'misspelt')).toEqual([]);
    const mended = { secretType: 'Template', template: { data: { id: '${accessKeyId}' } } } as const;
    const { accessKeyId, text } = await written('misspelt', mended);
    expect(text).toEqual({ id: accessKeyId });
  });

  test('follows a change of output at once, with one new session in the same Secret', async () => {
    const before = await written('changing', {});
    const uid = (await app.scene.secret('changing'))?.metadata.uid;
    const after = await written('changing', { output: { keys: { awsAccessKeyId: 'id' }, include: ['region'] } });
    expect({ uid: (await app.scene.secret('changing'))?.metadata.uid, text: after.text }).toEqual({
      uid,
      text: {
        id: after.accessKeyId,
        awsSecretAccessKey: after.secretAccessKey,
        awsSessionToken: after.sessionToken,
        region: app.stage.aws.region,
      },
    });
    expect(after.accessKeyId).not.toBe(before.accessKeyId);
    expect(assumptions(app.stage, app.scene, 'changing')).toHaveLength(2);
  });

  test('of type Process that a grant shortens under an hour says what AWS SDKs make of it', async () => {
    const { aws, keys } = app.stage;
    await aws.createRole('short', { trust: trustPrincipals(keys.arn) });
    await grant(app.stage, app.scene, 1, { roles: ['arn:self:iam::self:role/short'], maxDurationSeconds: 1800 });
    await app.scene.apply('short', { roleName: 'short', secretType: 'Process' });
    const object = await app.scene.condition('short', 'DurationClamped', 'True', 'Grant');
    expect(messageOf(object, 'DurationClamped')).toContain('AWS SDKs reload up to 15 minutes before the end');
  });
});
