import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type Aws, connectAws } from '../../lib/aws/connect.ts';
import { systemClock } from '../../lib/clock.ts';
import { createLogger } from '../../lib/log.ts';
import { createMetrics } from '../../lib/metrics.ts';
import { type LabAws, startAws, trustPrincipals } from '../lab/aws/index.ts';
import { startTestIssuer, type TestIssuer } from '../lab/aws/test-issuer.ts';

const before = { ...process.env };
let lab: LabAws;
let issuer: TestIssuer;
let directory: string;
let aws: Aws | undefined;

beforeAll(async () => {
  [lab, issuer] = await Promise.all([startAws(), startTestIssuer()]);
  directory = await mkdtemp(join(tmpdir(), 'identity-'));
  lab.gateway.trustIssuer({ issuer: issuer.issuer });
  const providerArn = await lab.oidcProvider(issuer.issuer);
  await lab.operatorRole('operator', { providerArn, namespace: 'shop', serviceAccount: 'api' });
});
afterAll(async () => {
  await rm(directory, { recursive: true });
  await issuer.stop();
  await lab.stop();
});
afterEach(async () => {
  await aws?.close();
  process.env = { ...before };
});

/** The operator in a Pod with these variables, and no files of the machine's user. */
function operatorWith(environment: Record<string, string>): Aws {
  const files = { AWS_CONFIG_FILE: join(directory, 'none'), AWS_SHARED_CREDENTIALS_FILE: join(directory, 'none') };
  process.env = { ...before, ...lab.environment(), ...files, ...environment };
  const log = createLogger({ level: 'error' });
  aws = connectAws({ aws: { region: lab.region }, clock: systemClock, log, metrics: createMetrics() });
  return aws;
}

async function tokenFile(audience: string): Promise<string> {
  const file = join(directory, audience);
  await writeFile(file, await issuer.token({ aud: [audience] }));
  return file;
}

async function podIdentity(): Promise<Record<string, string>> {
  const file = await tokenFile('pods.eks.amazonaws.com');
  const association = { namespace: 'shop', serviceAccount: 'api', roleArn: lab.roleArn('operator'), tokenFile: file };
  return { ...lab.gateway.podIdentity(association) };
}

