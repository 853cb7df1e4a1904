import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { temporaryDirectory } from '../lab/index.ts';
import { run } from '../lab/install/run.ts';
import { CHART, helmVersions, only, pathOf, type Rendered, type RenderedPod, render, set } from './support.ts';

const podOf = (objects: Rendered[]) => only(objects, 'Deployment').spec.template.spec;
const containerOf = (objects: Rendered[]) => podOf(objects).containers[0] as RenderedPod['containers'][number];
const names = (objects: Rendered[]) => objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`).sort();

describe.each(helmVersions)('the chart, rendered by %s', (version) => {
  const rendered = (values: Record<string, unknown> = {}, ...args: string[]) =>
    render(version, [...set(values), ...args]);

  test('has everything that a highly available installation needs, with the default grant for those who apply it', async () => {
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
      'RoleGrant default',
      'Service rolevend-metrics',
      'ServiceAccount rolevend',
    ]);
  });

  test('gives each release of a namespace a Lease of its own, and the right to that alone', async () => {
    const leaseOf = async (release: string) => {
      const objects = await render(version, [], { release });
      const name = release === 'rolevend' ? release : `${release}-rolevend`;
      const { args } = only(objects, 'Deployment', name).spec.template.spec.containers[0] as { args: string[] };
      const { rules } = only(objects, 'Role', `${name}-leader-election`) as unknown as { rules: object[] };
      return { arg: args.find((arg) => arg.startsWith('--leader-election-name=')), rules };
    };
    const named = (name: string) => ({
      arg: `--leader-election-name=${name}`,
      rules: [
        { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create'] },
        {
          apiGroups: ['coordination.k8s.io'],
          resources: ['leases'],
          resourceNames: [name],
          verbs: ['get', 'watch', 'update'],
        },
      ],
    });
    expect(await leaseOf('rolevend')).toEqual(named('rolevend-controller'));
    expect(await leaseOf('team-a')).toEqual(named('team-a-rolevend-controller'));
  });

  test('leaves user and group to OpenShift with one value, and changes security contexts as it is told', async () => {
    const contexts = (objects: Rendered[]) =>
      [podOf(objects), only(objects, 'Pod', 'rolevend-test').spec].map(({ securityContext, containers: [first] }) => ({
        pod: securityContext,
        container: (first as { securityContext?: object }).securityContext,
      }));
    const container = {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    };
    const pod = { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } };
    const ids = { runAsUser: 65532, runAsGroup: 65532, fsGroup: 65532 };
    const both = (one: object) => [one, one];
    expect(contexts(await rendered())).toEqual(both({ pod: { ...pod, ...ids }, container }));
    expect(contexts(await rendered({ openshift: true }))).toEqual(both({ pod, container }));
    const own = {
      'podSecurityContext.runAsUser': 1000,
      'podSecurityContext.fsGroup': null,
      'securityContext.runAsUser': 7,
    };
    expect(contexts(await rendered(own))).toEqual(
      both({ pod: { ...pod, runAsUser: 1000, runAsGroup: 65532 }, container: { ...container, runAsUser: 7 } }),
    );
    expect(contexts(await rendered({ openshift: true, ...own }))).toEqual(both({ pod, container }));
  });

  test('lets out what DNS and API servers of common distributions need, and other ports as it is told', async () => {
    const egress = (objects: Rendered[]) =>
      only(objects, 'NetworkPolicy').spec.egress.map(({ ports }) =>
        ports.map(({ protocol, port }) => `${protocol} ${port}`),
      );
    const node = ['TCP 80'];
    expect(egress(await rendered())).toEqual([
      ['UDP 53', 'TCP 53', 'UDP 5353', 'TCP 5353'],
      ['TCP 443', 'TCP 6443', 'TCP 8443', 'TCP 16443'],
      node,
    ]);
    const own = { 'networkPolicy.dnsPorts': [1053], 'networkPolicy.apiServerPorts': [7443] };
    expect(egress(await rendered(own))).toEqual([['UDP 1053', 'TCP 1053'], ['TCP 443', 'TCP 7443'], node]);
  });

  test('passes the linter', async () => {
    const { code, stdout } = await run([await pathOf(version), 'lint', '--strict', CHART]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('0 chart(s) failed') });
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
    expect(args).toEqual([
      'controller',
      '--leader-election-name=rolevend-controller',
      '--region=eu-central-1',
      '--cluster-name=one',
      '--log-format=text',
    ]);
    expect(env).toEqual([
      { name: 'ROLEVEND_POD_UID', valueFrom: { fieldRef: { fieldPath: 'metadata.uid' } } },
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
    expect(rule?.ports.map(({ port }) => port).sort()).toEqual([16443, 3128, 443, 6443, 80, 8443]);
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
    ['a port that is none', { 'networkPolicy.dnsPorts': [65_536] }, 'dnsPorts'],
    ['no port of an API server', { 'networkPolicy.apiServerPorts': [] }, 'apiServerPorts'],
    ['a security context that was emptied', { podSecurityContext: null }, 'podSecurityContext'],
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
