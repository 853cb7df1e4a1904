import { AssumeRoleWithWebIdentityCommand, type AssumeRoleWithWebIdentityCommandInput } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../../lib/clock.ts';
import { type LabAws, startAws, trustPrincipals, trustServiceAccount } from './index.ts';
import { keysOf, refusalOf, TestClients } from './test-clients.ts';
import { startTestIssuer, type TestIssuer } from './test-issuer.ts';

describe('AssumeRoleWithWebIdentity', () => {
  let aws: LabAws;
  let clients: TestClients;
  let issuer: TestIssuer;
  let providerArn: string;
  let roleArn: string;

  beforeAll(async () => {
    [aws, issuer] = await Promise.all([startAws(), startTestIssuer()]);
    clients = new TestClients(aws);
    providerArn = await aws.oidcProvider(issuer.issuer);
    const trust = trustServiceAccount(providerArn, { namespace: 'shop', name: 'api' });
    roleArn = await aws.createRole('web', { trust, maxSessionDuration: 7200, policies: ['sts:AssumeRole'] });
  });

  afterAll(async () => {
    clients.destroy();
    await issuer.stop();
    await aws.stop();
  });

  const assume = (WebIdentityToken: string, input: Partial<AssumeRoleWithWebIdentityCommandInput> = {}) => {
    const client = clients.sts({ accessKeyId: 'unused', secretAccessKey: 'unused' });
    const command = { RoleArn: roleArn, RoleSessionName: 'web', WebIdentityToken, ...input };
    return client.send(new AssumeRoleWithWebIdentityCommand(command));
  };

  const denied = {
    code: 'AccessDenied',
    status: 403,
    message: 'Not authorized to perform sts:AssumeRoleWithWebIdentity',
  };

  test('gives a session for a good token, named after the subject', async () => {
    const answer = await assume(await issuer.token(), { DurationSeconds: 7200 });
    expect(answer).toMatchObject({
      SubjectFromWebIdentityToken: 'system:serviceaccount:shop:api',
      Audience: 'sts.amazonaws.com',
      Provider: providerArn,
      AssumedRoleUser: { Arn: `arn:aws:sts::${aws.accountId}:assumed-role/web/web` },
    });
    expect(aws.gateway.isOneSession(keysOf(answer))).toBe(true);
    expect(aws.gateway.calls({ action: 'AssumeRoleWithWebIdentity' }).at(-1)).toEqual({
      service: 'sts',
      action: 'AssumeRoleWithWebIdentity',
      region: aws.region,
      role: roleArn,
      caller: 'system:serviceaccount:shop:api',
      at: expect.any(Number),
      parameters: expect.not.objectContaining({ WebIdentityToken: expect.anything() }),
      status: 200,
    });
  });

  test('refuses a forged token', async () => {
    expect(await refusalOf(assume(await issuer.forged()))).toEqual({
      code: 'InvalidIdentityTokenException',
      status: 400,
      message: expect.stringContaining("Couldn't retrieve verification key from your identity provider"),
    });
  });

  test('refuses an expired token, and one that is not yet valid', async () => {
    const now = Math.floor(systemClock.now() / 1000);
    expect(await refusalOf(assume(await issuer.token({ exp: now - 10 })))).toEqual({
      code: 'ExpiredTokenException',
      status: 400,
      message: expect.stringContaining(`must be before the expiration date/time ${now - 10}`),
    });
    expect(await refusalOf(assume(await issuer.token({ nbf: now + 60 })))).toMatchObject({
      code: 'InvalidIdentityTokenException',
      status: 400,
    });
  });

  test('refuses a token for another audience', async () => {
    expect(await refusalOf(assume(await issuer.token({ aud: ['kubernetes'] })))).toEqual({
      code: 'InvalidIdentityTokenException',
      status: 400,
      message: 'Incorrect token audience',
    });
  });

  test('refuses the token of an issuer that the account does not know', async () => {
    const foreign = await startTestIssuer();
    try {
      expect(await refusalOf(assume(await foreign.token()))).toEqual({
        code: 'InvalidIdentityTokenException',
        status: 400,
        message: `No OpenIDConnect provider found in your account for ${foreign.issuer}`,
      });
      const posing = await foreign.token({ iss: issuer.issuer });
      expect(await refusalOf(assume(posing))).toMatchObject({ code: 'InvalidIdentityTokenException', status: 400 });
    } finally {
      await foreign.stop();
    }
  });

  test('refuses what is no token', async () => {
    expect(await refusalOf(assume('not.a.token'))).toEqual({
      code: 'InvalidIdentityTokenException',
      status: 400,
      message: 'The ID Token provided is not a valid JWT.',
    });
  });

  test('refuses another ServiceAccount, and a role that trusts only users', async () => {
    expect(await refusalOf(assume(await issuer.token({ sub: 'system:serviceaccount:shop:web' })))).toEqual(denied);
    const RoleArn = await aws.createRole('users', {
      trust: trustPrincipals(`arn:aws:iam::${aws.accountId}:user/admin`),
    });
    expect(await refusalOf(assume(await issuer.token(), { RoleArn }))).toEqual(denied);
  });

  test('refuses a duration over the maximum of the role', async () => {
    expect(await refusalOf(assume(await issuer.token(), { DurationSeconds: 7201 }))).toEqual({
      code: 'ValidationError',
      status: 400,
      message: 'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
    });
  });

  test('counts as a role session: what is assumed with it lives an hour at most', async () => {
    const second = await aws.createRole('after-web', { trust: trustPrincipals(roleArn), maxSessionDuration: 7200 });
    const base = keysOf(await assume(await issuer.token()));
    await clients.assume(base, second);
    expect(await refusalOf(clients.assume(base, second, { DurationSeconds: 7200 }))).toEqual({
      code: 'ValidationError',
      status: 400,
      message: 'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining',
    });
  });

  test('says when the issuer cannot be asked for its keys', async () => {
    const dying = await startTestIssuer();
    try {
      await aws.oidcProvider(dying.issuer);
      dying.breakDown();
      expect(await refusalOf(assume(await dying.token()))).toEqual({
        code: 'IDPCommunicationErrorException',
        status: 400,
        message: `Error communicating with the identity provider at ${dying.issuer}`,
      });
    } finally {
      await dying.stop();
    }
  });
});
