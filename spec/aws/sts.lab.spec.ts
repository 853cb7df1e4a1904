import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type Aws, connectAws } from '../../lib/aws/connect.ts';
import type { AwsOptions, CallerIdentity } from '../../lib/aws/options.ts';
import { Admission } from '../../lib/aws/rate.ts';
import { systemClock } from '../../lib/clock.ts';
import { AssumeRoleIssuer, bucketOf } from '../../lib/credentials/assume-role.ts';
import { issueRequest } from '../../lib/credentials/request.ts';
import { createLogger } from '../../lib/log.ts';
import { createMetrics } from '../../lib/metrics.ts';
import { type LabAws, startAws, trustPrincipals } from '../lab/aws/index.ts';
import { eventually } from '../support/eventually.ts';

let lab: LabAws;
let operator: Awaited<ReturnType<LabAws['operatorUser']>>;
let open: Aws[] = [];

beforeAll(async () => {
  lab = await startAws();
  operator = await lab.operatorUser();
});
afterAll(async () => {
  await lab.stop();
});
afterEach(async () => {
  lab.gateway.clear();
  lab.gateway.forgetCalls();
  await Promise.all(open.map((aws) => aws.close()));
  open = [];
});

function connect(options: Partial<AwsOptions> = {}): Aws {
  const provider = async () => ({ accessKeyId: operator.accessKeyId, secretAccessKey: operator.secretAccessKey });
  const aws = connectAws({
    aws: { region: lab.region, endpoint: lab.endpoint, provider, ...options },
    clock: systemClock,
    log: createLogger({ level: 'error' }),
    metrics: createMetrics(),
  });
  open.push(aws);
  return aws;
}

/** Nothing here needs the token of a ServiceAccount. */
const cluster = { createToken: () => Promise.reject(new Error('no cluster')) };

function admission() {
  const self = () => ({ caller: undefined, region: lab.region });
  return new Admission({ clock: systemClock, metrics: createMetrics(), self, onGranted: () => {} });
}

async function callerOf(aws: Aws): Promise<CallerIdentity> {
  await aws.identity.credentials();
  const { current } = aws.identity;
  if (current === undefined) throw new Error('no identity');
  return current.caller;
}

function role(name: string, terms: Partial<Parameters<LabAws['createRole']>[1]> = {}): Promise<string> {
  return lab.createRole(name, { trust: trustPrincipals(operator.arn), ...terms });
}

