import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { V1PolicyRule } from '@kubernetes/client-node';
import { managedLabel } from '../../lib/api/names.ts';
import { restartKinds } from '../../lib/api/rollout-restart.ts';
import { restartAnnotation } from '../../lib/controllers/aws-assume-role/restart-target.ts';
import type { Raw } from '../../lib/kube/objects.ts';
import { holdsWhatWasIssued, openSite, type Site, type Workshop } from '../commands/support.ts';
import { openStage } from '../controllers/aws-assume-role/support.ts';
import { workload } from '../controllers/aws-assume-role/workloads.ts';
import {
  type AuditEntry,
  type ControlPlane,
  startControlPlane,
  trustPrincipals,
  trustServiceAccount,
} from '../lab/index.ts';
import { eventually } from '../support/eventually.ts';
import { buildProgram, type RolevendProcess } from '../support/process.ts';
import { install, kubectl, upgrade } from './cluster.ts';
import { startReplica as startOne } from './replica.ts';
import { NAMESPACE, RELEASE, set, takeOver } from './support.ts';

const USER = `system:serviceaccount:${NAMESPACE}:${RELEASE}`;
const ECR_HOST = '111122223333.dkr.ecr.eu-central-1.amazonaws.com';
const leading = 'leader_election_master_status{name="rolevend-controller"}';

type Rule = Raw<V1PolicyRule>;

