import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { parseDocument } from 'yaml';
import { type ControlPlane, startControlPlane } from '../lab/index.ts';
import { eventually } from '../support/eventually.ts';

const chart = fileURLToPath(new URL('../../chart', import.meta.url));
const crds = join(chart, 'crds');
const ownGrant = fileURLToPath(new URL('../../examples/grant-for-a-team.yaml', import.meta.url));
const run = promisify(execFile);

/** A cluster of its own, since the chart brings the custom resource definitions. Every test starts without them. */
let cluster: ControlPlane;

beforeAll(async () => {
  cluster = await startControlPlane({ name: 'chart', crds: false });
}, 120_000);

afterAll(() => cluster?.stop());

beforeEach(async () => {
  if ((await helm('list', '--all-namespaces', '--short')).includes('rolevend')) await helm('uninstall', 'rolevend');
  await kubectl('delete', 'crds', '--all');
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

/** As README.md says it. */
async function install(...args: string[]): Promise<string> {
  await applyDefinitions();
  return helm('install', 'rolevend', chart, '--create-namespace', ...args);
}

async function applyDefinitions(): Promise<void> {
  await kubectl('apply', '--server-side', '--force-conflicts', '--filename', crds);
  await kubectl('wait', '--for=condition=established', '--filename', crds);
}

/** Name and uid of each. */
const grants = async () =>
  (
    await kubectl('get', 'rolegrants', '--output', 'jsonpath={range .items[*]}{.metadata.name} {.metadata.uid} {end}')
  ).trim();
const definitions = async () =>
  (await kubectl('get', 'crds', '--output', 'jsonpath={.items[*].metadata.name}')).split(' ');

const schema = ['spec', 'versions', 0, 'schema', 'openAPIV3Schema'];
/** Description of AWSAssumeRole and type of its field externalId. */
const described = () => {
  const at = '.spec.versions[0].schema.openAPIV3Schema';
  const path = `jsonpath={${at}.description} {${at}.properties.spec.properties.externalId.type}`;
  return kubectl('get', 'crd', 'awsassumeroles.pincette.net', '--output', path);
};

test('an install brings the default grant and says what it means', async () => {
  expect(await install()).toContain('WARNING: the RoleGrant "default" lets every namespace use every role');

  expect(JSON.parse(await kubectl('get', 'rolegrant', 'default', '--output', 'jsonpath={.spec}'))).toEqual({
    namespaces: { names: ['*'] },
    roles: ['arn:self:iam::self:role/*'],
  });
}, 60_000);

test('an upgrade leaves the default grant as it is until it is told to remove it', async () => {
  await install();
  const installed = await grants();
  await helm('upgrade', 'rolevend', chart);
  expect(await grants()).toBe(installed);

  expect(await helm('upgrade', 'rolevend', chart, '--set', 'grants.installDefault=false')).not.toContain('WARNING');
  expect(await grants()).toBe('');
}, 60_000);

test('an install without the default grant grants nothing', async () => {
  expect(await install('--set', 'grants.installDefault=false')).toContain('This release brings no RoleGrant');

  expect(await grants()).toBe('');
}, 60_000);

test('an uninstall takes the default grant, keeps the definitions and other grants, and an install brings it back', async () => {
  await install();
  await kubectl('apply', '--filename', ownGrant);
  await helm('uninstall', 'rolevend');
  expect(await definitions()).toEqual(['awsassumeroles.pincette.net', 'rolegrants.rolevend.dev']);
  expect(await grants()).toMatch(/^team-a \S+$/);

  await install();
  expect(await grants()).toMatch(/^default \S+ team-a \S+$/);
}, 60_000);

test('Helm alone installs the definitions too, if need be at a second try, and kubectl upgrades them', async () => {
  const older = await olderChart();
  try {
    await eventually('the API server serves RoleGrant', () => helm('install', 'rolevend', older, '--create-namespace'));
  } finally {
    await rm(older, { recursive: true });
  }
  expect(await described()).toBe('A description of earlier. ');

  await applyDefinitions();
  await helm('upgrade', 'rolevend', chart);
  expect(await described()).toMatch(/^(?!A description of earlier).+ string$/);
}, 60_000);

/** A copy of the chart whose AWSAssumeRole has another description and no externalId. */
async function olderChart(): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), 'rolevend-chart-'));
  await cp(chart, copy, { recursive: true });
  const file = join(copy, 'crds/pincette.net_awsassumeroles.yaml');
  const definition = parseDocument(await readFile(file, 'utf8'));
  definition.setIn([...schema, 'description'], 'A description of earlier.');
  definition.deleteIn([...schema, 'properties', 'spec', 'properties', 'externalId']);
  await writeFile(file, definition.toString());
  return copy;
}

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
