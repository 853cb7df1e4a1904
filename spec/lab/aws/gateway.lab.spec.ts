import { ListRolesCommand } from '@aws-sdk/client-iam';
import { AssumeRoleCommand, GetCallerIdentityCommand, GetSessionTokenCommand } from '@aws-sdk/client-sts';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { systemClock, withDeadline } from '../../../lib/clock.ts';
import { ManualClock, scaledClock } from '../../support/clock.ts';
import { eventually } from '../../support/eventually.ts';
import { type LabAws, startAws, trustPrincipals } from './index.ts';
import { keysOf, refusalOf, TestClients, type TestKeys } from './test-clients.ts';

describe('the gateway', () => {
  let aws: LabAws;
  let clients: TestClients;
  let operator: TestKeys & { arn: string };
  let app: string;

  beforeAll(async () => {
    aws = await startAws();
    clients = new TestClients(aws);
    operator = await aws.operatorUser();
    app = await aws.createRole('app', { trust: trustPrincipals(operator.arn), policies: ['iam:ListRoles'] });
  });

  afterEach(() => {
    aws.gateway.clear();
    aws.gateway.forgetCalls();
  });

  afterAll(async () => {
    clients.destroy();
    await aws.stop();
  });

  const whoAmI = (keys: TestKeys) => clients.sts(keys).send(new GetCallerIdentityCommand({}));

  describe('authenticates', () => {
    test('the owner of a key', async () => {
      expect((await whoAmI(operator)).Arn).toBe(operator.arn);
    });

    test('nobody with a wrong signature', async () => {
      expect(await refusalOf(whoAmI({ ...operator, secretAccessKey: 'wrong' }))).toEqual({
        code: 'SignatureDoesNotMatch',
        status: 403,
        message: expect.stringContaining('The request signature we calculated does not match'),
      });
    });

    test.each(['AKIAUNKNOWNUNKNOWN00', 'test', '111122223333'])(
      'nobody with the unknown key %s',
      async (accessKeyId) => {
        expect(await refusalOf(whoAmI({ accessKeyId, secretAccessKey: 'test' }))).toEqual({
          code: 'InvalidClientTokenId',
          status: 403,
          message: 'The security token included in the request is invalid.',
        });
      },
    );

    test('nobody with the token of another session', async () => {
      const [one, two] = [keysOf(await clients.assume(operator, app)), keysOf(await clients.assume(operator, app))];
      expect(await refusalOf(whoAmI({ ...one, sessionToken: two.sessionToken }))).toMatchObject({
        code: 'InvalidClientTokenId',
        status: 403,
      });
    });

    test('nobody without a signature', async () => {
      const response = await fetch(`${aws.endpoint}/?Action=GetCallerIdentity&Version=2011-06-15`);
      expect([response.status, await response.text()]).toEqual([
        403,
        expect.stringContaining('<Code>MissingAuthenticationToken</Code>'),
      ]);
    });
  });

  test('refuses a session after its end, which a command brings near', async () => {
    aws.gateway.sessionSeconds(1, { role: 'app' });
    const answer = await clients.assume(operator, app, { DurationSeconds: 3600 });
    expect(answer.Credentials?.Expiration?.getTime()).toBeLessThanOrEqual(systemClock.now() + 1000);
    const refusal = await eventually('the end of the session', () => refusalOf(whoAmI(keysOf(answer))));
    expect(refusal).toEqual({
      code: 'ExpiredToken',
      status: 403,
      message: 'The security token included in the request is expired',
    });
  });

  test('records sessions of users too, which are no role chaining', async () => {
    const answer = await clients.sts(operator).send(new GetSessionTokenCommand({}));
    expect(aws.gateway.isOneSession(keysOf(answer))).toBe(true);
    const long = await aws.createRole('long', { trust: trustPrincipals(operator.arn), maxSessionDuration: 7200 });
    await clients.assume(keysOf(answer), long, { DurationSeconds: 7200 });
  });

  test('counts calls by action, role, caller and Region', async () => {
    const other = await aws.createRole('other', { trust: trustPrincipals(operator.arn) });
    const before = systemClock.now();
    await clients.assume(operator, app, { ExternalId: 'given' });
    await clients.assume(operator, other);
    await refusalOf(clients.assume(operator, aws.roleArn('none')));
    const { gateway } = aws;
    expect(gateway.count('AssumeRole')).toBe(3);
    expect(gateway.count('AssumeRole', { role: 'other' })).toBe(1);
    expect(gateway.count('AssumeRole', { caller: 'rolevend', region: aws.region })).toBe(3);
    expect(gateway.count('AssumeRole', { caller: 'admin' })).toBe(0);
    const [first] = gateway.calls({ role: app });
    expect(first).toEqual({
      service: 'sts',
      action: 'AssumeRole',
      region: aws.region,
      role: app,
      caller: operator.arn,
      at: first?.at,
      parameters: expect.objectContaining({ RoleSessionName: 'test', ExternalId: 'given' }),
      status: 200,
    });
    expect(first?.at).toBeGreaterThanOrEqual(before);
    expect(gateway.calls({ role: 'none' })[0]?.code).toBe('AccessDenied');
  });

  describe('on command', () => {
    test.each([
      ['Throttling', { code: 'Throttling', status: 400, message: 'Rate exceeded' }],
      ['ServiceUnavailable', { code: 'ServiceUnavailable', status: 503, message: expect.any(String) }],
      ['5xx', { code: 'InternalFailure', status: 500, message: expect.any(String) }],
      ['TooManyRequestsException', { code: 'TooManyRequestsException', status: 429, message: expect.any(String) }],
      ['RegionDisabledException', { code: 'RegionDisabledException', status: 403, message: expect.any(String) }],
    ])('answers %s once', async (kind, expected) => {
      aws.gateway.fail({ action: 'AssumeRole', with: kind, times: 1 });
      expect(await refusalOf(clients.assume(operator, app))).toEqual(expected);
      await clients.assume(operator, app);
    });

    test('denies one role and no other, until it is taken back', async () => {
      const spared = await aws.createRole('spared', { trust: trustPrincipals(operator.arn) });
      aws.gateway.fail({ action: 'AssumeRole', role: 'app', with: 'AccessDenied' });
      expect(await refusalOf(clients.assume(operator, app))).toEqual({
        code: 'AccessDenied',
        status: 403,
        message: `User: ${operator.arn} is not authorized to perform: sts:AssumeRole on resource: ${app}`,
      });
      await clients.assume(operator, spared);
      aws.gateway.clear();
      await clients.assume(operator, app);
    });

    test('resets a connection', async () => {
      aws.gateway.fail({ with: 'reset', times: 1 });
      expect(await refusalOf(whoAmI(operator))).toMatchObject({ code: expect.stringMatching(/ECONNRESET|Error/) });
    });

    test('stalls until the client gives up', async () => {
      aws.gateway.fail({ with: 'stall', times: 1 });
      const stalled = withDeadline(systemClock, 300, undefined, (abortSignal) =>
        clients.sts(operator).send(new GetCallerIdentityCommand({}), { abortSignal }),
      );
      expect(await refusalOf(stalled)).toMatchObject({ code: 'AbortError' });
      await whoAmI(operator);
    });

    test('loses the answer after AWS carried the call out', async () => {
      const before = aws.gateway.issued().length;
      aws.gateway.fail({ action: 'AssumeRole', with: 'reset', after: true, times: 1 });
      await refusalOf(clients.assume(operator, app));
      expect(aws.gateway.issued()).toHaveLength(before + 1);
    });

    test('answers late', async () => {
      aws.gateway.fail({ with: 'none', delayMs: 150, times: 1 });
      const before = systemClock.monotonic();
      await whoAmI(operator);
      expect(systemClock.monotonic() - before).toBeGreaterThanOrEqual(145);
    });

    test.each(['garbage', 'page'])('answers with what is no answer of AWS: %s', async (kind) => {
      aws.gateway.fail({ with: kind, times: 1 });
      await expect(whoAmI(operator)).rejects.toThrow();
    });

    test('answers in pieces', async () => {
      aws.gateway.fail({ with: 'slow', times: 1 });
      const before = systemClock.monotonic();
      expect((await whoAmI(operator)).Arn).toBe(operator.arn);
      expect(systemClock.monotonic() - before).toBeGreaterThanOrEqual(1_800);
    });

    test('stops in the middle of an answer to a call that AWS has carried out', async () => {
      const before = aws.gateway.issued().length;
      aws.gateway.fail({ action: 'AssumeRole', with: 'frozen', times: 1 });
      const frozen = withDeadline(systemClock, 1_000, undefined, (abortSignal) =>
        clients.sts(operator).send(new AssumeRoleCommand({ RoleArn: app, RoleSessionName: 'test' }), { abortSignal }),
      );
      expect(await refusalOf(frozen)).toMatchObject({ code: 'AbortError' });
      expect(aws.gateway.issued()).toHaveLength(before + 1);
    });

    test('fails a share of the calls, the same ones for the same seed', async () => {
      const client = clients.sts(operator);
      const outcomes = async () => {
        aws.gateway.clear();
        aws.gateway.fail({ action: 'GetCallerIdentity', with: 'Throttling', ratio: 0.5, seed: 7 });
        const seen: boolean[] = [];
        for (let call = 0; call < 20; call += 1) {
          const sent = client.send(new GetCallerIdentityCommand({}));
          seen.push(
            await sent.then(
              () => true,
              () => false,
            ),
          );
        }
        return seen;
      };
      const [once, again] = [await outcomes(), await outcomes()];
      expect(again).toEqual(once);
      const good = once.filter(Boolean).length;
      expect(good).toBeGreaterThan(4);
      expect(good).toBeLessThan(16);
    });

    test('has a clock that is off: a little passes, too much is refused until the client corrects its own', async () => {
      aws.gateway.clockSkew(10 * 60_000);
      await whoAmI(operator);
      aws.gateway.clockSkew(3_600_000);
      expect(await refusalOf(whoAmI(operator))).toMatchObject({
        code: 'SignatureDoesNotMatch',
        status: 403,
        message: expect.stringMatching(/^Signature expired: \w+ is now earlier than \w+ \(\w+ - 15 min.\)$/),
      });
      const corrected = await clients.sts(operator, 2).send(new GetCallerIdentityCommand({}));
      expect(corrected.$metadata.attempts).toBe(2);
    });
  });

  test('lets other services through as they are', async () => {
    const { Roles = [] } = await aws.iam.send(new ListRolesCommand({}));
    expect(Roles.map(({ RoleName }) => RoleName)).toContain('app');
  });
});

