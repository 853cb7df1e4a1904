import { GetAuthorizationTokenCommand } from '@aws-sdk/client-ecr';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../../lib/clock.ts';
import { parseCall } from './call.ts';
import { type LabAws, startAws } from './index.ts';
import { signAgain } from './signature.ts';
import { refusalOf, TestClients, type TestKeys } from './test-clients.ts';

describe('registry tokens', () => {
  let aws: LabAws;
  let clients: TestClients;
  let puller: TestKeys & { arn: string };
  let outsider: TestKeys & { arn: string };

  beforeAll(async () => {
    aws = await startAws();
    clients = new TestClients(aws);
    const actions = ['ecr:GetAuthorizationToken', 'ecr-public:GetAuthorizationToken', 'sts:GetServiceBearerToken'];
    puller = await aws.createUser('puller', actions);
    outsider = await aws.createUser('outsider', []);
  });

  afterEach(() => aws.gateway.clear());

  afterAll(async () => {
    clients.destroy();
    await aws.stop();
  });

  const token = async (keys: TestKeys) => {
    const { authorizationData = [] } = await clients.ecr(keys).send(new GetAuthorizationTokenCommand({}));
    return authorizationData[0];
  };

  test('of ECR are fresh each time, live 12 hours and name the registry', async () => {
    const [first, second] = [await token(puller), await token(puller)];
    const [user, password] = Buffer.from(first?.authorizationToken ?? '', 'base64')
      .toString()
      .split(':');
    expect(user).toBe('AWS');
    expect(first?.authorizationToken).not.toBe(second?.authorizationToken);
    expect(first?.proxyEndpoint).toBe(`https://${aws.accountId}.dkr.ecr.${aws.region}.amazonaws.com`);
    const issued = aws.gateway.ecrTokens()[0];
    expect(issued).toEqual({
      password,
      service: 'ecr',
      accountId: aws.accountId,
      region: aws.region,
      accessKeyId: puller.accessKeyId,
      issuedAt: issued?.issuedAt,
      expiresAt: (issued?.issuedAt ?? 0) + 12 * 3_600_000,
    });
    expect(first?.expiresAt?.getTime()).toBe(issued?.expiresAt);
  });

  test('of ECR live as long as commanded', async () => {
    aws.gateway.ecrTokenSeconds(8);
    await token(puller);
    const issued = aws.gateway.ecrTokens().at(-1);
    expect((issued?.expiresAt ?? 0) - (issued?.issuedAt ?? 0)).toBe(8000);
  });

  test('of ECR are refused in the words of its protocol', async () => {
    const action = 'ecr:GetAuthorizationToken';
    expect(await refusalOf(token(outsider))).toEqual({
      code: 'AccessDeniedException',
      status: 400,
      message: `User: ${outsider.arn} is not authorized to perform: ${action} on resource: * because no identity-based policy allows the ${action} action`,
    });
    expect(await refusalOf(token({ ...puller, secretAccessKey: 'wrong' }))).toMatchObject({
      code: 'InvalidSignatureException',
      status: 400,
    });
    expect(await refusalOf(token({ ...puller, accessKeyId: 'AKIAUNKNOWNUNKNOWN00' }))).toMatchObject({
      code: 'UnrecognizedClientException',
      status: 400,
    });
    aws.gateway.fail({ action: 'GetAuthorizationToken', with: 'Throttling', times: 1 });
    expect(await refusalOf(token(puller))).toEqual({
      code: 'ThrottlingException',
      status: 400,
      message: 'Rate exceeded',
    });
  });

  test('of ECR Public are given to valid callers only', async () => {
    const good = await publicToken(aws, puller);
    expect(good.status).toBe(200);
    const { authorizationData } = good.body as { authorizationData: { authorizationToken: string } };
    expect(Buffer.from(authorizationData.authorizationToken, 'base64').toString()).toMatch(/^AWS:.{100}/);
    const wrong = await publicToken(aws, { ...puller, secretAccessKey: 'wrong' });
    expect([wrong.status, wrong.body.__type]).toEqual([400, 'InvalidSignatureException']);
    const denied = await publicToken(aws, outsider);
    expect([denied.status, denied.body.__type]).toEqual([400, 'AccessDeniedException']);
    const unknown = await publicToken(aws, { ...puller, accessKeyId: 'AKIAUNKNOWNUNKNOWN00' });
    expect([unknown.status, unknown.body.__type]).toEqual([400, 'UnrecognizedClientException']);
  });
});

/** ecr-public:GetAuthorizationToken without its SDK client. */
async function publicToken(aws: LabAws, keys: TestKeys) {
  const at = systemClock.now();
  const headers = {
    host: new URL(aws.endpoint).host,
    'content-type': 'application/x-amz-json-1.1',
    'x-amz-target': 'SpencerFrontendService.GetAuthorizationToken',
    authorization: `AWS4-HMAC-SHA256 Credential=${keys.accessKeyId}/20260101/us-east-1/ecr-public/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=none`,
  };
  const call = parseCall('POST', '/', headers, Buffer.from('{}'), 'us-east-1');
  const { headers: signed } = signAgain(call, keys.secretAccessKey, { at });
  const response = await fetch(aws.endpoint, { method: 'POST', headers: signed, body: '{}' });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}
