import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { applyCrds, type ControlPlane, startControlPlane, temporaryDirectory } from '../lab/index.ts';
import { eventually } from '../support/eventually.ts';
import {
  clear,
  enforceRestricted,
  grants,
  install,
  knowsNewField,
  kubectl,
  legacyDefinition,
  storesNewField,
  upgrade,
  writeOlderChart,
} from './cluster.ts';
import { helm, helmVersions, NAMESPACE, only, RELEASE, render, set } from './support.ts';

const ownGrant = fileURLToPath(new URL('../../examples/grant-for-a-team.yaml', import.meta.url));
const withoutGrant = ['--set', 'grants.installDefault=false'];

/** A cluster of its own, since the chart brings the custom resource definitions. Every test starts without them. */
let cluster: ControlPlane;
beforeAll(async () => {
  cluster = await startControlPlane({ name: 'chart', crds: false });
});
afterAll(() => cluster?.stop());

const definitions = async () =>
  (await kubectl(cluster, 'get', 'crds', '--output', 'jsonpath={.items[*].metadata.name}')).split(' ');

describe.each(helmVersions)('with %s', (version) => {
  beforeEach(() => clear(cluster, version));

  test('an install grants nothing, the upgrade after it brings the default grant, and each says what that means', async () => {
    expect(await install(version, cluster)).toContain('Nothing is granted yet, since the definition of RoleGrant came');
    expect(await grants(cluster)).toBe('');

    const notes = await upgrade(version, cluster);
    expect(notes).toContain('WARNING: the RoleGrant "default" lets every namespace use every role');
    const spec = await kubectl(cluster, 'get', 'rolegrant', 'default', '--output', 'jsonpath={.spec}');
    expect(JSON.parse(spec)).toEqual({ namespaces: { names: ['*'] }, roles: ['arn:self:iam::self:role/*'] });

    const before = await grants(cluster);
    await upgrade(version, cluster);
    expect(await grants(cluster)).toBe(before);
    expect(await upgrade(version, cluster, ...withoutGrant)).not.toContain('WARNING');
    expect(await grants(cluster)).toBe('');
  });

  test('an upgrade from an older chart brings the new fields of the definitions', async () => {
    const older = await temporaryDirectory('rolevend-older-');
    await writeOlderChart(older.path);
    await helm(version, cluster, 'install', RELEASE, older.path, '--create-namespace');
    await older.remove();
    expect(await storesNewField(cluster, 'before')).toBe(false);

    await upgrade(version, cluster);
    await knowsNewField(cluster);
  });
});

async function kubectlApply(object: object): Promise<void> {
  const { code, stderr } = await cluster.kubectlInput(stringify(object), 'apply', '--filename', '-');
  if (code !== 0) throw new Error(stderr);
}

describe('what is installed', () => {
  const values = set({
    'rbac.namespaces': ['default'],
    'serviceMonitor.enabled': true,
    'test.roleName': 'app',
    'aws.caBundle.configMap': 'ca',
    'networkPolicy.metricsFrom': [{ namespaceSelector: {} }],
    'networkPolicy.extraEgress': [{ ports: [{ port: 9 }] }],
  });

  beforeEach(() => clear(cluster, 'Helm 4'));

  test('loses its default grant by an uninstall, keeps the definitions and other grants, and gets it back by an install', async () => {
    await install('Helm 4', cluster);
    await upgrade('Helm 4', cluster);
    await kubectl(cluster, 'apply', '--filename', ownGrant);
    await helm('Helm 4', cluster, 'uninstall', RELEASE);
    expect(await definitions()).toEqual(['awsassumeroles.pincette.net', 'rolegrants.rolevend.dev']);
    expect(await grants(cluster)).toMatch(/^team-a \S+$/);

    await install('Helm 4', cluster);
    expect(await grants(cluster)).toMatch(/^default \S+ team-a \S+$/);
  });

  test('leaves the definitions of somebody else alone, and warns in its notes where they lack fields', async () => {
    await kubectlApply(legacyDefinition());
    const notes = await install('Helm 4', cluster, '--set', 'crds.install=false');
    expect(notes).toMatch(
      /WARNING: the custom resource definition awsassumeroles\.pincette\.net in the cluster is not/,
    );
    expect(notes).toMatch(/WARNING: the custom resource definition rolegrants\.rolevend\.dev in the cluster is not/);
    expect(await definitions()).toEqual(['awsassumeroles.pincette.net']);

    await applyCrds(cluster.request);
    expect(await upgrade('Helm 4', cluster)).not.toContain('WARNING: the custom resource definition');
  });

  test('is accepted by the API server with every option, a ServiceMonitor among them', async () => {
    await kubectlApply(serviceMonitorDefinition);
    const apply = () => install('Helm 4', cluster, ...values);
    expect(await apply()).toContain('STATUS: deployed');
    const listed = await kubectl(
      cluster,
      'get',
      'servicemonitors,networkpolicies,pdb,services',
      '-n',
      NAMESPACE,
      '-oname',
    );
    expect(listed.trim().split('\n')).toEqual([
      'servicemonitor.monitoring.coreos.com/rolevend-metrics',
      'networkpolicy.networking.k8s.io/rolevend',
      'poddisruptionbudget.policy/rolevend',
      'service/rolevend-metrics',
    ]);
  });

  test('meets the restricted Pod security standard, the Pod of the test too', async () => {
    await install('Helm 4', cluster, ...withoutGrant);
    await enforceRestricted(cluster);
    const rendered = await render('Helm 4', set({ 'test.roleName': 'app' }));
    const specs = [only(rendered, 'Deployment').spec.template.spec, only(rendered, 'Pod', 'rolevend-test').spec];
    for (const spec of specs) {
      const overrides = JSON.stringify({ apiVersion: 'v1', spec: { ...spec, serviceAccountName: 'rolevend' } });
      const flags = ['--image=trial', `--namespace=${NAMESPACE}`, '--dry-run=server', `--overrides=${overrides}`];
      expect(await kubectl(cluster, 'run', 'trial', ...flags)).toContain('pod/trial created (server dry run)');
    }
  });

  test('lets those who view, edit or administer a namespace do so with AWSAssumeRoles, and never with grants', async () => {
    await install('Helm 4', cluster);
    const bind = (role: string) =>
      kubectl(cluster, 'create', 'rolebinding', `${role}-trial`, `--clusterrole=${role}`, `--user=${role}r`);
    await Promise.all(['view', 'edit', 'admin'].map(bind));
    const ours = 'awsassumeroles.pincette.net';
    const may = async (user: string, verb: string, ...resource: string[]) =>
      (await cluster.kubectl('auth', 'can-i', verb, ...resource, `--as=${user}`, '--namespace=default')).stdout.trim();
    await eventually('the roles to be aggregated', async () => (await may('viewr', 'list', ours)) === 'yes');
    expect(await may('viewr', 'create', ours)).toBe('no');
    for (const user of ['editr', 'adminr']) {
      await eventually('the roles to be aggregated', async () => (await may(user, 'create', ours)) === 'yes');
      expect(await may(user, 'create', 'rolegrants.rolevend.dev')).toBe('no');
      expect(await may(user, 'patch', ours, '--subresource=status')).toBe('no');
    }
  });
});

/** The names of the Prometheus operator's kind; its schema is not ours to test. */
const serviceMonitorDefinition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'servicemonitors.monitoring.coreos.com' },
  spec: {
    group: 'monitoring.coreos.com',
    names: { kind: 'ServiceMonitor', plural: 'servicemonitors' },
    scope: 'Namespaced',
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
};
