import { createHash } from 'node:crypto';
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type LabAws, startAws, trustPrincipals, trustServiceAccount } from './index.ts';
import { keysOf, refusalOf, TestClients, type TestKeys } from './test-clients.ts';

describe('AssumeRole', () => {
  let aws: LabAws;
  let clients: TestClients;
  let operator: TestKeys & { arn: string };

  beforeAll(async () => {
    aws = await startAws();
    clients = new TestClients(aws);
    operator = await aws.operatorUser();
  });

  afterAll(async () => {
    clients.destroy();
    await aws.stop();
  });

  const role = (name: string, terms: Partial<Parameters<LabAws['createRole']>[1]> = {}) =>
    aws.createRole(name, { trust: trustPrincipals(operator.arn), ...terms });

  const denied = (roleArn: string, action = 'sts:AssumeRole', caller = operator.arn) => ({
    code: 'AccessDenied',
    status: 403,
    message: `User: ${caller} is not authorized to perform: ${action} on resource: ${roleArn}`,
  });

  test('gives a session of the role that lives as long as asked and is on record as one triple', async () => {
    const roleArn = await role('plain', { maxSessionDuration: 7200 });
    const answer = await clients.assume(operator, roleArn, { DurationSeconds: 7200 });
    const session = aws.gateway.issued().at(-1);
    expect(session).toEqual({
      ...keysOf(answer),
      action: 'AssumeRole',
      roleArn,
      arn: `arn:aws:sts::${aws.accountId}:assumed-role/plain/test`,
      caller: operator.arn,
      issuedAt: session?.issuedAt,
      expiresAt: answer.Credentials?.Expiration?.getTime(),
      transitiveTags: {},
      sourceIdentity: undefined,
    });
    expect((session?.expiresAt ?? 0) - (session?.issuedAt ?? 0)).toBe(7_200_000);
    expect(answer.PackedPolicySize).toBeUndefined();
    const identity = await clients.sts(keysOf(answer)).send(new GetCallerIdentityCommand({}));
    expect(identity.Arn).toBe(session?.arn);
  });

  test('knows a triple from a mixture of two', async () => {
    const roleArn = await role('mixture');
    const [one, two] = [
      keysOf(await clients.assume(operator, roleArn)),
      keysOf(await clients.assume(operator, roleArn)),
    ];
    expect([one, two].map((triple) => aws.gateway.isOneSession(triple))).toEqual([true, true]);
    expect(aws.gateway.isOneSession({ ...one, sessionToken: two.sessionToken })).toBe(false);
    expect(aws.gateway.isOneSession({ ...one, secretAccessKey: two.secretAccessKey })).toBe(false);
  });

  test('takes a role with a path by its whole ARN only', async () => {
    const roleArn = await role('deep', { path: '/team/a/' });
    expect(roleArn).toBe(`arn:aws:iam::${aws.accountId}:role/team/a/deep`);
    await clients.assume(operator, roleArn);
    const withoutPath = aws.roleArn('deep');
    expect(await refusalOf(clients.assume(operator, withoutPath))).toEqual(denied(withoutPath));
  });

  test('refuses a missing, a wrong and no external id, and takes the right one', async () => {
    const roleArn = await role('external', { trust: trustPrincipals(operator.arn, { externalId: 'lab/shop/api' }) });
    await clients.assume(operator, roleArn, { ExternalId: 'lab/shop/api' });
    expect(await refusalOf(clients.assume(operator, roleArn, { ExternalId: 'lab/shop/web' }))).toEqual(denied(roleArn));
    expect(await refusalOf(clients.assume(operator, roleArn))).toEqual(denied(roleArn));
  });

  test('refuses a role that is not there, and one that does not trust the caller until it does', async () => {
    const nowhere = aws.roleArn('nowhere');
    expect(await refusalOf(clients.assume(operator, nowhere))).toEqual(denied(nowhere));
    const roleArn = await role('distrusting', { trust: trustPrincipals(`arn:aws:iam::${aws.accountId}:user/admin`) });
    expect(await refusalOf(clients.assume(operator, roleArn))).toEqual(denied(roleArn));
    await aws.updateTrust('distrusting', trustPrincipals(operator.arn));
    await clients.assume(operator, roleArn);
    await aws.deleteRole('distrusting');
    expect(await refusalOf(clients.assume(operator, roleArn))).toEqual(denied(roleArn));
  });

  test('refuses a caller whose own policies do not allow it', async () => {
    const outsider = await aws.createUser('outsider', []);
    const roleArn = await role('own', { trust: trustPrincipals(outsider.arn) });
    expect(await refusalOf(clients.assume(outsider, roleArn))).toEqual(denied(roleArn, 'sts:AssumeRole', outsider.arn));
  });

  test.each([
    [{ DurationSeconds: 899 }, "'899' at 'durationSeconds'", 'Member must have value greater than or equal to 900'],
    [{ DurationSeconds: 43_201 }, "'43201' at 'durationSeconds'", 'Member must have value less than or equal to 43200'],
    [{ RoleSessionName: 'x' }, "'x' at 'roleSessionName'", 'Member must have length greater than or equal to 2'],
    [
      { RoleSessionName: 'a b' },
      "'a b' at 'roleSessionName'",
      'Member must satisfy regular expression pattern: [\\w+=,.@-]*',
    ],
  ])('refuses %j as malformed', async (input, value, constraint) => {
    expect(await refusalOf(clients.assume(operator, aws.roleArn('nowhere'), input))).toEqual({
      code: 'ValidationError',
      status: 400,
      message: `1 validation error detected: Value ${value} failed to satisfy constraint: ${constraint}`,
    });
  });

  test('refuses a duration over the maximum of the role', async () => {
    const roleArn = await role('short');
    expect(await refusalOf(clients.assume(operator, roleArn, { DurationSeconds: 3601 }))).toEqual({
      code: 'ValidationError',
      status: 400,
      message: 'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
    });
  });

  test('refuses more than an hour where the caller is itself a session of a role', async () => {
    const first = await role('first', { policies: ['sts:AssumeRole'] });
    const second = await role('second', { trust: trustPrincipals(first), maxSessionDuration: 43_200 });
    const base = keysOf(await clients.assume(operator, first));
    await clients.assume(base, second, { DurationSeconds: 3600 });
    expect(await refusalOf(clients.assume(base, second, { DurationSeconds: 3601 }))).toEqual({
      code: 'ValidationError',
      status: 400,
      message: 'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining',
    });
  });

  test('asks both sides for sts:TagSession, also for tags that come from the base session', async () => {
    const first = await role('tagged', { policies: ['sts:AssumeRole', 'sts:TagSession'] });
    const open = await role('open', { trust: trustPrincipals(first) });
    const closed = await role('closed', { trust: withoutTagSession(first) });
    const Tags = [{ Key: 'team', Value: 'a' }];
    const plain = keysOf(await clients.assume(operator, first, { Tags }));
    await clients.assume(plain, closed);
    const transitive = keysOf(await clients.assume(operator, first, { Tags, TransitiveTagKeys: ['team'] }));
    const caller = `arn:aws:sts::${aws.accountId}:assumed-role/tagged/test`;
    expect(await refusalOf(clients.assume(transitive, closed))).toEqual(denied(closed, 'sts:TagSession', caller));
    await clients.assume(transitive, open);
    expect(aws.gateway.issued().at(-1)?.transitiveTags).toEqual({ team: 'a' });
    await aws.putPolicies('tagged', ['sts:AssumeRole']);
    expect(await refusalOf(clients.assume(transitive, open))).toEqual(denied(open, 'sts:TagSession', caller));
  });

  test('says how much of the packed size is used, and refuses more than all of it', async () => {
    const roleArn = await role('packed');
    const Tags = [{ Key: 'key', Value: 'abc' }];
    const { PackedPolicySize = 0 } = await clients.assume(operator, roleArn, { Tags });
    expect(PackedPolicySize).toBeGreaterThan(0);
    expect(PackedPolicySize).toBeLessThan(10);
    const noise = (key: string) => ({ Key: key, Value: createHash('sha512').update(key).digest('base64') });
    const tooMuch = { Tags: ['a', 'b', 'c', 'd'].map(noise) };
    expect(await refusalOf(clients.assume(operator, roleArn, tooMuch))).toEqual({
      code: 'PackedPolicyTooLargeException',
      status: 400,
      message: expect.stringMatching(/^Packed size of session tags consumes 1\d\d% of allotted space.$/),
    });
  });

  test('keeps the source identity through a chain', async () => {
    const first = await role('sourced', { policies: ['sts:AssumeRole', 'sts:SetSourceIdentity'] });
    const second = await role('sourced-second', { trust: trustPrincipals(first) });
    const closed = await role('unsourced', { trust: withoutTagSession(first) });
    const answer = await clients.assume(operator, first, { SourceIdentity: 'alice' });
    expect(answer.SourceIdentity).toBe('alice');
    const base = keysOf(answer);
    expect((await clients.assume(base, second)).SourceIdentity).toBe('alice');
    const caller = `arn:aws:sts::${aws.accountId}:assumed-role/sourced/test`;
    const changed = clients.assume(base, second, { SourceIdentity: 'bob' });
    expect(await refusalOf(changed)).toEqual(denied(second, 'sts:SetSourceIdentity', caller));
    expect(await refusalOf(clients.assume(base, closed))).toEqual(denied(closed, 'sts:SetSourceIdentity', caller));
  });

  test('goes across accounts where both sides allow it', async () => {
    const other = await aws.account('444455556666');
    const roleArn = await other.createRole('remote', { trust: trustPrincipals(operator.arn) });
    const answer = await clients.assume(operator, roleArn);
    expect(answer.AssumedRoleUser?.Arn).toBe('arn:aws:sts::444455556666:assumed-role/remote/test');
    await other.updateTrust('remote', trustPrincipals(`arn:aws:iam::${aws.accountId}:user/admin`));
    expect(await refusalOf(clients.assume(operator, roleArn))).toEqual(denied(roleArn));
  });

  test('does not open a role of web identities', async () => {
    const trust = trustServiceAccount(`arn:aws:iam::${aws.accountId}:oidc-provider/x`, { namespace: 'a', name: 'b' });
    const roleArn = await role('web-only', { trust });
    expect(await refusalOf(clients.assume(operator, roleArn))).toEqual(denied(roleArn));
  });
});

function withoutTagSession(arn: string) {
  return {
    Version: '2012-10-17',
    Statement: { Effect: 'Allow' as const, Principal: { AWS: arn }, Action: 'sts:AssumeRole' },
  };
}