describe('with exactly the rights, the arguments and the variables that the chart gives', () => {
  let shop: Workshop;
  let cluster: ControlPlane;
  const replicas: RolevendProcess[] = [];
  const sites: Site[] = [];
  /** ARN of the OIDC provider of the cluster. */
  let provider: string;

  beforeAll(async () => {
    cluster = await startControlPlane({ name: 'rights', audit: true });
    const stage = await openStage({}, cluster);
    const program = await buildProgram();
    shop = { ...stage, program };
    const { aws, keys } = stage;
    await aws.createRole('app', { trust: trustPrincipals(keys.arn), policies: ['ecr:GetAuthorizationToken'] });
    aws.gateway.trustIssuer({ issuer: cluster.issuer, caFile: cluster.caFile });
    provider = await aws.oidcProvider(cluster.issuer);
    const variables = { AWS_ACCESS_KEY_ID: keys.accessKeyId, AWS_SECRET_ACCESS_KEY: keys.secretAccessKey };
    const values = {
      'aws.region': aws.region,
      'aws.endpointUrl': aws.endpoint,
      extraEnv: Object.entries(variables).map(([name, value]) => ({ name, value })),
      'grants.installDefault': false,
    };
    await install('Helm 4', cluster, ...set(values), ...takeOver['Helm 4']);
  });

  /** What a test opened goes also where it failed: the next one must not meet another leader. */
  afterEach(async () => {
    await Promise.all(replicas.splice(0).map((one) => one.end('SIGTERM')));
    await Promise.all(sites.splice(0).map((site) => site.close()));
    shop.aws.gateway.clear();
  });

  afterAll(async () => {
    await shop?.program.remove();
    await shop?.stop();
    await cluster?.stop();
  });

  /** Two replicas of the Deployment; what a kubelet would add stands in the last four. */
  async function startReplicas(): Promise<void> {
    await Promise.all([startReplica(), startReplica()]);
    await Promise.all(replicas.map((one) => one.ready()));
  }

  async function startReplica(): Promise<RolevendProcess> {
    const replica = await startOne(shop.program, cluster, { namespace: NAMESPACE, name: RELEASE });
    replicas.push(replica);
    return replica;
  }

  async function open(): Promise<Site> {
    const site = await openSite(shop);
    sites.push(site);
    return site;
  }

  /** Whether the operator may list Secrets there. The API server takes a moment to see what has changed. */
  async function mayRead(namespace: string): Promise<boolean> {
    const asked = ['auth', 'can-i', 'list', 'secrets', `--as=${USER}`, `--namespace=${namespace}`];
    return (await cluster.kubectl(...asked)).stdout === 'yes\n';
  }

  /** Everything that makes the operator speak with the API server. */
  async function useEverything(site: Site, from: number): Promise<void> {
    const { ns } = site;
    await collide(site, from);
    await exchangeToken(site);
    await restartWorkloads(site);
    const all = ['refreshed', 'edited', 'deleted', 'unlabelled', 'retyped', 'renamed', 'gone'];
    await ns.apply({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'foreign' } });
    await Promise.all([...all, 'foreign'].map((name) => site.apply(name)));
    await Promise.all(all.map((name) => site.ready(name)));
    await eventually('the foreign Secret to be refused', async () => {
      const { status } = await site.object('foreign');
      return status?.conditions?.some(({ reason }) => reason === 'AdoptionRefused');
    });
    await ns.kubectl('annotate', 'aar', 'refreshed', 'rolevend.dev/refresh-requested-at=now');
    await ns.kubectl('patch', 'secret', 'edited', '--type=merge', '--patch={"data":{"awsSessionToken":"eA=="}}');
    await ns.kubectl('delete', 'secret', 'deleted');
    await ns.kubectl('label', 'secret', 'unlabelled', `${managedLabel}-`);
    await site.apply('retyped', { secretType: 'EcrDockerConfigJson', ecrRepositoryUrl: ECR_HOST });
    await site.apply('renamed', { secretName: 'renamed-again' });
    await ns.kubectl('delete', 'aar', 'gone');
    await site.ready('retyped');
    await site.ready('renamed');
    const kept = ['deleted', 'edited', 'refreshed', 'renamed-again', 'restarting', 'retyped', 'unlabelled', 'web'];
    await eventually('every Secret to be as it should', async () => {
      const secrets = (await site.secrets()).filter(({ metadata }) => metadata.labels?.[managedLabel] === 'true');
      expect(secrets.map(({ metadata }) => metadata.name).sort()).toEqual(kept);
      return secrets.every((secret) => holdsWhatWasIssued(secret, shop.aws.gateway));
    });
    expect((await site.object('refreshed')).status?.lastHandledRefreshRequest).toBe('now');
    await changeLeader();
    await site.apply('later');
    await site.ready('later');
    await eventually('an Event', async () => (await ns.kubectl('get', 'events', '-oname')).stdout !== '');
  }

  /** Lets an object restart a workload of each kind. */
  async function restartWorkloads({ ns, apply, ready }: Site): Promise<void> {
    const targets = restartKinds.map((kind) => ({ kind, name: 'worker' }));
    await ns.apply(...targets.map(workload));
    await apply('restarting', { rolloutRestart: { targets, minInterval: '1m' } });
    await ready('restarting');
    await ns.kubectl('delete', 'secret', 'restarting');
    await eventually('a restart of each', async () => {
      const { stdout } = await ns.kubectl('get', restartKinds.join(','), '--output', 'json');
      return stdout.split(restartAnnotation('restarting')).length > restartKinds.length;
    });
  }

  /** Lets an object use a ServiceAccount of its namespace. */
  async function exchangeToken({ ns, apply, ready }: Site): Promise<void> {
    const trust = trustServiceAccount(provider, { namespace: ns.name, name: 'default' });
    await shop.aws.createRole(ns.name, { trust });
    await apply('web', { roleName: ns.name, auth: { type: 'ServiceAccount', serviceAccountRef: { name: 'default' } } });
    await ready('web');
  }

  /**
   * Changes an object while its first status, that of a slow issue, is on its way, so that the operator reads its version
   * anew. On a busy machine the change may come after the status: then once more with another object.
   */
  async function collide(site: Site, from: number): Promise<void> {
    const object = { apiVersion: 'pincette.net/v1', kind: 'AWSAssumeRole' };
    await eventually('a version to be read anew', async (saw) => {
      const before = site.calls().length;
      const metadata = { name: `slow-${before}` };
      shop.aws.gateway.fail({ action: 'AssumeRole', with: 'stall', times: 1 });
      await site.apply(metadata.name);
      await eventually('STS to hold the call', () => site.calls().length > before);
      await site.ns.patch({ ...object, metadata }, { metadata: { annotations: { note: 'changed' } } });
      await eventually('the first status', async () => (await site.object(metadata.name)).status?.phase === 'Pending');
      await site.ns.kubectl('delete', 'aar', metadata.name);
      const read = (await audited(from)).filter(({ verb, objectRef: { resource } = {} }) => {
        return verb === 'get' && resource === 'awsassumeroles';
      });
      return saw(read.length) > 0;
    });
  }

  async function changeLeader(): Promise<void> {
    const states = await Promise.all(replicas.map((one) => one.metric(leading)));
    const leader = replicas[states.indexOf(1)];
    const standby = replicas[states.indexOf(0)];
    expect(await leader?.end('SIGTERM')).toBe(0);
    await eventually('the other to lead', async () => (await standby?.metric(leading)) === 1);
  }

  /** `scope: verb resource.group`, and the name where the right is for one object alone. The scope is a namespace or `cluster`. */
  async function granted(): Promise<string[]> {
    const roles = await Promise.all(
      ['clusterroles', 'roles'].map(async (kind) => {
        const text = await kubectl(cluster, 'get', kind, '--all-namespaces', '--selector=helm.sh/chart', '-ojson');
        return (JSON.parse(text) as { items: { metadata: { name: string; namespace?: string }; rules: Rule[] }[] })
          .items;
      }),
    );
    // The ClusterRoles for people are not the operator's.
    const own = roles.flat().filter(({ metadata }) => !/-(view|edit)$/.test(metadata.name));
    const lines = own.flatMap(({ metadata, rules }) => rules.flatMap((rule) => linesOf(metadata.namespace, rule)));
    expect(lines.filter((line) => line.includes('*'))).toEqual([]);
    return [...new Set(lines)].sort();
  }

  function linesOf(
    scope: string | undefined,
    { apiGroups = [], resources = [], resourceNames = [''], verbs }: Rule,
  ): string[] {
    return apiGroups.flatMap((group) =>
      resources.flatMap((resource) =>
        resourceNames.flatMap((name) => verbs.map((verb) => lineOf(scope, verb, group, resource, name))),
      ),
    );
  }

  function lineOf(scope = 'cluster', verb: string, group: string, resource: string, name: string): string {
    return `${scope}: ${verb} ${[resource, group].filter(Boolean).join('.')} ${name}`.trim();
  }

  /**
   * The narrowest of the rights that allows what was asked for, in the words of `granted`. A Lease is created under no name,
   * as far as RBAC knows.
   */
  function used({ verb, objectRef }: AuditEntry, rights: readonly string[]): string {
    const { resource = '', subresource, apiGroup = '', namespace, name = '' } = objectRef ?? {};
    const isNamed = resource === 'leases' && verb !== 'create';
    const what = [resource, subresource].filter(Boolean).join('/');
    const inScope = (scope?: string) => lineOf(scope, verb, apiGroup, what, isNamed ? name : '');
    return rights.includes(inScope(namespace)) ? inScope(namespace) : inScope();
  }

  async function audited(from: number): Promise<AuditEntry[]> {
    return (await cluster.auditLog()).slice(from).filter(({ user }) => user.username === USER);
  }

  test.each([
    ['all namespaces', () => []],
    ['one namespace', (namespace: string) => [namespace]],
  ])('in %s the operator uses each of them and is refused nothing', async (_, namespaces) => {
    const site = await open();
    const values = {
      'rbac.namespaces': namespaces(site.ns.name),
      'serviceAccountAuth.namespaces': [site.ns.name],
      'rolloutRestart.enabled': true,
    };
    await upgrade('Helm 4', cluster, ...set(values));
    await cluster.kubectl('delete', 'leases', '--all', `--namespace=${NAMESPACE}`);
    const from = (await cluster.auditLog()).length;
    await startReplicas();
    await useEverything(site, from);
    await Promise.all(replicas.map((one) => one.end('SIGTERM')));
    const entries = await audited(from);
    expect(entries.filter(({ responseStatus }) => [401, 403].includes(responseStatus?.code ?? 0))).toEqual([]);
    const rights = await granted();
    expect([...new Set(entries.map((entry) => used(entry, rights)))].sort()).toEqual(rights);
  });

  test('it starts and works although one of its namespaces is closed to it, and takes that up when it opens', async () => {
    const [site, closed] = [await open(), await open()];
    const values = set({
      'rbac.namespaces': [closed.ns.name, site.ns.name],
      'serviceAccountAuth.namespaces': [],
      'rolloutRestart.enabled': false,
    });
    await upgrade('Helm 4', cluster, ...values);
    await kubectl(cluster, 'delete', 'rolebinding', RELEASE, '--namespace', closed.ns.name);
    await eventually('the namespace to be closed', async () => !(await mayRead(closed.ns.name)));
    await closed.apply('waiting');
    await startReplicas();
    await site.apply('served');
    await site.ready('served');
    expect((await closed.object('waiting')).status).toBeUndefined();
    await upgrade('Helm 4', cluster, ...values);
    await eventually('the closed namespace to be served', () => closed.ready('waiting'));
  });

  test('it is not ready where it may not do its work in the only one of its namespaces', async () => {
    const site = await open();
    await upgrade('Helm 4', cluster, ...set({ 'rbac.namespaces': [site.ns.name] }));
    const objects = { apiGroups: ['pincette.net'], resources: ['awsassumeroles'], verbs: ['list', 'watch'] };
    const change = JSON.stringify({ rules: [objects] });
    await site.ns.kubectl('patch', 'role', RELEASE, '--type=merge', '--patch', change);
    await eventually('Secrets to be refused', async () => !(await mayRead(site.ns.name)));
    const replica = await startReplica();
    await eventually('the objects to be there', async () => {
      const { status, body } = await replica.ask('/readyz');
      return status === 503 && body.trim().split('\n').join() === `not synced: secrets in ${site.ns.name}`;
    });
  });

  test('an operator of one namespace can read no Secret of another', async () => {
    const values = { 'rbac.namespaces': ['default'], 'serviceAccountAuth.namespaces': [] };
    await upgrade('Helm 4', cluster, ...set(values));
    expect([await mayRead('default'), await mayRead('kube-system')]).toEqual([true, false]);
  });
});
