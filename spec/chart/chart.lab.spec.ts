import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { type ControlPlane, startControlPlane } from '../lab/index.ts';

const chart = fileURLToPath(new URL('../../chart', import.meta.url));
const manifest = fileURLToPath(new URL('../../manifests/grants/default.yaml', import.meta.url));
const run = promisify(execFile);

/** A cluster of its own, since the chart brings the custom resource definitions. */
let cluster: ControlPlane;

beforeAll(async () => {
  cluster = await startControlPlane({ name: 'chart', crds: false });
}, 120_000);

afterAll(() => cluster?.stop());

beforeEach(async () => {
  if ((await helm('list', '--all-namespaces', '--short')).includes('rolevend')) await helm('uninstall', 'rolevend');
  await cluster.kubectl('delete', 'rolegrant', '--all');
}, 60_000);

async function helm(command: string, ...args: string[]): Promise<string> {
  const env = { ...process.env, KUBECONFIG: cluster.kubeconfig };
  const namespaced = command === 'list' ? [] : ['--namespace', 'rolevend-system'];
  return (await run(cluster.helmPath, [command, ...args, ...namespaced], { env })).stdout;
}

async function kubectl(...args: string[]): Promise<string> {
  const { stdout, stderr, code } = await cluster.kubectl(...args);
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
  return stdout;
}

function install(...args: string[]): Promise<string> {
  return helm('install', 'rolevend', chart, '--create-namespace', ...args);
}

const grant = () =>
  kubectl('get', 'rolegrant', '--output', 'jsonpath={range .items[*]}{.metadata.name} {.metadata.uid}{end}');

test('the first install brings the definitions and the default grant, and says what the grant means', async () => {
  expect(await install()).toContain('WARNING: the RoleGrant "default" lets every namespace use every role');

  expect(JSON.parse(await kubectl('get', 'rolegrant', 'default', '--output', 'jsonpath={.spec}'))).toEqual({
    namespaces: { names: ['*'] },
    roles: ['arn:self:iam::self:role/*'],
  });
}, 60_000);

test('upgrades leave the default grant as it is until they are told to remove it', async () => {
  await install();
  const installed = await grant();
  await helm('upgrade', 'rolevend', chart);
  await helm('upgrade', 'rolevend', chart);
  expect(await grant()).toBe(installed);

  expect(await helm('upgrade', 'rolevend', chart, '--set', 'grants.installDefault=false')).not.toContain('WARNING');
  expect(await grant()).toBe('');
}, 60_000);

test('the first upgrade after the first install removes the default grant when it is told to', async () => {
  await kubectl('delete', 'crd', '--all');
  await install();
  expect(await grant()).toMatch(/^default /);
  await helm('upgrade', 'rolevend', chart, '--set', 'grants.installDefault=false');
  expect(await grant()).toBe('');
}, 60_000);

test('an install without the default grant removes one that an earlier install left, and no other', async () => {
  await kubectl('delete', 'crd', '--all');
  await install();
  await helm('uninstall', 'rolevend');
  expect(await grant()).toMatch(/^default /);
  await install('--set', 'grants.installDefault=false');
  expect(await grant()).toBe('');

  await helm('uninstall', 'rolevend');
  await kubectl('apply', '--filename', manifest);
  expect(await install('--set', 'grants.installDefault=false')).toContain('WARNING: grants.installDefault is false');
  expect(await grant()).toMatch(/^default /);
}, 60_000);

test('without the default grant nothing is granted', async () => {
  expect(await install('--set', 'grants.installDefault=false')).toContain('nothing is issued until you write one');

  expect(await grant()).toBe('');
}, 60_000);

test('an uninstall keeps the definitions with all objects, and a new install takes them over', async () => {
  await install();
  await helm('uninstall', 'rolevend');
  expect((await kubectl('get', 'crd', '--output', 'name')).trim().split('\n')).toEqual([
    'customresourcedefinition.apiextensions.k8s.io/awsassumeroles.pincette.net',
    'customresourcedefinition.apiextensions.k8s.io/rolegrants.rolevend.dev',
  ]);

  await install();
  expect(await grant()).toMatch(/^default /);
}, 60_000);

test('the Pods meet the restricted Pod security standard', async () => {
  await install();
  await kubectl(
    'label',
    'namespace',
    'rolevend-system',
    'pod-security.kubernetes.io/enforce=restricted',
    '--overwrite',
  );
  const template = await kubectl(
    'get',
    'deployment',
    'rolevend',
    '--namespace=rolevend-system',
    '--output=jsonpath={.spec.template.spec}',
  );

  const overrides = JSON.stringify({ apiVersion: 'v1', spec: JSON.parse(template) });
  const args = [
    'run',
    'trial',
    '--image=trial',
    '--namespace=rolevend-system',
    '--dry-run=server',
    `--overrides=${overrides}`,
  ];
  expect(await kubectl(...args)).toContain('pod/trial created (server dry run)');
}, 60_000);

const operatorRules = [
  'awsassumeroles.pincette.net [get list watch]',
  'awsassumeroles.pincette.net/status [patch]',
  'events [create]',
  'namespaces [get list watch]',
  'rolegrants.rolevend.dev [get list watch]',
  'secrets [get list watch create update delete]',
];
const clusterRules = ['namespaces [get list watch]', 'rolegrants.rolevend.dev [get list watch]'];
const leaseRules = [
  'leases.coordination.k8s.io [create]',
  'leases.coordination.k8s.io rolevend-controller [get watch update]',
];

test.each([
  ['in the whole cluster', [], 'default', operatorRules],
  ['in its own namespace', [], 'rolevend-system', [...operatorRules, ...leaseRules]],
  ['in a listed namespace', ['--set', 'rbac.namespaces={team-a}'], 'team-a', operatorRules],
  ['outside of the listed namespaces', ['--set', 'rbac.namespaces={team-a}'], 'default', clusterRules],
])(
  'the operator has exactly the rights it needs %s',
  async (_, values, namespace, expected) => {
    await cluster.kubectl('create', 'namespace', 'team-a');
    await install(...values);

    expect((await rightsIn(namespace)).sort()).toEqual([...expected].sort());
  },
  60_000,
);

/** `resource [verbs]` or `resource name [verbs]`, without what every authenticated user may. */
async function rightsIn(namespace: string): Promise<string[]> {
  const user = 'system:serviceaccount:rolevend-system:rolevend';
  const list = await kubectl('auth', 'can-i', '--list', `--as=${user}`, `--namespace=${namespace}`, '--no-headers');
  return list.split('\n').flatMap((line) => {
    const [, resource = '', , name = '', verbs = ''] = /^(\S+)\s+(\[.*?\])\s+\[(.*?)\]\s+(\[.*\])$/.exec(line) ?? [];
    if (resource === '' || resource.endsWith('.authentication.k8s.io') || resource.endsWith('.authorization.k8s.io'))
      return [];
    return [[resource, name, verbs].filter(Boolean).join(' ')];
  });
}
