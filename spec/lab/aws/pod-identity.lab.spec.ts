import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromHttp } from '@aws-sdk/credential-providers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type LabAws, startAws, trustPodIdentity, trustPrincipals } from './index.ts';
import { refusalOf, TestClients } from './test-clients.ts';
import { startTestIssuer, type TestIssuer } from './test-issuer.ts';

const AUDIENCE = 'pods.eks.amazonaws.com';

describe('the EKS Pod Identity agent', () => {
  let aws: LabAws;
  let clients: TestClients;
  let issuer: TestIssuer;
  let tokenFile: string;
  let roleArn: string;

  beforeAll(async () => {
    [aws, issuer] = await Promise.all([startAws(), startTestIssuer()]);
    clients = new TestClients(aws);
    tokenFile = join(await mkdtemp(join(tmpdir(), 'pod-identity-')), 'token');
    aws.gateway.trustIssuer({ issuer: issuer.issuer });
    roleArn = await aws.operatorRole();
  });

  afterAll(async () => {
    clients.destroy();
    await rm(join(tokenFile, '..'), { recursive: true });
    await issuer.stop();
    await aws.stop();
  });

  /** What an SDK with the Pod's environment gets for this token. */
  const credentials = async (token: string, terms: { serviceAccount?: string; role?: string } = {}) => {
    await writeFile(tokenFile, token);
    const { serviceAccount = 'api', role = roleArn } = terms;
    const environment = aws.gateway.podIdentity({ namespace: 'shop', serviceAccount, roleArn: role, tokenFile });
    return fromHttp({
      awsContainerCredentialsFullUri: environment.AWS_CONTAINER_CREDENTIALS_FULL_URI,
      awsContainerAuthorizationTokenFile: environment.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE,
      maxRetries: 0,
    })();
  };

  test('gives a session of the associated role, with the tags of the Pod', async () => {
    const pod = { pod: { name: 'api-5c9f', uid: '7c0b1f2e-0000-4000-8000-000000000001' } };
    const given = await credentials(await issuer.token({ aud: [AUDIENCE], 'kubernetes.io': pod }));
    const session = aws.gateway.issued().at(-1);
    expect(session).toMatchObject({
      accessKeyId: given.accessKeyId,
      secretAccessKey: given.secretAccessKey,
      sessionToken: given.sessionToken,
      action: 'AssumeRoleForPodIdentity',
      roleArn,
      caller: 'system:serviceaccount:shop:api',
      expiresAt: given.expiration?.getTime(),
      transitiveTags: {
        'eks-cluster-arn': `arn:aws:eks:${aws.region}:${aws.accountId}:cluster/lab`,
        'eks-cluster-name': 'lab',
        'kubernetes-namespace': 'shop',
        'kubernetes-service-account': 'api',
        'kubernetes-pod-name': 'api-5c9f',
        'kubernetes-pod-uid': '7c0b1f2e-0000-4000-8000-000000000001',
      },
    });
    expect((session?.expiresAt ?? 0) - (session?.issuedAt ?? 0)).toBe(6 * 3_600_000);
  });

  test('gives sessions that chain: their tags go on, take packed size and ask for sts:TagSession', async () => {
    const base = await credentials(await issuer.token({ aud: [AUDIENCE] }));
    const second = await aws.createRole('target', { trust: trustPrincipals(roleArn) });
    const keys = { ...base, sessionToken: base.sessionToken ?? '' };
    const { PackedPolicySize = 0 } = await clients.assume(keys, second);
    expect(PackedPolicySize).toBeGreaterThan(60);
    expect(PackedPolicySize).toBeLessThan(80);
    const bare = { Effect: 'Allow' as const, Principal: { AWS: roleArn }, Action: 'sts:AssumeRole' };
    const closed = await aws.createRole('closed', { trust: { Statement: bare } });
    expect(await refusalOf(clients.assume(keys, closed))).toMatchObject({
      code: 'AccessDenied',
      message: expect.stringContaining('is not authorized to perform: sts:TagSession on resource'),
    });
  });

  test('refuses tokens for another audience, forged ones and those of an unknown issuer', async () => {
    const foreign = await startTestIssuer();
    const tokens = [
      await issuer.token(),
      await issuer.forged({ aud: [AUDIENCE] }),
      await foreign.token({ aud: [AUDIENCE] }),
    ];
    await foreign.stop();
    aws.gateway.forgetCalls();
    for (const token of tokens) await expect(credentials(token)).rejects.toThrow();
    const codes = aws.gateway.calls({ action: 'AssumeRoleForPodIdentity' }).map(({ code, status }) => [status, code]);
    expect(codes).toEqual([
      [400, 'InvalidIdentityToken'],
      [400, 'InvalidIdentityToken'],
      [400, 'InvalidTokenException'],
    ]);
  });

  test('refuses a ServiceAccount without an association, and a role that does not trust the service', async () => {
    const stranger = await issuer.token({ aud: [AUDIENCE], sub: 'system:serviceaccount:shop:stranger' });
    aws.gateway.forgetCalls();
    await expect(credentials(stranger)).rejects.toThrow();
    const role = await aws.createRole('user-only', { trust: trustPrincipals(`arn:aws:iam::${aws.accountId}:root`) });
    const token = await issuer.token({ aud: [AUDIENCE], sub: 'system:serviceaccount:shop:lost' });
    await expect(credentials(token, { serviceAccount: 'lost', role })).rejects.toThrow();
    await aws.updateTrust('user-only', trustPodIdentity());
    await credentials(token, { serviceAccount: 'lost', role });
    const results = aws.gateway.calls({ action: 'AssumeRoleForPodIdentity' }).map(({ code, status }) => [status, code]);
    expect(results).toEqual([
      [404, 'ResourceNotFoundException'],
      [400, 'AccessDeniedException'],
      [200, undefined],
    ]);
  });
});
