import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { type ControlPlane, startControlPlane } from '../lab/index.ts';
import { eventually } from '../support/eventually.ts';
import { clear, grants, install, kubectl, upgrade } from './cluster.ts';
import { helm, helmVersions, NAMESPACE, only, RELEASE, type Rendered, render, set } from './support.ts';

let cluster: ControlPlane;
beforeAll(async () => {
  // Helm waits for Deployments, too.
  const moreControllers = ['deployment-controller', 'replicaset-controller'];
  cluster = await startControlPlane({ name: 'gitops', crds: false, moreControllers });
});
afterAll(() => cluster?.stop());

async function apply(objects: readonly object[]): Promise<void> {
  const text = objects.map((object) => stringify(object)).join('---\n');
  const { code, stderr } = await cluster.kubectlInput(text, 'apply', '--server-side', '--filename', '-');
  if (code !== 0) throw new Error(stderr);
}

describe('the default grant', () => {
  describe.each(helmVersions)('with %s', (version) => {
    beforeEach(() => clear(cluster, version));

    const likeFlux = ['--wait', ...set({ 'grants.asHook': true, replicas: 0 })];

    test('comes with the one install that waits, as Flux does, belongs to the release from the upgrade on, and goes with it', async () => {
      const notes = await install(version, cluster, ...likeFlux);
      expect(notes).toContain('WARNING: the RoleGrant "default" lets every namespace use every role');
      const first = await grants(cluster);
      expect(first).toMatch(/^default \S+$/);
      await upgrade(version, cluster);
      expect(await grants(cluster)).toBe(first);
      await helm(version, cluster, 'uninstall', RELEASE);
      expect(await grants(cluster)).toBe('');
    });

    test('comes with the one install where the definitions were there before', async () => {
      const definitions = (await render(version)).filter(({ kind }) => kind === 'CustomResourceDefinition');
      await apply(definitions);
      await kubectl(cluster, 'wait', '--for=condition=Established', 'crds', '--all');
      await install(version, cluster, '--set', 'crds.install=false');
      expect(await grants(cluster)).toMatch(/^default \S+$/);
    });

    test('comes with the one sync of a tool that applies definitions first, as Argo CD does', async () => {
      const isDefinition = ({ kind }: Rendered) => kind === 'CustomResourceDefinition';
      const objects = await render(version, ['--no-hooks', ...set({ replicas: 0 })]);
      const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } };
      await apply([namespace, ...objects.filter(isDefinition)]);
      await kubectl(cluster, 'wait', '--for=condition=Established', 'crds', '--all');
      await apply(objects.filter((object) => !isDefinition(object)));
      expect(await grants(cluster)).toMatch(/^default \S+$/);
      // It looks at all objects before it applies the first.
      const { annotations } = only(objects, 'RoleGrant', 'default').metadata;
      expect(annotations).toEqual({ 'argocd.argoproj.io/sync-options': 'SkipDryRunOnMissingResource=true' });
      const kinds = 'all,sa,role,rolebinding,pdb,networkpolicy';
      await kubectl(cluster, 'delete', kinds, '--namespace', NAMESPACE, '--selector=helm.sh/chart');
    });
  });
});

describe('on OpenShift', () => {
  beforeEach(() => clear(cluster, 'Helm 4'));

  test('the Pods are refused with ids of ours, and accepted without, the one of the test too', async () => {
    await apply([namespaceWithIds, ...likeRestrictedV2]);
    const attempt = async (values: Record<string, unknown>) => {
      const rendered = await render('Helm 4', set({ 'test.roleName': 'app', ...values }));
      const specs = [only(rendered, 'Deployment').spec.template.spec, only(rendered, 'Pod', 'rolevend-test').spec];
      return Promise.all(specs.map((spec) => admit({ ...spec, serviceAccountName: 'default' })));
    };
    const refused = expect.stringMatching(/runAsUser must be in the range of the namespace/);
    await eventually('the policy to be in force', async () => {
      expect(await attempt({})).toEqual([refused, refused]);
      return true;
    });
    expect(await attempt({ openshift: true })).toEqual(['accepted', 'accepted']);
    const own = { 'podSecurityContext.runAsUser': null, 'podSecurityContext.fsGroup': 1_000_700_001 };
    expect(await attempt(own)).toEqual(['accepted', 'accepted']);
    expect(await attempt({ openshift: true, 'securityContext.capabilities': null })).toEqual(
      Array(2).fill(expect.stringMatching(/all capabilities must be dropped/)),
    );
  });

  async function admit(spec: object): Promise<string> {
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'trial', namespace: 'openshift-like' }, spec };
    const flags = ['create', '--dry-run=server', '--filename', '-'];
    const { code, stderr } = await cluster.kubectlInput(stringify(pod), ...flags);
    return code === 0 ? 'accepted' : stderr;
  }
});

/** As OpenShift makes namespaces: with a range of ids of their own. */
const namespaceWithIds = {
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: {
    name: 'openshift-like',
    annotations: {
      'openshift.io/sa.scc.uid-range': '1000700000/10000',
      'openshift.io/sa.scc.supplemental-groups': '1000700000/10000',
    },
  },
};

const rangeOf = (annotation: string) =>
  `namespaceObject.metadata.annotations['openshift.io/sa.scc.${annotation}'].split('/').map(part, int(part))`;
/** Whether a field that may be missing lies in a range. */
const ifGiven = (context: string, field: string, range: string) => {
  const [id, [first, count]] = [`${context}.${field}`, [`variables.${range}[0]`, `variables.${range}[1]`]];
  return `!has(${context}) || !has(${id}) || (${id} >= ${first} && ${id} < ${first} + ${count})`;
};

/** What the SCC restricted-v2 asks of a Pod, as a policy that any API server knows. It sets what is left out. */
const likeRestrictedV2 = [
  {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name: 'like-restricted-v2' },
    spec: {
      matchConstraints: {
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'openshift-like' } },
        resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
      },
      variables: [
        { name: 'uids', expression: rangeOf('uid-range') },
        { name: 'groups', expression: rangeOf('supplemental-groups') },
      ],
      validations: [
        {
          expression: ifGiven('object.spec.securityContext', 'runAsUser', 'uids'),
          message: 'runAsUser must be in the range of the namespace',
        },
        {
          expression: `object.spec.containers.all(c, ${ifGiven('c.securityContext', 'runAsUser', 'uids')})`,
          message: 'runAsUser of a container must be in the range of the namespace',
        },
        {
          expression: ifGiven('object.spec.securityContext', 'fsGroup', 'groups'),
          message: 'fsGroup must be in the range of the namespace',
        },
        {
          expression:
            "object.spec.containers.all(c, has(c.securityContext.capabilities) && 'ALL' in c.securityContext.capabilities.drop)",
          message: 'all capabilities must be dropped',
        },
        {
          expression:
            'object.spec.containers.all(c, has(c.securityContext.allowPrivilegeEscalation) && !c.securityContext.allowPrivilegeEscalation)',
          message: 'allowPrivilegeEscalation must be false',
        },
      ],
    },
  },
  {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicyBinding',
    metadata: { name: 'like-restricted-v2' },
    spec: { policyName: 'like-restricted-v2', validationActions: ['Deny'] },
  },
];
