import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { joinTrust, trustPodIdentity, trustPrincipals, trustServiceAccount } from '../lab/index.ts';
import { run } from '../lab/install/run.ts';
import { eventually } from '../support/eventually.ts';
import type { RolevendProcess } from '../support/process.ts';
import { openSite, openWorkshop, type Site, type Workshop } from './support.ts';

const chart = fileURLToPath(new URL('../../chart', import.meta.url));
/** Lives of the operator's own sessions, renewed after 10 to 12 s and used for 15 s, and of those that it vends. */
const BASE_SECONDS = 20;
const VENDED_SECONDS = 8;

/** How AWS knows the operator, and whether the chart lets it work in one namespace or in all. */
const cases = [
  { name: 'EKS Pod Identity', action: 'AssumeRoleForPodIdentity', audience: 'pods.eks.amazonaws.com', scope: 'one' },
  { name: 'IRSA', action: 'AssumeRoleWithWebIdentity', audience: 'sts.amazonaws.com', scope: 'all' },
] as const;
type Case = (typeof cases)[number];

const accounts = ['rolevend', 'successor'];

describe('an operator with the rights of the chart', () => {
  let shop: Workshop;
  const installations = new Map<string, { site: Site; operator: RolevendProcess }>();
  const cleanUps: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    shop = await openWorkshop();
    const { aws, plane } = shop;
    aws.gateway.trustIssuer({ issuer: plane.issuer, caFile: plane.caFile });
    aws.gateway.sessionSeconds(VENDED_SECONDS, { action: 'AssumeRole' });
    for (const { action } of cases) aws.gateway.sessionSeconds(BASE_SECONDS, { action });
    await Promise.all([...cases.map(installWithToken), installWithKeys()]);
  });
  afterAll(async () => {
    await shop?.program.remove();
    for (const cleanUp of cleanUps) await cleanUp();
    await shop?.stop();
  });

  /** Makes a namespace with the chart's ServiceAccount and its rights. */
  async function openChartSite(scope: Case['scope']): Promise<Site> {
    const site = await openSite(shop);
    const { name } = site.ns;
    cleanUps.push(site.close);
    await applyChart(name, scope === 'one' ? ['--set', `rbac.namespaces={${name}}`] : []);
    return site;
  }

  /** Gives what the chart gives the operator with these values. */
  async function applyChart(namespace: string, values: string[]): Promise<void> {
    const { helmPath, kubectlInput } = shop.plane;
    const templates = ['rbac', 'serviceaccount'].flatMap((file) => ['--show-only', `templates/${file}.yaml`]);
    const release = [`rolevend-${namespace}`, chart, '--namespace', namespace, '--set', 'serviceAccount.name=rolevend'];
    const { stdout, stderr } = await run([helmPath, 'template', ...release, ...values, ...templates]);
    cleanUps.unshift(() => kubectlInput(stdout, 'delete', '--wait=false', '--ignore-not-found', '--filename', '-'));
    const applied = await kubectlInput(stdout, 'apply', '--filename', '-');
    if (applied.code !== 0) throw new Error(`${stderr}${applied.stderr}`);
  }

  async function start(name: string, site: Site, roleName: string, env: Record<string, string>): Promise<void> {
    const { aws, plane, program } = shop;
    const { name: namespace } = site.ns;
    const kubeconfig = await plane.kubeconfigFor({ serviceAccount: { namespace, name: 'rolevend' } });
    const lease = {
      'leader-election-namespace': namespace,
      'leader-election-name': `rolevend-${namespace}-controller`,
    };
    const flags = { kubeconfig, namespaces: namespace, ...lease };
    const operator = await program.start({ flags, env: { ...aws.environment(), ...env } });
    installations.set(name, { site, operator });
    await operator.ready();
    await site.apply('app', { roleName });
    await site.ready('app');
  }

  async function installWithKeys(): Promise<void> {
    const { accessKeyId, secretAccessKey } = shop.keys;
    const env = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
    await start('keys', await openChartSite('one'), 'app', env);
  }

  /**
   * The token file is replaced once the operator works, as the kubelet does it. The new token is that of another
   * ServiceAccount with the same role, so that AWS tells which one was used.
   */
  async function installWithToken({ name, audience, scope }: Case): Promise<void> {
    const { aws, plane, program } = shop;
    const site = await openChartSite(scope);
    const { name: namespace } = site.ns;
    await site.ns.apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'successor' } });
    const tokenFile = join(program.directory, `${namespace}.token`);
    const putToken = async (account: string) =>
      writeFile(tokenFile, await plane.serviceAccountToken({ namespace, name: account }, { audiences: [audience] }));
    await putToken('rolevend');
    const { env, roleArn } = await identities[name](namespace, tokenFile);
    await aws.createRole(`app-${namespace}`, { trust: trustPrincipals(roleArn) });
    await start(name, site, `app-${namespace}`, env);
    await putToken('successor');
  }

  const policies = ['sts:AssumeRole', 'sts:TagSession'];
  const identities = {
    'EKS Pod Identity': async (namespace: string, tokenFile: string) => {
      const { aws } = shop;
      const roleArn = await aws.createRole('pod-identity', { trust: trustPodIdentity(), policies });
      const [env] = accounts.map((serviceAccount) =>
        aws.gateway.podIdentity({ namespace, serviceAccount, roleArn, tokenFile }),
      );
      return { roleArn, env: { ...env } };
    },
    IRSA: async (namespace: string, tokenFile: string) => {
      const { aws, plane } = shop;
      const provider = await aws.oidcProvider(plane.issuer);
      const trust = joinTrust(...accounts.map((name) => trustServiceAccount(provider, { namespace, name })));
      const roleArn = await aws.createRole('irsa', { trust, policies });
      return { roleArn, env: { AWS_ROLE_ARN: roleArn, AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile } };
    },
  };

  /** What went wrong, by the operator's own account. */
  async function troubles(operator: RolevendProcess) {
    const lines = await operator.log();
    const { body } = await operator.ask('/metrics');
    return {
      logged: lines.filter(({ level }) => level === 'warn' || level === 'error'),
      refused: body.split('\n').filter((line) => /^rest_client_requests_total\{.*code="40[13]"/.test(line)),
    };
  }
  const none = { logged: [], refused: [] };

  test('vends with long-lived keys of the environment', async () => {
    const { site, operator } = installations.get('keys') as { site: Site; operator: RolevendProcess };
    expect(site.calls()[0]).toMatchObject({ caller: shop.keys.arn, status: 200 });
    expect(await troubles(operator)).toEqual(none);
  });

  test('exchanges the token of a ServiceAccount only in namespaces that the chart is told of', async () => {
    const { site, operator } = installations.get('keys') as { site: Site; operator: RolevendProcess };
    const { aws } = shop;
    const { name: namespace } = site.ns;
    const provider = `arn:aws:iam::${aws.accountId}:oidc-provider/${new URL(shop.plane.issuer).host}`;
    const roleArn = await aws.createRole('reports', {
      trust: trustServiceAccount(provider, { namespace, name: 'default' }),
    });
    const auth = { type: 'ServiceAccount', serviceAccountRef: { name: 'default' } } as const;
    await site.apply('web', { roleArn, auth });
    const refused = await eventually('the refusal', async () => {
      const { conditions = [] } = (await site.object('web')).status ?? {};
      return conditions.find(({ reason }) => reason === 'TokenRequestForbidden');
    });
    expect(refused).toMatchObject({ message: expect.stringContaining(`serviceAccountAuth.namespaces={${namespace}}`) });
    expect(aws.gateway.count('AssumeRoleWithWebIdentity', { role: roleArn })).toBe(0);
    await applyChart(namespace, [
      ...['--set', `rbac.namespaces={${namespace}}`],
      ...['--set', `serviceAccountAuth.namespaces={${namespace}}`],
    ]);
    await site.ready('web');
    const [session] = aws.gateway.issued().filter((one) => one.roleArn === roleArn);
    expect(session?.caller).toBe(`system:serviceaccount:${namespace}:default`);
    const tokens = (await operator.ask('/metrics')).body.match(/rest_client_requests_total\{.*code="40[13]"\} \d+/g);
    expect(tokens).toHaveLength(1);
  });

  test.each(cases)(
    'vends with $name, renews its own session in time and reads the new token',
    async ({ name, action }) => {
      const { site, operator } = installations.get(name) as { site: Site; operator: RolevendProcess };
      const { name: namespace } = site.ns;
      const callers = () => [...new Set(site.calls().map(({ caller }) => caller))];
      const names = accounts.map((account) => `system:serviceaccount:${namespace}:${account}`);
      const ownSessions = () =>
        shop.aws.gateway
          .issued()
          .filter((session) => session.action === action && names.includes(session.caller ?? ''));
      const renewals = () => ownSessions().filter(({ arn }) => callers().includes(arn));
      // It may have renewed its session with the old token, too, before that was replaced.
      await eventually('two sessions with the new token to vend', (saw) => {
        return saw(renewals().map(({ caller }) => caller)).filter((caller) => caller === names[1]).length >= 2;
      });

      const own = ownSessions();
      const isReplaced = own.map(({ caller }) => caller === names[1]);
      expect(isReplaced).toEqual(isReplaced.toSorted());
      expect(own[0]?.caller).toBe(names[0]);
      expect(callers()).toEqual(own.map(({ arn }) => arn).filter((arn) => callers().includes(arn)));
      const endOf = (index: number) => own[index]?.expiresAt ?? Number.POSITIVE_INFINITY;
      const late = own.filter(({ issuedAt }, index) => issuedAt > endOf(index - 1));
      expect(late).toEqual([]);
      expect(site.calls().filter(({ status }) => status !== undefined && status !== 200)).toEqual([]);
      expect(await troubles(operator)).toEqual(none);
    },
  );
});