describe('AssumeRole', () => {
  it('gives one session with the times of the server', async () => {
    const roleArn = await role('plain');
    const session = await connect().sts.assumeRole({ roleArn, sessionName: 'rolevend-a.b', durationSeconds: 900 });
    const [issued] = lab.gateway.issued().slice(-1);
    expect({
      accessKeyId: session.accessKeyId,
      secretAccessKey: session.secretAccessKey.reveal(),
      sessionToken: session.sessionToken.reveal(),
      arn: session.assumedRoleArn,
      expiresAt: session.expiresAt,
    }).toEqual({
      accessKeyId: issued?.accessKeyId,
      secretAccessKey: issued?.secretAccessKey,
      sessionToken: issued?.sessionToken,
      arn: issued?.arn,
      expiresAt: issued?.expiresAt,
    });
    expect(Math.abs(session.expiresAt - session.issuedAt - 900_000)).toBeLessThanOrEqual(1000);
  });

  it('sends the external id', async () => {
    const roleArn = await role('external', { trust: trustPrincipals(operator.arn, { externalId: 'ext-1' }) });
    const { sts } = connect();
    const input = { roleArn, sessionName: 'test', durationSeconds: 900 };
    expect(await sts.assumeRole({ ...input, externalId: 'ext-1' })).toBeDefined();
    await expect(sts.assumeRole(input)).rejects.toMatchObject({ code: 'AccessDenied' });
  });

  it('explains a denial with both statements and the request id, and works once the role trusts us', async () => {
    const roleArn = await role('denied', { trust: trustPrincipals(lab.roleArn('nobody')) });
    const { sts } = connect();
    const input = { roleArn, sessionName: 'test', durationSeconds: 900, externalId: 'ext-1' };
    const error = await sts.assumeRole(input).catch((thrown: unknown) => thrown as Error & { requestId?: string });
    expect(error).toMatchObject({ code: 'AccessDenied', consequence: 'stop', requestId: expect.any(String) });
    const { message, requestId } = error as Error & { requestId: string };
    for (const part of [
      requestId,
      `Identity policy of ${operator.arn}: {"Effect":"Allow","Action":"sts:AssumeRole","Resource":"${roleArn}"}`,
      `Trust policy of ${roleArn}: {"Effect":"Allow","Principal":{"AWS":"${operator.arn}"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"ext-1"}}}`,
    ]) {
      expect(message).toContain(part);
    }
    await lab.updateTrust('denied', trustPrincipals(operator.arn, { externalId: 'ext-1' }));
    expect((await sts.assumeRole(input)).assumedRoleArn).toContain('/denied/test');
  });

  it('ends at its deadline when STS stalls, and the next call works', async () => {
    const roleArn = await role('stalled');
    const { sts, identity } = connect({ callTimeoutMs: 500 });
    await identity.credentials();
    lab.gateway.fail({ action: 'AssumeRole', with: 'stall', times: 1 });
    const input = { roleArn, sessionName: 'test', durationSeconds: 900 };
    await expect(sts.assumeRole(input)).rejects.toMatchObject({ code: 'StsUnreachable', consequence: 'retry' });
    expect((await sts.assumeRole(input)).assumedRoleArn).toContain('/stalled/test');
  });

  it.each([
    ['5xx', 'InternalFailure', 'retry'],
    ['reset', 'StsUnreachable', 'retry'],
    ['garbage', 'StsUnreachable', 'retry'],
    ['ServiceUnavailable', 'ServiceUnavailable', 'retry'],
    ['Throttling', 'Throttling', 'retry'],
    ['RegionDisabledException', 'RegionDisabled', 'stop'],
    ['PackedPolicyTooLarge', 'PackedPolicyTooLarge', 'stop'],
    ['MalformedPolicyDocument', 'MalformedPolicyDocument', 'stop'],
  ])('maps %s to %s and %s', async (fault, code, consequence) => {
    lab.gateway.fail({ action: 'AssumeRole', with: fault });
    const roleArn = lab.roleArn('plain');
    const refused = connect().sts.assumeRole({ roleArn, sessionName: 'test', durationSeconds: 900 });
    await expect(refused).rejects.toMatchObject({ code, consequence });
    expect(lab.gateway.count('AssumeRole')).toBe(1);
  });

  it.each([
    ['an hour', 3_600_000],
    ['minus an hour', -3_600_000],
  ])('signs with the time of a server whose clock is ahead by %s and tells the difference', async (_what, skewMs) => {
    const roleArn = await role(`skew${skewMs}`.replace('-', 'minus'));
    lab.gateway.clockSkew(skewMs);
    const { sts } = connect();
    const session = await sts.assumeRole({ roleArn, sessionName: 'test', durationSeconds: 900 });
    expect(Math.abs(sts.skewMs - skewMs)).toBeLessThan(60_000);
    const left = session.expiresAt - (systemClock.now() + sts.skewMs);
    expect(Math.abs(left - 900_000)).toBeLessThan(60_000);
  });
});

