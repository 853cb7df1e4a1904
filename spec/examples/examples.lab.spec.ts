import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { AWSAssumeRole } from '../../lib/api/aws-assume-role.ts';
import { findCondition } from '../../lib/api/conditions.ts';
import { plainData } from '../../lib/controllers/aws-assume-role/inspect.ts';
import type { Secret } from '../../lib/controllers/aws-assume-role/secret.ts';
import { tripleOf } from '../controllers/aws-assume-role/support.ts';
import { manifestsOf, pages } from '../docs/pages.ts';
import { askWithSdk } from '../lab/demo/clients.ts';
import {
  type ControlPlane,
  expectSuccess,
  type LabAws,
  startAws,
  startControlPlane,
  type TemporaryDirectory,
  temporaryDirectory,
  trustPrincipals,
  trustServiceAccount,
} from '../lab/index.ts';
import { eventually } from '../support/eventually.ts';
import { startOperator, type TestOperator } from '../support/operator.ts';
import { askFromMount, podOf, pullWithHelm, readAs } from './consumers.ts';
import { type Parts, type Shape, shapes } from './shapes.ts';

const examples = fileURLToPath(new URL('../../examples/', import.meta.url));
/** The examples are made for this namespace and these accounts. */
const NAMESPACE = 'team-a';
const PARTNER = '444455556666';
/** A namespace of another team. */
const OTHERS = 'team-b';

