import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { AWSAssumeRole } from '../../lib/api/aws-assume-role.ts';
import type { Secret } from '../../lib/controllers/aws-assume-role/secret.ts';
import { kubectl, writeLegacyChart } from '../chart/cluster.ts';
import { helm, helmVersions } from '../chart/support.ts';
import { textOf } from '../controllers/aws-assume-role/observe.ts';
import { leaveBehind, type olderForms } from '../controllers/aws-assume-role/older-operator.ts';
import {
  type ControlPlane,
  expectSuccess,
  type LabAws,
  startAws,
  startControlPlane,
  type TestNamespace,
  temporaryDirectory,
  testNamespace,
  trustPrincipals,
} from '../lab/index.ts';
import { eventually } from '../support/eventually.ts';
import { startOperator, type TestOperator } from '../support/operator.ts';
import { commandsOf, type Page, pages } from './pages.ts';
import { follow } from './shell.ts';

const OLD = { namespace: 'aws-assume-role', name: 'aws-assume-role-controller' };
const RELEASE = 'aws-assume-role';
/** Name, style of the operator that left it, seconds since it was issued, form. Those are valid for 900 s. */
const left = [
  ['labelled', 'labelled', 60, 'Map'],
  ['plain', 'plain', 60, 'Map'],
  ['file', 'labelled', 60, 'File'],
  ['registry', 'plain', 60, 'EcrDockerConfigJson'],
  ['due', 'labelled', 700, 'Map'],
] as const satisfies [string, 'labelled' | 'plain', number, keyof typeof olderForms][];

/** What a user sees of a Secret. */
interface Seen {
  name: string;
  uid: string | undefined;
  type: string | undefined;
  text: Record<string, string>;
}