describe('the default chain', () => {
  it('takes EKS Pod Identity, whose session carries tags', async () => {
    const { identity } = operatorWith(await podIdentity());
    await identity.credentials();
    expect(identity.current?.caller).toEqual({
      arn: expect.stringContaining(`arn:aws:sts::${lab.accountId}:assumed-role/operator/eks-`),
      accountId: lab.accountId,
      partition: 'aws',
      role: 'operator',
      isSession: true,
      carriesTags: true,
    });
  });

  it('asks for sts:TagSession in the advice under Pod Identity', async () => {
    const { Statement } = trustPrincipals(lab.roleArn('operator'));
    const statement = { ...(Array.isArray(Statement) ? Statement[0] : Statement), Action: 'sts:AssumeRole' };
    const trust = JSON.parse(JSON.stringify({ Version: '2012-10-17', Statement: [statement] }));
    const roleArn = await lab.createRole('untagged', { trust });
    const { sts } = operatorWith(await podIdentity());
    await expect(sts.assumeRole({ roleArn, sessionName: 'test', durationSeconds: 900 })).rejects.toMatchObject({
      code: 'AccessDenied',
      message: expect.stringContaining('"Action":["sts:AssumeRole","sts:TagSession"]'),
    });
  });

  it('takes a web identity token (IRSA), and vends with it', async () => {
    const { identity, sts } = operatorWith({
      AWS_WEB_IDENTITY_TOKEN_FILE: await tokenFile('sts.amazonaws.com'),
      AWS_ROLE_ARN: lab.roleArn('operator'),
    });
    const roleArn = await lab.createRole('target', { trust: trustPrincipals(lab.roleArn('operator')) });
    const session = await sts.assumeRole({ roleArn, sessionName: 'test', durationSeconds: 900 });
    expect(session.assumedRoleArn).toContain('/target/test');
    expect(identity.current?.caller).toMatchObject({ role: 'operator', isSession: true });
    expect(identity.current?.caller).not.toHaveProperty('carriesTags');
  });

  it('explains a role that does not trust the ServiceAccount', async () => {
    const roleArn = await lab.createRole('foreign', { trust: trustPrincipals(lab.roleArn('operator')) });
    const file = await tokenFile('sts.amazonaws.com');
    const { identity } = operatorWith({ AWS_WEB_IDENTITY_TOKEN_FILE: file, AWS_ROLE_ARN: roleArn });
    await expect(identity.credentials()).rejects.toMatchObject({ code: 'NoIdentity', consequence: 'retry' });
    expect(identity.problem).toMatch(/AccessDenied, request id .*OIDC provider/);
  });

  it('takes long-lived keys from the environment', async () => {
    const user = await lab.operatorUser();
    const keys = { AWS_ACCESS_KEY_ID: user.accessKeyId, AWS_SECRET_ACCESS_KEY: user.secretAccessKey };
    const { identity } = operatorWith(keys);
    await identity.credentials();
    const caller = { arn: user.arn, accountId: lab.accountId, partition: 'aws', isSession: false };
    expect(identity.current).toEqual({ caller });
  });

  it('says what was tried when there is nothing', async () => {
    const { identity } = operatorWith({});
    await expect(identity.credentials()).rejects.toMatchObject({ code: 'NoIdentity' });
    expect(identity.problem).toContain('Pod Identity');
    expect(identity.problem).toContain('IRSA');
  });

  it.each([
    ['no association', 404, 'Check that a Pod Identity association'],
    ['trouble', 500, 'It has trouble'],
  ])('tells what a Pod Identity agent with %s answered', async (what, status, says) => {
    const working = await podIdentity();
    if (what === 'trouble') lab.gateway.fail({ action: 'AssumeRoleForPodIdentity', with: '5xx' });
    const stranger = await issuer.token({ aud: ['pods.eks.amazonaws.com'], sub: 'system:serviceaccount:shop:nobody' });
    const file = join(directory, 'stranger');
    await writeFile(file, stranger);
    const { identity } = operatorWith({ ...working, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: file });
    await expect(identity.credentials()).rejects.toMatchObject({ code: 'NoIdentity' });
    lab.gateway.clear();
    expect(identity.problem).toContain(
      `the container credentials endpoint (EKS Pod Identity agent) answered with HTTP ${status}. ${says}`,
    );
    expect(identity.problem).not.toContain('Fix one of');
  });

  it('tells what the instance metadata service answered', async () => {
    const server = createServer((_request, response) => response.writeHead(404).end('<html>s3cret</html>'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const { identity } = operatorWith({
      AWS_EC2_METADATA_DISABLED: 'false',
      AWS_EC2_METADATA_SERVICE_ENDPOINT: `http://127.0.0.1:${port}`,
    });
    await expect(identity.credentials()).rejects.toMatchObject({ code: 'NoIdentity' });
    server.close();
    server.closeAllConnections();
    expect(identity.problem).toContain(
      'the instance metadata service answered with HTTP 404. The instance has no role',
    );
    expect(identity.problem).not.toContain('Fix one of');
  });

  it('notices a Pod Identity agent that is away, and the agent that comes', async () => {
    const working = await podIdentity();
    const { identity } = operatorWith({
      ...working,
      AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://127.0.0.1:9/v1/credentials',
    });
    await expect(identity.credentials()).rejects.toMatchObject({ code: 'NoIdentity' });
    expect(identity.problem).toContain('(EKS Pod Identity agent) cannot be reached (ECONNREFUSED)');
    Object.assign(process.env, working);
    const stop = new AbortController();
    const running = identity.start(stop.signal);
    const found = new Promise((resolve) => identity.onChange(resolve));
    expect(await found).toMatchObject({ role: 'operator' });
    stop.abort();
    await running;
  });
});
