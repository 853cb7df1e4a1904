import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { temporaryDirectory } from '../lab/index.ts';
import { CHART, helmVersions, only, type Rendered, type RenderedPod, render, set } from './support.ts';

const podOf = (objects: Rendered[]) => only(objects, 'Deployment').spec.template.spec;
const containerOf = (objects: Rendered[]) => podOf(objects).containers[0] as RenderedPod['containers'][number];
const names = (objects: Rendered[]) => objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`).sort();

describe.each(helmVersions)('the chart, rendered by %s', (version) => {
  const rendered = (values: Record<string, unknown> = {}, ...args: string[]) =>
    render(version, [...set(values), ...args]);

  test('has everything that a highly available installation needs, and no grant before its definition is served', async () => {
    expect(names(await rendered({}, '--no-hooks'))).toEqual([
      'ClusterRole rolevend',
      'ClusterRole rolevend-edit',
      'ClusterRole rolevend-view',
      'ClusterRoleBinding rolevend',
      'CustomResourceDefinition awsassumeroles.pincette.net',
      'CustomResourceDefinition rolegrants.rolevend.dev',
      'Deployment rolevend',
      'NetworkPolicy rolevend',
      'PodDisruptionBudget rolevend',
      'Role rolevend-leader-election',
      'RoleBinding rolevend-leader-election',
      'Service rolevend-metrics',
      'ServiceAccount rolevend',
    ]);
  });

  test('leaves out what is switched off', async () => {
    const off = {
      'crds.install': false,
      'serviceAccount.create': false,
      'serviceAccount.name': 'another',
      'podDisruptionBudget.enabled': false,
      'networkPolicy.enabled': false,
      'rbac.aggregate': false,
      'grants.installDefault': false,
    };
    expect(names(await rendered(off, '--no-hooks', '--api-versions', 'rolevend.dev/v1alpha1/RoleGrant'))).toEqual([
      'ClusterRole rolevend',
      'ClusterRoleBinding rolevend',
      'Deployment rolevend',
      'Role rolevend-leader-election',
      'RoleBinding rolevend-leader-election',
      'Service rolevend-metrics',
    ]);
  });

  test('hands region, endpoints, certificates and proxy to the operator, and opens their ports', async () => {
    const objects = await rendered({
      'aws.region': 'eu-central-1',
      'aws.caBundle.configMap': 'company-ca',
      'aws.useFipsEndpoint': true,
      'aws.useDualstackEndpoint': true,
      'aws.endpointUrl': 'https://aws.example.com:8443/all',
      'aws.endpointUrls.sts': 'http://sts.example.com',
      'aws.endpointUrls.ecrPublic': 'https://public.example.com',
      'proxy.httpsProxy': 'http://proxy.example.com:3128',
      'proxy.noProxy': '.example.com,10.0.0.0/8',
      clusterName: 'one',
      extraArgs: ['--log-format=text'],
      extraEnv: [{ name: 'MORE', value: 'x' }],
    });
    const { args, env, volumeMounts } = containerOf(objects);
    expect(args).toEqual(['controller', '--region=eu-central-1', '--cluster-name=one', '--log-format=text']);
    expect(env).toEqual([
      { name: 'AWS_CA_BUNDLE', value: '/etc/rolevend/ca.crt' },
      { name: 'AWS_ENDPOINT_URL', value: 'https://aws.example.com:8443/all' },
      { name: 'AWS_ENDPOINT_URL_ECR_PUBLIC', value: 'https://public.example.com' },
      { name: 'AWS_ENDPOINT_URL_STS', value: 'http://sts.example.com' },
      { name: 'AWS_USE_DUALSTACK_ENDPOINT', value: 'true' },
      { name: 'AWS_USE_FIPS_ENDPOINT', value: 'true' },
      { name: 'HTTPS_PROXY', value: 'http://proxy.example.com:3128' },
      { name: 'NO_PROXY', value: '.example.com,10.0.0.0/8' },
      { name: 'MORE', value: 'x' },
    ]);
    expect(volumeMounts).toEqual([{ name: 'aws-ca-bundle', mountPath: '/etc/rolevend', readOnly: true }]);
    expect(podOf(objects).volumes).toEqual([{ name: 'aws-ca-bundle', configMap: { name: 'company-ca' } }]);
    const [, rule] = only(objects, 'NetworkPolicy').spec.egress;
    expect(rule?.ports.map(({ port }) => port).sort()).toEqual([3128, 443, 6443, 80, 8443]);
  });

  test('takes the image by digest, from a registry with a login', async () => {
    const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;
    const objects = await rendered({
      'image.repository': 'registry.example.com:5000/tools/rolevend',
      'image.digest': digest,
      imagePullSecrets: [{ name: 'pull' }],
    });
    const pods = [podOf(objects), only(objects, 'Pod', 'rolevend-test').spec];
    expect(pods.map(({ imagePullSecrets, containers }) => ({ imagePullSecrets, image: containers[0]?.image }))).toEqual(
      Array(2).fill({
        imagePullSecrets: [{ name: 'pull' }],
        image: `registry.example.com:5000/tools/rolevend:0.1.0@${digest}`,
      }),
    );
  });

  test('places and names the Pods as it is told', async () => {
    const more = { name: 'more', emptyDir: {} };
    const objects = await rendered({
      labels: { team: 'platform' },
      podLabels: { scrape: 'yes' },
      podAnnotations: { note: 'x' },
      priorityClassName: 'system-cluster-critical',
      nodeSelector: { 'kubernetes.io/arch': 'arm64' },
      tolerations: [{ operator: 'Exists' }],
      affinity: { nodeAffinity: {} },
      topologySpreadConstraints: [{ topologyKey: 'rack' }],
      extraVolumes: [more],
      extraVolumeMounts: [{ name: 'more', mountPath: '/more' }],
    });
    expect(podOf(objects)).toMatchObject({
      priorityClassName: 'system-cluster-critical',
      nodeSelector: { 'kubernetes.io/arch': 'arm64' },
      tolerations: [{ operator: 'Exists' }],
      affinity: { nodeAffinity: {} },
      topologySpreadConstraints: [{ topologyKey: 'rack' }],
      volumes: [more],
    });
    expect(containerOf(objects).volumeMounts).toEqual([{ name: 'more', mountPath: '/more' }]);
    const { metadata } = only(objects, 'Deployment').spec.template;
    expect(metadata).toMatchObject({ labels: { team: 'platform', scrape: 'yes' }, annotations: { note: 'x' } });
    const unlabelled = objects.filter((object) => object.metadata.labels?.['team'] !== 'platform');
    expect(names(unlabelled)).toEqual([]);
  });

  test('selects the Pods of the operator alone with every selector', async () => {
    const objects = await rendered({ 'serviceMonitor.enabled': true });
    const ours = { 'app.kubernetes.io/name': 'rolevend', 'app.kubernetes.io/instance': 'rolevend' };
    expect(only(objects, 'Service', 'rolevend-metrics').spec.selector).toEqual(ours);
    for (const kind of ['Deployment', 'PodDisruptionBudget'])
      expect(only(objects, kind).spec.selector.matchLabels).toEqual(ours);
    expect(only(objects, 'NetworkPolicy').spec.podSelector.matchLabels).toEqual(ours);
    expect(only(objects, 'Service', 'rolevend-metrics').metadata.labels).toMatchObject(
      only(objects, 'ServiceMonitor', 'rolevend-metrics').spec.selector.matchLabels,
    );
    expect(only(objects, 'Deployment').spec.template.metadata.labels).toMatchObject(ours);
    expect(only(objects, 'Pod', 'rolevend-test').metadata.labels).not.toMatchObject(ours);
  });

  test.each([
    ['an unknown value', { region: 'eu-central-1' }, 'region'],
    ['an unknown value further down', { 'image.tagg': 'x' }, 'tagg'],
    ['a value of another type', { replicas: 'two' }, 'replicas'],
    ['a Region that is none', { 'aws.region': 'example.com/' }, 'region'],
    ['a namespace that is none', { 'rbac.namespaces': ['*'] }, 'namespaces'],
    ['a digest that is none', { 'image.digest': 'sha256:1' }, 'digest'],
    ['a value that was emptied', { 'rbac.namespaces': null }, 'namespaces'],
    ['labels that were emptied', { labels: null }, 'labels'],
    ['a ServiceAccount that nobody makes', { 'serviceAccount.create': false }, 'name'],
    ['more than all Pods', { 'podDisruptionBudget.maxUnavailable': '300%' }, 'maxUnavailable'],
    ['two roles for the test', { 'test.roleName': 'app', 'test.roleArn': 'arn:aws:iam::1:role/app' }, 'test'],
  ])('refuses %s and names it', async (_, values, named) => {
    await expect(rendered(values)).rejects.toThrow(named);
  });

  test('keeps names that look like numbers as texts', async () => {
    const values = { 'rbac.namespaces': ['123', 'null'], 'aws.caBundle.configMap': '1e3', priorityClassName: '7' };
    const numbers = { 'serviceAccount.name': '42', 'test.roleName': 'app', ...values };
    const objects = await render(version, set(numbers), { namespace: '99' });
    const places = objects.map(({ metadata }) => (metadata as { namespace?: unknown }).namespace);
    expect([...new Set(places)].sort()).toEqual(['123', '99', 'null', undefined]);
    const { priorityClassName, serviceAccountName, volumes } = podOf(objects) as RenderedPod & Record<string, unknown>;
    expect({ priorityClassName, serviceAccountName, volumes }).toEqual({
      priorityClassName: '7',
      serviceAccountName: '42',
      volumes: [{ name: 'aws-ca-bundle', configMap: { name: '1e3' } }],
    });
    const subjects = objects.flatMap((object) => (object as unknown as { subjects?: object[] }).subjects ?? []);
    expect(subjects).toContainEqual({ kind: 'ServiceAccount', name: '42', namespace: '99' });
  });

  test.each(['1st', 'a.b'])('refuses the release name %s, which cannot be that of a Service', async (release) => {
    await expect(render(version, [], { release })).rejects.toThrow(
      /release name "[^"]+" cannot be the name of a Service/,
    );
  });

  test('is accepted as a dependency of another chart', async () => {
    const directory = await temporaryDirectory('rolevend-parent-');
    await mkdir(join(directory.path, 'charts'));
    await symlink(CHART, join(directory.path, 'charts', 'rolevend'));
    const parent = { apiVersion: 'v2', name: 'parent', version: '1.0.0' };
    await writeFile(join(directory.path, 'Chart.yaml'), stringify(parent));
    await writeFile(join(directory.path, 'values.yaml'), stringify({ global: { x: 1 }, rolevend: { replicas: 3 } }));
    expect(only(await render(version, [], { chart: directory.path }), 'Deployment').spec.replicas).toBe(3);
    await directory.remove();
  });
});

test('both versions of Helm render the same', async () => {
  const values = ['--api-versions', 'rolevend.dev/v1alpha1/RoleGrant', ...set({ 'test.roleName': 'app' })];
  const [three, four] = await Promise.all(helmVersions.map((version) => render(version, values)));
  const sorted = (objects: Rendered[] = []) => [...objects].sort((a, b) => `${a.kind}`.localeCompare(`${b.kind}`));
  expect(sorted(three)).toEqual(sorted(four));
});
