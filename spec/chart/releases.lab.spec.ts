import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { openSite, type Workshop } from '../commands/support.ts';
import { openStage } from '../controllers/aws-assume-role/support.ts';
import {
  type ControlPlane,
  expectSuccess,
  startControlPlane,
  temporaryDirectory,
  trustPrincipals,
} from '../lab/index.ts';
import { eventually } from '../support/eventually.ts';
import { buildProgram, type RolevendProcess } from '../support/process.ts';
import { startReplica } from './replica.ts';
import { CHART, helm, NAMESPACE, set } from './support.ts';

const FORMER = 'rolevend-controller';

describe('a release beside others', () => {
  let shop: Workshop;
  let cluster: ControlPlane;
  const replicas: RolevendProcess[] = [];

  beforeAll(async () => {
    cluster = await startControlPlane({ name: 'releases' });
    const stage = await openStage({}, cluster);
    shop = { ...stage, program: await buildProgram() };
    await stage.aws.createRole('app', { trust: trustPrincipals(stage.keys.arn) });
  });
  afterEach(async () => {
    await Promise.all(replicas.splice(0).map((one) => one.end('SIGKILL')));
  });
  afterAll(async () => {
    await shop?.program.remove();
    await shop?.stop();
    await cluster?.stop();
  });

  async function run(action: 'install' | 'upgrade', release: string, works: string, namespace: string, chart = CHART) {
    const { aws, keys } = shop;
    const variables = { AWS_ACCESS_KEY_ID: keys.accessKeyId, AWS_SECRET_ACCESS_KEY: keys.secretAccessKey };
    const values = {
      'aws.region': aws.region,
      'aws.endpointUrl': aws.endpoint,
      extraEnv: Object.entries(variables).map(([name, value]) => ({ name, value })),
      'rbac.namespaces': [works],
      'crds.install': false,
      'grants.installDefault': false,
    };
    const created = action === 'install' ? ['--create-namespace'] : [];
    await helm('Helm 4', cluster, action, release, chart, '--namespace', namespace, ...created, ...set(values));
  }

  async function start(namespace: string, name: string): Promise<RolevendProcess> {
    const one = await startReplica(shop.program, cluster, { namespace, name });
    replicas.push(one);
    return one;
  }

  const leads = (one: RolevendProcess, lease: string) => async () =>
    (await one.metric(`leader_election_master_status{name="${lease}"}`)) === 1;

  test('works in its namespaces while another that lives in the same one works in others', async () => {
    const [site, other] = [await openSite(shop), await openSite(shop)];
    await run('install', 'rolevend', site.ns.name, NAMESPACE);
    await run('install', 'team-b', other.ns.name, NAMESPACE);
    const [first, second] = [await start(NAMESPACE, 'rolevend'), await start(NAMESPACE, 'team-b-rolevend')];
    await Promise.all([site.apply('app'), other.apply('app')]);
    await Promise.all([site.ready('app'), other.ready('app')]);
    expect(await leads(first, FORMER)()).toBe(true);
    expect(await leads(second, 'team-b-rolevend-controller')()).toBe(true);
    await Promise.all([site.close(), other.close()]);
  });

  test('never has two leaders while it is upgraded from a version that had the same Lease for all', async () => {
    const namespace = 'late-system';
    const site = await openSite(shop);
    const older = await temporaryDirectory('rolevend-former-');
    await writeFormerChart(older.path);
    await run('install', 'late', site.ns.name, namespace, older.path);
    await older.remove();
    const before = await start(namespace, 'late-rolevend');
    await eventually('it to lead', leads(before, FORMER));

    await run('upgrade', 'late', site.ns.name, namespace);
    const after = await start(namespace, 'late-rolevend');
    await eventually('the new one to lead', leads(after, 'late-rolevend-controller'));
    expect(await before.exited).toBe(1);
    const [former, present] = [await timesOf(namespace, FORMER), await timesOf(namespace, 'late-rolevend-controller')];
    // The former one may write for 10 s after it has renewed for the last time.
    expect(present.acquired - former.renewed).toBeGreaterThanOrEqual(10_000);
    await site.close();
  });

  async function timesOf(namespace: string, name: string): Promise<{ acquired: number; renewed: number }> {
    const path = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/${name}`;
    const answer = await cluster.request<{ spec: { acquireTime: string; renewTime: string } }>('GET', path);
    const { acquireTime, renewTime } = expectSuccess(answer, path).spec;
    return { acquired: Date.parse(acquireTime), renewed: Date.parse(renewTime) };
  }
});

/** Makes a copy of the chart in this directory that has the one Lease of before. */
async function writeFormerChart(directory: string): Promise<void> {
  await cp(CHART, directory, { recursive: true });
  const change = async (file: string, from: string, to: string) => {
    const path = join(directory, 'templates', file);
    const text = await readFile(path, 'utf8');
    if (!text.includes(from)) throw new Error(`${file} has no ${from}`);
    await writeFile(path, text.replace(from, to));
  };
  const name = '{{ include "rolevend.lease" . }}';
  await change('deployment.yaml', `            - --leader-election-name=${name}\n`, '');
  await change('rbac.yaml', name, FORMER);
}