describe('an issue', () => {
  function request(aws: { caller: CallerIdentity }, roleArn: string, durationSeconds: number, url?: string) {
    const ecr =
      url === undefined
        ? { secretType: 'Map' as const }
        : { secretType: 'EcrDockerConfigJson' as const, ecrRepositoryUrl: url };
    const spec = { roleArn, durationSeconds, secretName: 's', ...ecr };
    return issueRequest({
      object: { metadata: { namespace: 'a', name: 'b' }, spec },
      terms: {},
      caller: aws.caller,
      region: lab.region,
    });
  }

  it('falls back to an hour when the role allows no more, and says so', async () => {
    const roleArn = await role('short', { maxSessionDuration: 3600 });
    const aws = connect();
    const caller = await callerOf(aws);
    const issuer = new AssumeRoleIssuer({ ...aws, cluster, admission: admission() });
    const result = await issuer.issue(request({ caller }, roleArn, 43_200));
    expect({
      seconds: result.effectiveDurationSeconds,
      role: result.roleSeconds,
      clamps: result.clamps.map(({ reason }) => reason),
    }).toEqual({
      seconds: 3600,
      role: 3600,
      clamps: ['RoleMaximum'],
    });
    expect(lab.gateway.calls({ action: 'AssumeRole' }).map(({ code }) => code)).toEqual(['ValidationError', undefined]);
  });

  it('gets a registry token with the vended session, in the Region of the registry', async () => {
    const roleArn = await role('puller', { policies: ['ecr:GetAuthorizationToken'] });
    const aws = connect();
    const caller = await callerOf(aws);
    const issuer = new AssumeRoleIssuer({ ...aws, cluster, admission: admission() });
    const { session, logins } = await issuer.issue(
      request({ caller }, roleArn, 900, `${lab.accountId}.dkr.ecr.us-east-2.amazonaws.com`),
    );
    const [token] = lab.gateway.ecrTokens().slice(-1);
    const [login] = logins ?? [];
    expect({
      password: login?.token.password.reveal(),
      expiresAt: login?.token.expiresAt,
      region: token?.region,
      by: token?.accessKeyId,
    }).toEqual({
      password: token?.password,
      expiresAt: token?.expiresAt,
      region: 'us-east-2',
      by: session.accessKeyId,
    });
  });

  it('gets a token of ECR Public with the vended session, from us-east-1', async () => {
    const policies = ['ecr-public:GetAuthorizationToken', 'sts:GetServiceBearerToken'];
    const roleArn = await role('public-puller', { policies });
    const aws = connect();
    const issuer = new AssumeRoleIssuer({ ...aws, cluster, admission: admission() });
    const { session, logins } = await issuer.issue(
      request({ caller: await callerOf(aws) }, roleArn, 900, 'public.ecr.aws'),
    );
    const [token] = lab.gateway.ecrTokens().slice(-1);
    expect(logins?.map(({ token: { password, expiresAt } }) => [password.reveal(), expiresAt])).toEqual([
      [token?.password, token?.expiresAt],
    ]);
    expect([token?.service, token?.region, token?.accessKeyId]).toEqual([
      'ecr-public',
      'us-east-1',
      session.accessKeyId,
    ]);
  });

  it.each([
    ['ecr:GetAuthorizationToken', '111122223333.dkr.ecr.us-east-2.amazonaws.com'],
    ['"ecr-public:GetAuthorizationToken","sts:GetServiceBearerToken"', 'public.ecr.aws'],
  ])('names the right %s that the role lacks at %s', async (action, url) => {
    const roleArn = await role(`no-puller-${url.length}`);
    const aws = connect();
    const caller = await callerOf(aws);
    const issuer = new AssumeRoleIssuer({ ...aws, cluster, admission: admission() });
    const refused = issuer.issue(request({ caller }, roleArn, 900, url));
    await expect(refused).rejects.toMatchObject({
      code: 'AccessDenied',
      message: expect.stringContaining(action),
    });
  });

  it('slows down when STS throttles', async () => {
    const roleArn = await role('throttled');
    const aws = connect();
    const caller = await callerOf(aws);
    const limits = admission();
    const issuer = new AssumeRoleIssuer({ ...aws, cluster, admission: limits });
    lab.gateway.fail({ action: 'AssumeRole', with: 'Throttling' });
    const one = request({ caller }, roleArn, 900);
    await expect(issuer.issue(one)).rejects.toMatchObject({ code: 'Throttling', consequence: 'retry' });
    expect(limits.tokens(bucketOf(one))).toBeLessThanOrEqual(100);
    limits.close();
  });
});

describe('the own identity', () => {
  it('is fetched anew when STS says that it has expired', async () => {
    await lab.createRole('rolevend', { trust: trustPrincipals(operator.arn), policies: ['sts:AssumeRole'] });
    const roleArn = await role('base', { trust: trustPrincipals([operator.arn, lab.roleArn('rolevend')]) });
    const user = connect();
    // The end that the provider tells is wrong, so that only STS knows that the session is over.
    const provider = async () => {
      const session = await user.sts.assumeRole({
        roleArn: lab.roleArn('rolevend'),
        sessionName: 'pod',
        durationSeconds: 900,
      });
      const secrets = {
        secretAccessKey: session.secretAccessKey.reveal(),
        sessionToken: session.sessionToken.reveal(),
      };
      return { accessKeyId: session.accessKeyId, ...secrets, expiration: new Date(systemClock.now() + 3_600_000) };
    };
    const { sts, identity } = connect({ provider });
    await identity.credentials();
    lab.gateway.clockSkew(1_000_000);
    const input = { roleArn, sessionName: 'test', durationSeconds: 900 };
    const next = async () => (await sts.assumeRole(input)).assumedRoleArn;
    expect(await eventually('a session after the renewal', next)).toContain('/base/test');
    expect(identity.current?.caller).toMatchObject({ role: 'rolevend', isSession: true });
  });
});