describe('the examples', () => {
  /** A control plane of their own, since a grant is cluster-wide. */
  let plane: ControlPlane;
  let aws: LabAws;
  let operator: TestOperator;
  let directory: TemporaryDirectory;

  beforeAll(async () => {
    plane = await startControlPlane({ name: 'examples' });
    aws = await startAws();
    const keys = await aws.operatorUser();
    await createRoles(keys.arn);
    await createServiceAccountRole();
    await kubectl('create', 'namespace', NAMESPACE);
    await kubectl('create', 'namespace', OTHERS);
    operator = await startOperator({ plane, aws, keys, namespaces: [NAMESPACE, OTHERS] });
    directory = await temporaryDirectory('rolevend-examples-');
  });

  afterAll(async () => {
    await directory?.remove();
    await operator?.stop();
    await aws?.stop();
    await plane?.stop();
  });

  async function createRoles(operatorArn: string): Promise<void> {
    const own = { path: `/${NAMESPACE}/`, trust: trustPrincipals(operatorArn) };
    await aws.createRole('reports', own);
    await aws.createRole('backup', own);
    await aws.createRole('audited', own);
    await aws.createRole('uploader', own);
    await aws.createRole('sync', own);
    await aws.createRole('batch', own);
    const policy = async (name: string) => JSON.parse(await readFile(`${examples}iam/${name}`, 'utf8')) as object;
    const policies = { pull: await policy('puller-policy.json'), public: await policy('puller-public-policy.json') };
    await aws.createRole('puller', { ...own, policies });
    const partner = await aws.account(PARTNER);
    const trust = trustPrincipals(operatorArn, { externalId: 'team-a-7d2f' });
    await partner.createRole('orders-reader', { path: '/shared/', trust });
    const gateway = await aws.createRole('gateway', { ...own, policies: ['sts:AssumeRole'] });
    const fromGateway = trustPrincipals(gateway, { externalId: 'team-a-7d2f' });
    const shared = { path: '/shared/', policies: ['sts:AssumeRole'] };
    const entrance = await partner.createRole('entrance', { ...shared, trust: fromGateway });
    await partner.createRole('audit-reader', { ...shared, trust: trustPrincipals(entrance) });
  }

  async function createServiceAccountRole(): Promise<void> {
    aws.gateway.trustIssuer({ issuer: plane.issuer, caFile: plane.caFile });
    const provider = await aws.oidcProvider(plane.issuer);
    const trust = trustServiceAccount(provider, { namespace: NAMESPACE, name: 'ledger' });
    await aws.createRole('ledger', { path: `/${NAMESPACE}/`, trust, maxSessionDuration: 43_200 });
  }

  async function kubectl(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await plane.kubectl(...args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return stdout;
  }

  async function objects(): Promise<AWSAssumeRole[]> {
    const path = `/apis/pincette.net/v1/namespaces/${NAMESPACE}/awsassumeroles`;
    return expectSuccess(await plane.request<{ items: AWSAssumeRole[] }>('GET', path), path).items;
  }

  test('are accepted by a strict API server, and every AWSAssumeRole becomes Ready with the grant among them', async () => {
    const files = (await readdir(examples)).filter((name) => name.endsWith('.yaml'));
    for (const file of files) {
      const flags = ['--server-side', '--validate=strict', `--namespace=${NAMESPACE}`, `--filename=${examples}${file}`];
      expect(await kubectl('apply', ...flags)).toContain('serverside-applied');
    }
    const ready = await eventually('all to be ready', async () => {
      const all = await objects();
      return all.every(({ status }) => findCondition(status?.conditions, 'Ready')?.status === 'True') ? all : undefined;
    });
    expect(ready?.map(({ spec }) => spec.secretName).sort()).toEqual(Object.keys(shapes).sort());
  });

  /** What was issued for an object. */
  async function partsOf(name: string): Promise<Parts> {
    const { status } = (await objects()).find(({ metadata }) => metadata.name === name) ?? {};
    const isOfSession = ({ accessKeyId }: { accessKeyId: string }) => accessKeyId === status?.accessKeyId;
    const session = aws.gateway.issued().find(isOfSession);
    if (session === undefined) throw new Error(`nothing was issued for ${name}`);
    const tokens = aws.gateway.ecrTokens().filter(isOfSession);
    const passwords = tokens.map(({ service, accountId, region, password }) => [
      service === 'ecr' ? `${accountId}/${region}` : 'public',
      password,
    ]);
    return { session, passwords: Object.fromEntries(passwords) };
  }

  test.each(Object.keys(shapes))('write a Secret exactly as its reader wants it: %s', async (secretName) => {
    const owner = (await objects()).find(({ spec }) => spec.secretName === secretName);
    const path = `/api/v1/namespaces/${NAMESPACE}/secrets/${secretName}`;
    const { type = '', metadata, ...secret } = expectSuccess(await plane.request<Secret>('GET', path), path);
    const { 'aws-assume-role': _, 'rolevend.dev/managed': __, ...labels } = metadata.labels ?? {};
    const found: Shape = {
      type,
      ...(Object.keys(labels).length > 0 && { labels }),
      data: plainData({ metadata, ...secret }),
    };
    expect(found).toEqual(shapes[secretName]?.(await partsOf(owner?.metadata.name ?? '')));
  });

  test('name Secrets in their workloads that an AWSAssumeRole writes', async () => {
    const pod =
      '{.volumes[*].secret.secretName} {.imagePullSecrets[*].name} {.containers[*].envFrom[*].secretRef.name} ';
    const names = (path: string) => `jsonpath={range .items[*]${path}}${pod}{end}`;
    const flags = (path: string) => [`--namespace=${NAMESPACE}`, `--output=${names(path)}`];
    const used = [
      await kubectl('get', 'deployments,jobs', ...flags('.spec.template.spec')),
      await kubectl('get', 'cronjobs', ...flags('.spec.jobTemplate.spec.template.spec')),
    ];
    const found = used.join(' ').trim().split(/\s+/).sort();
    expect(found).toEqual(['backup-aws', 'kaniko-docker', 'nightly-aws', 'registry-pull', 'sync-aws', 'worker-aws']);
    expect(Object.keys(shapes)).toEqual(expect.arrayContaining(found));
  });

  test('mount a Secret as ~/.aws/credentials, which the AWS CLI and boto3 find', async () => {
    const pod = await podOf(plane, NAMESPACE, 'backup');
    const session = `arn:aws:sts::${aws.accountId}:assumed-role/backup/rolevend-team-a.backup`;
    expect(pod.containers[0]?.volumeMounts[0]?.mountPath).toBe('/home/app/.aws');
    expect(await askFromMount(plane, aws, NAMESPACE, pod, directory.path)).toEqual([session, session]);
  });

  test('let a registry be pulled from with nothing but the imagePullSecret', async () => {
    const { imagePullSecrets, containers } = await podOf(plane, NAMESPACE, 'web');
    const name = imagePullSecrets?.[0]?.name ?? '';
    const secret = await kubectl('get', 'secret', name, `--namespace=${NAMESPACE}`, '--output=json');
    const { type, data } = JSON.parse(secret) as { type: string; data: Record<string, string> };
    const dockerConfig = Buffer.from(data['.dockerconfigjson'] ?? '', 'base64').toString();
    const [repository = ''] = containers[0]?.image.split(':') ?? [];
    const accepts = (password: string) => aws.gateway.ecrTokens().some((token) => token.password === password);
    const pull = { repository, dockerConfig, accepts, directory: directory.path };
    const { code, stderr, hosts } = await pullWithHelm(plane.helmPath, pull);
    expect({ type, code, hosts, stderr }).toMatchObject({
      type: 'kubernetes.io/dockerconfigjson',
      code: 0,
      hosts: ['111122223333.dkr.ecr.eu-central-1.amazonaws.com'],
    });
    expect(await readdir(`${directory.path}/pulled`)).toEqual(['web']);
  });

  test('let a tool of the hub read its Secret with a ServiceAccount that can read no other', async () => {
    const tool = { namespace: NAMESPACE, name: 'reports-tool' };
    const text = await readAs(plane, tool, 'reports-aws');
    expect(typeof text).toBe('object');
    const caller = await askWithSdk(aws, tripleOf(text as Record<string, string>));
    expect(caller.arn).toBe(`arn:aws:sts::${aws.accountId}:assumed-role/reports/rolevend-team-a.reports`);
    expect(await readAs(plane, tool, 'backup-aws')).toBe(403);
  });

  test('reach a role of another account, whose trust policy asks for the external id', async () => {
    const caller = await askWithSdk(aws, tripleOf(await readAdmin('partner-aws')));
    expect(caller.arn).toBe(`arn:aws:sts::${PARTNER}:assumed-role/orders-reader/rolevend-team-a.partner`);
    const [call] = aws.gateway.calls({ action: 'AssumeRole', role: 'orders-reader' });
    expect(call?.parameters['ExternalId']).toBe('team-a-7d2f');
  });

  test('grant one team its roles, and refuse them to another team', async () => {
    await kubectl('apply', `--namespace=${OTHERS}`, `--filename=${examples}map.yaml`);
    const other = await eventually('the refusal', async () => {
      const path = `/apis/pincette.net/v1/namespaces/${OTHERS}/awsassumeroles/reports`;
      const { status } = expectSuccess(await plane.request<AWSAssumeRole>('GET', path), path);
      return findCondition(status?.conditions, 'Ready');
    });
    expect([other.status, other.reason]).toEqual(['False', 'GrantDenied']);
    expect((await plane.kubectl('get', 'secret', 'reports-aws', '-n', OTHERS)).code).toBe(1);
  });

  async function readAdmin(name: string): Promise<Record<string, string>> {
    const { data } = JSON.parse(await kubectl('get', 'secret', name, `--namespace=${NAMESPACE}`, '--output=json'));
    const entries = Object.entries(data as Record<string, string>);
    return Object.fromEntries(entries.map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]));
  }

  test('of the documents are accepted as well', async () => {
    const manifests = (await pages()).flatMap((page) => manifestsOf(page).map((text) => ({ path: page.path, text })));
    expect(manifests.map(({ path }) => path)).toContain('README.md');
    for (const { path, text } of manifests) {
      const flags = ['--server-side', '--force-conflicts', '--validate=strict', '--dry-run=server', '--filename=-'];
      const { code, stderr } = await plane.kubectlInput(text, 'apply', ...flags);
      expect({ path, code, stderr }).toEqual({ path, code: 0, stderr: '' });
    }
  });

  test('live with the metrics that the documents name', async () => {
    const named = (await pages()).flatMap(
      ({ text }) => text.match(/\b(rolevend|controller_runtime|workqueue)_[a-z_]+/g) ?? [],
    );
    const there = operator.metrics.getMetricsAsArray().map(({ name }) => name);
    expect(named).toContain('rolevend_credential_expiry_timestamp_seconds');
    expect(named.filter((name) => !there.includes(name))).toEqual([]);
  });
});