describe.each(helmVersions)('the page about migration, followed with %s', (version) => {
  let cluster: ControlPlane;
  let aws: LabAws;
  let page: Page;
  let ns: TestNamespace;
  let operator: TestOperator | undefined;
  let before: Seen[];

  beforeAll(async () => {
    cluster = await startControlPlane({ name: 'migration', crds: false });
    aws = await startAws();
    page = (await pages()).find(({ path }) => path === 'docs/migration.md') as Page;
    await installOld();
    ns = await testNamespace(cluster);
    for (const [name, style, ago, form] of left) await leaveBehind({ ns, get: object }, name, style, ago, form);
    before = await secrets();
  });
  afterAll(async () => {
    await operator?.stop();
    await aws?.stop();
    await cluster?.stop();
  });

  /** The old operator as its chart installs it, with Helm 3, as it was then. */
  async function installOld(): Promise<void> {
    const metadata = { name: OLD.name };
    const labels = { app: OLD.name };
    const containers = [{ name: 'controller', image: 'old' }];
    const template = { metadata: { labels }, spec: { serviceAccountName: OLD.name, containers } };
    const deployment = { replicas: 1, selector: { matchLabels: labels }, template };
    const directory = await temporaryDirectory('rolevend-old-');
    await writeLegacyChart(
      directory.path,
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
      { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: deployment },
    );
    await kubectl(cluster, 'create', 'namespace', OLD.namespace);
    await helm('Helm 3', cluster, 'install', RELEASE, directory.path, '--namespace', OLD.namespace);
    await directory.remove();
    await eventually('the definition to be served', async () => (await cluster.kubectl('get', 'aar')).code === 0);
  }

  const path = (group: string, resource: string) => `${group}/namespaces/${ns.name}/${resource}`;
  const object = async (name: string) =>
    expectSuccess(
      await cluster.request<AWSAssumeRole>('GET', path('/apis/pincette.net/v1', `awsassumeroles/${name}`)),
      name,
    );

  async function secrets(): Promise<Seen[]> {
    const answer = await cluster.request<{ items: Secret[] }>('GET', path('/api/v1', 'secrets'));
    const seen = expectSuccess(answer, 'Secrets').items.map((secret) => {
      const { metadata, type } = secret;
      return { name: metadata.name, uid: metadata.uid, type, text: textOf(secret) };
    });
    return seen.sort((a, b) => a.name.localeCompare(b.name));
  }

  const except = (name: string, seen: Seen[]) => seen.filter((one) => one.name !== name);
  const replicas = async (name: string) =>
    kubectl(cluster, 'get', 'deployment', name, '-n', OLD.namespace, '-ojsonpath={.spec.replicas}');

  /** What the Pods of the Deployment would do, with their ServiceAccount. */
  async function start(): Promise<void> {
    const kubeconfig = await cluster.kubeconfigFor({ serviceAccount: OLD });
    const keys = await aws.operatorUser();
    await aws.createRole('app', { trust: trustPrincipals(keys.arn), policies: ['ecr:GetAuthorizationToken'] });
    operator = await startOperator({ plane: { kubeconfig }, aws, keys, namespaces: [] });
  }

  test('takes over every object and Secret, and issues anew only what is due', async () => {
    await follow(commandsOf(page, 'Change over'), cluster, version);
    expect([await replicas(OLD.name), await replicas('rolevend')]).toEqual(['0', '2']);
    await start();
    for (const [name] of left) {
      await eventually(`${name} to be taken over`, async () => (await object(name)).status?.secretRef !== undefined);
    }
    await eventually('the due one', async () => aws.gateway.count('AssumeRole') === 1);
    const after = await secrets();
    expect(except('due', after)).toEqual(except('due', before));
    expect(after.map(({ name, uid }) => `${name} ${uid}`)).toEqual(before.map(({ name, uid }) => `${name} ${uid}`));
    expect(aws.gateway.issued().map(({ arn }) => arn.split('/').at(-1))).toEqual([`rolevend-${ns.name}.due`]);
    expect((await cluster.kubectl('get', 'rolegrants', '-oname')).stdout).toBe('rolegrant.rolevend.dev/default\n');
  });

  test('leads back: the old operator finds its definition, ServiceAccount, objects and Secrets, in a form it knows', async () => {
    await operator?.stop();
    operator = undefined;
    const kept = await secrets();
    await follow(commandsOf(page, 'Go back'), cluster, version);
    expect(await replicas(OLD.name)).toBe('1');
    expect((await cluster.kubectl('get', 'serviceaccount', OLD.name, '-n', OLD.namespace)).code).toBe(0);
    expect(await secrets()).toEqual(kept);
    for (const [name] of left) {
      const { status } = await object(name);
      const { health, phase, conditions = [] } = status ?? {};
      const keys = conditions.map((condition) => Object.keys(condition).filter((key) => key !== 'observedGeneration'));
      expect({ health, phase, keys: keys.map((all) => all.sort()) }).toEqual({
        health: { status: 'Healthy' },
        phase: 'Ready',
        keys: conditions.map(() => ['lastTransitionTime', 'message', 'reason', 'status', 'type']),
      });
    }
    // It appends to its history, and issues anew.
    await leaveBehind({ ns, get: object }, 'plain', 'plain', 0);
    expect((await object('plain')).status?.conditions).toHaveLength(3);
  });

  test('can be taken a second time, and then forgets the old operator and nothing else', async () => {
    const kept = await secrets();
    await follow(commandsOf(page, 'Change over'), cluster, version);
    await follow(commandsOf(page, 'Remove the old operator for good'), cluster, version);
    expect((await cluster.kubectl('get', 'deployment', '-n', OLD.namespace, '-oname')).stdout).toBe(
      'deployment.apps/rolevend\n',
    );
    expect((await cluster.kubectl('get', 'serviceaccount', OLD.name, '-n', OLD.namespace)).code).toBe(0);
    expect(await secrets()).toEqual(kept);
    expect(await helm(version, cluster, 'list', '--short', '--namespace', OLD.namespace)).toBe('rolevend\n');
  });
});
