import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { AWSAssumeRoleSpec } from '../../../lib/api/aws-assume-role.ts';
import type { BaseCredentials } from '../../../lib/aws/options.ts';
import { openSite, openWorkshop, type Site, type Workshop } from '../../commands/support.ts';
import { expectSuccess } from '../../lab/index.ts';
import { eventually } from '../../support/eventually.ts';
import { findLeaks } from '../../support/leaks.ts';
import type { RolevendProcess } from '../../support/process.ts';
import { roleSession } from './probes.ts';

const registry = '111122223333.dkr.ecr.eu-central-1.amazonaws.com';
const specs = {
  map: {},
  file: { secretType: 'File' },
  ecr: { secretType: 'EcrDockerConfigJson', ecrRepositoryUrl: registry },
  template: {
    secretType: 'Template',
    template: { data: { all: '${accessKeyId} ${secretAccessKey} ${sessionToken} ${ecr.password} ${ecr.auth}' } },
    tokens: [{ name: 'ecr', ecr: {} }],
  },
} satisfies Record<string, Partial<AWSAssumeRoleSpec>>;
type Name = keyof typeof specs;
const names = Object.keys(specs) as Name[];
const BINDINGS = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings';

describe('a process at log level debug', () => {
  let shop: Workshop;
  let site: Site;
  let operator: RolevendProcess;
  let base: BaseCredentials;
  let kubeconfig: string;

  beforeAll(async () => {
    shop = await openWorkshop();
    site = await openSite(shop);
    const { aws, plane, keys } = shop;
    const trust = { Version: '2012-10-17', Statement: [principal(keys.arn)] };
    const role = await aws.createRole('operator', { trust, policies: ['sts:AssumeRole', 'sts:TagSession'] });
    await aws.updateTrust('app', { Version: '2012-10-17', Statement: [principal(role)] });
    base = await roleSession(shop, 'operator');
    await bindAccount();
    kubeconfig = await plane.kubeconfigFor({ serviceAccount: { namespace: site.ns.name, name: 'operator' } });
    aws.gateway.sessionSeconds(6, { role: 'app' });
    aws.gateway.ecrTokenSeconds(6);
    operator = await shop.program.start({
      flags: {
        kubeconfig,
        namespaces: site.ns.name,
        region: aws.region,
        'leader-election-namespace': site.ns.name,
        'log-level': 'debug',
      },
      env: aws.environment({ ...base }),
    });
    await operator.ready();
  });

  afterAll(async () => {
    if (site) await shop.plane.request('DELETE', `${BINDINGS}/${site.ns.name}`);
    await site?.close();
    await shop?.stop();
  });

  async function bindAccount(): Promise<void> {
    const { name } = site.ns;
    const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'operator' } };
    await site.ns.apply(account);
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' };
    const subjects = [{ kind: 'ServiceAccount', name: 'operator', namespace: name }];
    expectSuccess(await shop.plane.request('POST', BINDINGS, { metadata: { name }, roleRef, subjects }), BINDINGS);
  }

  const issuedAt = async (name: string) => (await site.object(name)).status?.issuedAt ?? '';
  const until = (what: string, name: Name, isMet: (before: string, now: string) => boolean, before: string) =>
    eventually(`${name} ${what}`, async () => isMet(before, await issuedAt(name)));
  const replaced = (before: Record<string, string>) =>
    Promise.all(names.map((name) => until('to be replaced', name, (old, now) => now > old, before[name] ?? '')));
  const times = async () =>
    Object.fromEntries(await Promise.all(names.map(async (name) => [name, await issuedAt(name)] as const)));

  /** Waits until the object tells of a failed refresh, for this reason where one is given. */
  const failing = (name: string, reason?: string) =>
    eventually(`${name} to fail`, async () => {
      const { conditions = [] } = (await site.object(name)).status ?? {};
      return conditions.some(
        (one) => one.type === 'Refreshed' && one.status === 'False' && (reason ?? one.reason) === one.reason,
      );
    });

  test('issues, refreshes, repairs and fails', async () => {
    for (const name of names) await site.apply(name, specs[name]);
    for (const name of names) await site.ready(name);
    await replaced(await times());
    const before = await times();
    await site.ns.kubectl('patch', 'secret', 'map', '--patch', '{"stringData":{"awsSecretAccessKey":"edited"}}');
    await site.ns.kubectl('delete', 'secret', 'file', 'ecr');
    await replaced(before);
    const { gateway } = shop.aws;
    const quoting = `Value '${base.sessionToken}' at 'token' failed to satisfy constraint`;
    gateway.fail({ action: 'AssumeRole', with: 'ValidationError', message: quoting, times: names.length });
    await Promise.all(names.map((name) => failing(name, 'ValidationError')));
    for (const fault of ['reset', 'garbage', '5xx'])
      gateway.fail({ action: 'AssumeRole', with: fault, after: true, times: 2 });
    gateway.fail({ action: 'GetAuthorizationToken', with: 'AccessDeniedException', times: 2 });
    for (const name of names) await site.ns.kubectl('annotate', 'aar', name, 'rolevend.dev/refresh-requested-at=now');
    await failing('ecr');
  });

  test('cannot write a Secret', async () => {
    const path = `/api/v1/namespaces/${site.ns.name}/resourcequotas`;
    const hard = { secrets: '0' };
    const quota = { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'none' }, spec: { hard } };
    expectSuccess(await shop.plane.request('POST', path, quota), path);
    expectSuccess(await shop.plane.request('PATCH', `${path}/none/status`, { status: { hard, used: hard } }), path);
    shop.aws.gateway.clear();
    await site.apply('refused', {});
    await failing('refused', 'Forbidden');
  });

  test('and shows none of the values that were issued meanwhile, nor its own', async () => {
    const texts = await collect();
    const secrets = await values();
    const told = {
      output: 'no credential issued',
      events: 'RefreshFailed',
      objects: 'Forbidden',
      metrics: 'drift_total',
    };
    for (const [where, words] of Object.entries(told)) expect(texts[where]).toContain(words);
    expect(shop.aws.gateway.ecrTokens().length).toBeGreaterThan(2);
    expect(findLeaks(texts, secrets)).toEqual([]);
    const [planted = ''] = Object.keys(secrets).slice(-1);
    const leaky = { ...texts, events: `${texts['events']} ${Buffer.from(`x ${secrets[planted]}`).toString('base64')}` };
    expect(findLeaks(leaky, secrets)).toEqual([`events: ${planted}`]);
  });

  /** Everything that the operator has said anywhere, after its end. */
  async function collect(): Promise<Record<string, string>> {
    const metrics = (await operator.ask('/metrics')).body;
    const readiness = (await operator.ask('/readyz')).body;
    await operator.end();
    const list = async (kind: string) =>
      (await site.ns.kubectl('get', kind, '--output', 'json', '--show-managed-fields')).stdout;
    const objects = await list('awsassumeroles.pincette.net');
    const metadata = JSON.stringify((await site.secrets()).map((secret) => secret.metadata));
    const output = await operator.output();
    return {
      output,
      metrics,
      readiness,
      objects,
      metadata,
      events: await list('events'),
      leases: await list('leases'),
    };
  }

  /** Every secret value that AWS has issued, and those that the operator itself lives by. */
  async function values(): Promise<Record<string, string>> {
    const { gateway } = shop.aws;
    const sessions = gateway.issued().flatMap(({ secretAccessKey, sessionToken }, index) => [
      [`secretAccessKey of session ${index}`, secretAccessKey],
      [`sessionToken of session ${index}`, sessionToken],
    ]);
    const tokens = gateway.ecrTokens().map(({ password }, index) => [`registry token ${index}`, password]);
    const [, serviceAccountToken = ''] = /token: "?([\w.-]+)/.exec(await readFile(kubeconfig, 'utf8')) ?? [];
    const own = { serviceAccountToken, operatorKey: base.secretAccessKey, operatorToken: base.sessionToken ?? '' };
    return { ...own, ...Object.fromEntries([...sessions, ...tokens]) };
  }
});

function principal(arn: string) {
  return { Effect: 'Allow' as const, Principal: { AWS: arn }, Action: ['sts:AssumeRole', 'sts:TagSession'] };
}
