import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fromHttp, fromTokenFile } from '@aws-sdk/credential-providers';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { keysOf, refusalOf, TestClients, type TestKeys } from '../lab/aws/test-clients.ts';
import { startTestIssuer, type TestIssuer } from '../lab/aws/test-issuer.ts';
import {
  type Account,
  type LabAws,
  startAws,
  type TemporaryDirectory,
  type TrustPolicy,
  temporaryDirectory,
} from '../lab/index.ts';

const folder = fileURLToPath(new URL('../../examples/iam/', import.meta.url));
/** As the files name them. */
const OWN = '111122223333';
const PARTNER = '444455556666';
const ISSUER = 'https://oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE';
const WORKLOAD = { namespace: 'rolevend-system', serviceAccount: 'rolevend' };
const SUBJECT = `system:serviceaccount:${WORKLOAD.namespace}:${WORKLOAD.serviceAccount}`;

interface Policy {
  Version: string;
  Statement: { Sid: string; Action: string | string[] }[];
}

const text = (name: string) => readFile(join(folder, name), 'utf8');
const policy = async (name: string) => JSON.parse(await text(name)) as Policy;
const trust = async (name: string) => JSON.parse(await text(name)) as TrustPolicy;

describe('the policies of examples/iam', () => {
  let aws: LabAws;
  let partner: Account;
  let issuer: TestIssuer;
  let clients: TestClients;
  let directory: TemporaryDirectory;

  beforeAll(async () => {
    [aws, issuer, directory] = await Promise.all([
      startAws({ accountId: OWN }),
      startTestIssuer(),
      temporaryDirectory('iam-'),
    ]);
    partner = await aws.account(PARTNER);
    clients = new TestClients(aws);
    aws.gateway.trustIssuer({ issuer: ISSUER, jwksUri: `${issuer.issuer}/openid/v1/jwks` });
    await aws.oidcProvider(ISSUER);
    await createRoles();
  });
  afterEach(async () => {
    await restore();
  });
  afterAll(async () => {
    clients?.destroy();
    await directory?.remove();
    await issuer?.stop();
    await aws?.stop();
  });

  async function createRoles(): Promise<void> {
    const policies = { 'assume-roles': await policy('operator-policy.json') };
    await aws.createRole('rolevend', { trust: await trust('operator-trust-pod-identity.json'), policies });
    const pull = { pull: await policy('puller-policy.json') };
    const own = { path: '/team-a/', trust: await trust('role-trust.json') };
    await aws.createRole('backup', own);
    await aws.createRole('puller', { ...own, policies: pull });
    const crossing = { path: '/shared/', trust: await trust('role-trust-cross-account.json') };
    await partner.createRole('orders-reader', crossing);
    await aws.createRole('elsewhere', { trust: await trust('role-trust.json') });
  }

  async function restore(): Promise<void> {
    await aws.putPolicies('rolevend', { 'assume-roles': await policy('operator-policy.json') });
    await aws.updateTrust('rolevend', await trust('operator-trust-pod-identity.json'));
    await aws.updateTrust('backup', await trust('role-trust.json'));
    await partner.updateTrust('orders-reader', await trust('role-trust-cross-account.json'));
  }

  async function tokenFile(audience: string, claims: object = {}): Promise<string> {
    const file = join(directory.path, audience);
    await writeFile(file, await issuer.token({ iss: ISSUER, sub: SUBJECT, aud: [audience], ...claims }));
    return file;
  }

  async function podIdentity(): Promise<TestKeys> {
    const file = await tokenFile('pods.eks.amazonaws.com');
    const association = { ...WORKLOAD, roleArn: aws.roleArn('rolevend'), tokenFile: file };
    const environment = aws.gateway.podIdentity(association);
    return fromHttp({
      awsContainerCredentialsFullUri: environment.AWS_CONTAINER_CREDENTIALS_FULL_URI,
      awsContainerAuthorizationTokenFile: environment.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE,
      maxRetries: 0,
    })();
  }

  async function irsa(claims: object = {}): Promise<TestKeys> {
    await aws.updateTrust('rolevend', await trust('operator-trust-irsa.json'));
    const webIdentityTokenFile = await tokenFile('sts.amazonaws.com', claims);
    const clientConfig = { endpoint: aws.endpoint, region: aws.region };
    return fromTokenFile({ webIdentityTokenFile, roleArn: aws.roleArn('rolevend'), clientConfig })();
  }

  const ownRole = () => aws.roleArn('backup', '/team-a/');
  const partnerRole = () => partner.roleArn('orders-reader', '/shared/');
  const assumeOwn = (keys: TestKeys) => clients.assume(keys, ownRole());
  const assumePartner = (keys: TestKeys) => clients.assume(keys, partnerRole(), { ExternalId: 'team-a-7d2f' });

  test.each([
    ['EKS Pod Identity', podIdentity],
    ['IRSA', () => irsa()],
  ])('let the operator assume the roles of both accounts with %s, and no other', async (_, login) => {
    const keys = await login();
    expect(keysOf(await assumeOwn(keys)).sessionToken).not.toBe('');
    expect(keysOf(await assumePartner(keys)).sessionToken).not.toBe('');
    expect((await refusalOf(clients.assume(keys, aws.roleArn('elsewhere')))).code).toBe('AccessDenied');
    expect((await refusalOf(clients.assume(keys, partnerRole()))).code).toBe('AccessDenied');
  });

  test('let no other ServiceAccount be the operator', async () => {
    const stranger = irsa({ sub: 'system:serviceaccount:team-a:rolevend' });
    expect((await refusalOf(stranger)).code).toMatch(/AccessDenied/);
  });

  /** Every action of a policy, with the policy that lacks it. */
  async function without(name: string): Promise<[string, Policy][]> {
    const whole = await policy(name);
    return whole.Statement.flatMap(({ Sid, Action }) =>
      [Action].flat().map((action): [string, Policy] => {
        const rest = whole.Statement.map((one) =>
          one.Sid === Sid ? { ...one, Action: [one.Action].flat().filter((other) => other !== action) } : one,
        );
        return [`${Sid} ${action}`, { ...whole, Statement: rest.filter(({ Action: left }) => left.length > 0) }];
      }),
    );
  }

  test('hold nothing that Pod Identity does not need: each action less refuses a role', async () => {
    const needless: string[] = [];
    const attempt = async (what: string, assume: () => Promise<unknown>) => {
      const worked = await assume().then(
        () => true,
        () => false,
      );
      if (worked) needless.push(what);
      await restore();
    };
    for (const [what, less] of await without('operator-policy.json')) {
      await aws.putPolicies('rolevend', { 'assume-roles': less });
      const keys = await podIdentity();
      await attempt(what, what.startsWith('AssumeRolesOfThis') ? () => assumeOwn(keys) : () => assumePartner(keys));
    }
    for (const [what, less] of await without('role-trust.json')) {
      await aws.updateTrust('backup', less as unknown as TrustPolicy);
      await attempt(what, async () => assumeOwn(await podIdentity()));
    }
    for (const [what, less] of await without('role-trust-cross-account.json')) {
      await partner.updateTrust('orders-reader', less as unknown as TrustPolicy);
      await attempt(what, async () => assumePartner(await podIdentity()));
    }
    for (const [what, less] of await without('operator-trust-pod-identity.json')) {
      await aws.updateTrust('rolevend', less as unknown as TrustPolicy);
      await attempt(what, podIdentity);
    }
    expect(needless).toEqual([]);
  });
});