describe('an AWS with a clock of its own', () => {
  test('grants and ends sessions by that clock', async () => {
    const clock = new ManualClock(systemClock.now());
    const aws = await startAws({ clock });
    const clients = new TestClients(aws);
    try {
      const operator = await aws.operatorUser();
      const app = await aws.createRole('app', { trust: trustPrincipals(operator.arn) });
      const answer = await clients.assume(operator, app, { DurationSeconds: 900 });
      const granted = (answer.Credentials?.Expiration?.getTime() ?? 0) - clock.now();
      expect(Math.round(granted / 1000)).toBeLessThanOrEqual(900);
      const client = clients.sts(keysOf(answer));
      await clock.advance(890_000);
      await client.send(new GetCallerIdentityCommand({}));
      await clock.advance(20_000);
      expect(await refusalOf(client.send(new GetCallerIdentityCommand({})))).toMatchObject({ code: 'ExpiredToken' });
      await clock.advance(100 * 3_600_000);
      await clients.assume(operator, app);
    } finally {
      clients.destroy();
      await aws.stop();
    }
  });

  test('serves a client through days in a moment', async () => {
    const clock = scaledClock(200_000);
    const aws = await startAws({ clock });
    const clients = new TestClients(aws);
    try {
      const operator = await aws.operatorUser();
      const RoleArn = await aws.createRole('app', { trust: trustPrincipals(operator.arn) });
      const client = clients.sts(operator);
      const start = clock.now();
      await eventually('two days', async () => {
        await client.send(new AssumeRoleCommand({ RoleArn, RoleSessionName: 'scaled' }));
        return clock.now() - start > 2 * 86_400_000;
      });
      const issued = aws.gateway.issued();
      expect(new Set(issued.map(({ accessKeyId }) => accessKeyId)).size).toBe(issued.length);
      expect(issued.at(-1)?.issuedAt).toBeGreaterThan(start + 86_400_000);
    } finally {
      clients.destroy();
      await aws.stop();
    }
  });
});
