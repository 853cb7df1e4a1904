import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { helmVersions } from '../chart/support.ts';
import { type ControlPlane, startControlPlane } from '../lab/index.ts';
import { commandsOf, type Page, pages } from './pages.ts';
import { follow } from './shell.ts';

let readme: Page;

beforeAll(async () => {
  readme = (await pages()).find(({ path }) => path === 'README.md') as Page;
});

test('README.md installs with three commands', () => {
  const commands = commandsOf(readme, 'Install').filter((command) => !command.startsWith('aws '));
  expect(commands.slice(0, 3).map((command) => command.split(' ').slice(0, 3).join(' '))).toEqual([
    'docker build --push',
    'helm install rolevend',
    'helm upgrade rolevend',
  ]);
});

describe.each(helmVersions)('README.md, followed with %s', (version) => {
  let cluster: ControlPlane;
  beforeAll(async () => {
    cluster = await startControlPlane({ name: 'readme', crds: false, controllerManager: false });
  });
  afterAll(() => cluster?.stop());

  const names = async (kinds: string) =>
    (await cluster.kubectl('get', kinds, '-A', '-oname')).stdout.trim().split('\n');
  const definitions = [
    'customresourcedefinition.apiextensions.k8s.io/awsassumeroles.pincette.net',
    'customresourcedefinition.apiextensions.k8s.io/rolegrants.rolevend.dev',
  ];

  test('installs, upgrades and uninstalls as it says', async () => {
    await follow(commandsOf(readme, 'Install').slice(0, 3), cluster, version);
    const installed = [...definitions, 'rolegrant.rolevend.dev/default', 'deployment.apps/rolevend'];
    expect(await names('crds,rolegrants,deployments')).toEqual(installed);
    await follow(commandsOf(readme, 'Upgrade'), cluster, version);
    expect(await names('crds,rolegrants,deployments')).toEqual(installed);
    await follow(commandsOf(readme, 'Uninstall'), cluster, version);
    expect(await names('crds,rolegrants,deployments')).toEqual(definitions);
  });
});

test('manifests/install.yaml is applied twice without a word of trouble, and the grant after it', async () => {
  const cluster = await startControlPlane({ name: 'manifests', crds: false, controllerManager: false });
  try {
    for (const file of ['install.yaml', 'install-namespaced.yaml']) {
      await cluster.kubectl('create', 'namespace', 'team-a');
      const apply = () => cluster.kubectl('apply', '--server-side', '--filename', `manifests/${file}`);
      expect([await apply(), await apply()]).toEqual(Array(2).fill(expect.objectContaining({ code: 0, stderr: '' })));
    }
    const grant = await cluster.kubectl('apply', '--filename', 'manifests/grants/default.yaml');
    expect(grant).toMatchObject({ code: 0, stdout: 'rolegrant.rolevend.dev/default created\n' });
  } finally {
    await cluster.stop();
  }
});
