import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { parse, stringify } from 'yaml';
import { startTlsFront, type TlsFront } from '../lab/aws/tls-front.ts';
import { createAuthority } from '../lab/certificates.ts';
import { type ConnectProxy, startConnectProxy } from '../lab/connect-proxy.ts';
import { trustPodIdentity, trustServiceAccount } from '../lab/index.ts';
import { eventually } from '../support/eventually.ts';
import type { RolevendProcess } from '../support/process.ts';
import { openSite, openWorkshop, type Site, type Workshop } from './support.ts';

const LOGIN = 'operator:correct-horse-battery';
const registry = '111122223333.dkr.ecr.eu-central-1.amazonaws.com';

describe('an operator behind a proxy', () => {
  let shop: Workshop;
  let front: TlsFront;
  let proxy: ConnectProxy;
  let guarded: ConnectProxy;
  let ca: string;
  let site: Site | undefined;
  let operator: RolevendProcess | undefined;

  beforeAll(async () => {
    shop = await openWorkshop();
    const authority = await createAuthority();
    front = await startTlsFront(shop.aws.endpoint, authority);
    [proxy, guarded] = await Promise.all([
      startConnectProxy({ port: front.port }),
      startConnectProxy({ port: front.port, login: LOGIN }),
    ]);
    ca = join(shop.program.directory, 'ca.pem');
    await writeFile(ca, authority.cert);
  });

  afterEach(async () => {
    await operator?.end();
    await site?.close();
    [operator, site] = [undefined, undefined];
    for (const { targets } of [proxy, guarded]) targets.length = 0;
  });

  afterAll(async () => {
    await shop?.program.remove();
    await proxy?.stop();
    await guarded?.stop();
    await front?.stop();
    await shop?.stop();
  });

  /** An operator with long-lived keys and nothing else of AWS in its environment than what is given. */
  async function start(env: Record<string, string>, kubeconfig = shop.plane.kubeconfig): Promise<RolevendProcess> {
    site = await openSite(shop);
    const { name } = site.ns;
    const { accessKeyId, secretAccessKey } = shop.keys;
    const keys = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
    const flags = { kubeconfig, namespaces: name, 'leader-election-namespace': name };
    operator = await shop.program.start({
      flags: { ...flags, region: 'eu-central-1' },
      env: { ...keys, AWS_EC2_METADATA_DISABLED: 'true', ...env },
    });
    return operator;
  }

  /** Vends a session and a registry's token, and tells what the proxies were asked for, each once. */
  async function hosts(env: Record<string, string>): Promise<string[]> {
    await (await start(env)).ready();
    await site?.apply('map', {});
    await site?.apply('ecr', { secretType: 'EcrDockerConfigJson', ecrRepositoryUrl: registry });
    await site?.ready('map');
    await site?.ready('ecr');
    return [...new Set([...proxy.targets, ...guarded.targets])].sort();
  }

  const viaProxy = () => ({ HTTPS_PROXY: proxy.url, AWS_CA_BUNDLE: ca });

  test.each([
    [
      'the endpoints of its Region',
      {},
      ['api.ecr.eu-central-1.amazonaws.com:443', 'sts.eu-central-1.amazonaws.com:443'],
    ],
    [
      'FIPS endpoints',
      { AWS_USE_FIPS_ENDPOINT: 'true' },
      ['api.ecr-fips.eu-central-1.amazonaws.com:443', 'sts-fips.eu-central-1.amazonaws.com:443'],
    ],
    [
      'dual-stack endpoints',
      { AWS_USE_DUALSTACK_ENDPOINT: 'true' },
      ['ecr.eu-central-1.api.aws:443', 'sts.eu-central-1.api.aws:443'],
    ],
    [
      'an endpoint for all services',
      { AWS_ENDPOINT_URL: 'https://aws.internal.example' },
      ['aws.internal.example:443'],
    ],
    [
      'an endpoint for one service',
      { AWS_ENDPOINT_URL_STS: 'https://sts.internal.example:8443' },
      ['api.ecr.eu-central-1.amazonaws.com:443', 'sts.internal.example:8443'],
    ],
  ])('reaches %s through it, and the API server without it', async (_what, env, expected) => {
    expect(await hosts({ ...viaProxy(), ...env })).toEqual(expected);
  });

  const identities = {
    IRSA: { audience: 'sts.amazonaws.com', action: 'AssumeRoleWithWebIdentity' },
    'EKS Pod Identity': { audience: 'pods.eks.amazonaws.com', action: 'AssumeRoleForPodIdentity' },
  } as const;

  test.each(['IRSA', 'EKS Pod Identity'] as const)(
    'gets its own identity from %s: from STS through it, from the agent on the node without it',
    async (name) => {
      const { aws, plane, program } = shop;
      const { audience, action } = identities[name];
      const account = { namespace: 'default', name: 'default' };
      const tokenFile = join(program.directory, `${action}.token`);
      await writeFile(tokenFile, await plane.serviceAccountToken(account, { audiences: [audience] }));
      aws.gateway.trustIssuer({ issuer: plane.issuer, caFile: plane.caFile });
      const env = name === 'IRSA' ? await irsa(tokenFile) : await podIdentity(tokenFile);
      const both = { HTTPS_PROXY: proxy.url, HTTP_PROXY: proxy.url, AWS_CA_BUNDLE: ca };
      await (await start({ ...both, ...env, AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' })).ready();
      expect([...new Set(proxy.targets)]).toEqual(['sts.eu-central-1.amazonaws.com:443']);
      expect(aws.gateway.issued().at(-1)?.action).toBe(action);
    },
  );

  async function irsa(tokenFile: string): Promise<Record<string, string>> {
    const provider = await shop.aws.oidcProvider(shop.plane.issuer);
    const trust = trustServiceAccount(provider, { namespace: 'default', name: 'default' });
    const AWS_ROLE_ARN = await shop.aws.createRole('irsa', { trust });
    return { AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile };
  }

  async function podIdentity(tokenFile: string): Promise<Record<string, string>> {
    const roleArn = await shop.aws.createRole('pod-identity', { trust: trustPodIdentity() });
    const association = { namespace: 'default', serviceAccount: 'default', roleArn, tokenFile };
    return { ...shop.aws.gateway.podIdentity(association) };
  }

  /** The kubeconfig of the laboratory with another name for the API server. */
  async function kubeconfigTo(host: string): Promise<string> {
    const { plane, program } = shop;
    const config = parse(await readFile(plane.kubeconfig, 'utf8')) as { clusters: { cluster: object }[] };
    const server = `https://${host}:${new URL(plane.server).port}`;
    for (const { cluster } of config.clusters)
      Object.assign(cluster, { server, 'tls-server-name': 'kubernetes.default.svc' });
    const path = join(program.directory, `${host}.kubeconfig`);
    await writeFile(path, stringify(config));
    return path;
  }

  test('finds API server and proxy with its own look-up', async () => {
    // `getaddrinfo` knows names below localhost only where a module of the machine does.
    const named = { ...viaProxy(), HTTPS_PROXY: proxy.url.replace('127.0.0.1', 'proxy.localhost') };
    await (await start(named, await kubeconfigTo('api.localhost'))).ready();
    expect([...new Set(proxy.targets)]).toEqual(['sts.eu-central-1.amazonaws.com:443']);
  });

  test('goes around it for what NO_PROXY names', async () => {
    const around = { AWS_ENDPOINT_URL_STS: `https://localhost:${front.port}`, NO_PROXY: 'localhost,.example.com' };
    expect(await hosts({ ...viaProxy(), ...around })).toEqual(['api.ecr.eu-central-1.amazonaws.com:443']);
  });

  test('lets an object choose the Region, and with it nothing but an endpoint of AWS', async () => {
    await (await start(viaProxy())).ready();
    await site?.apply('far', { region: 'us-east-2' });
    await site?.ready('far');
    for (const number of [1, 2, 3, 4, 5]) {
      await site?.apply(`far-${number}`, { region: 'us-east-2' });
      await site?.ready(`far-${number}`);
    }
    // One connection for each host: the tunnels are used again.
    expect([...proxy.targets].sort()).toEqual([
      'sts.eu-central-1.amazonaws.com:443',
      'sts.us-east-2.amazonaws.com:443',
    ]);
  });

  test('shows user and password of the proxy nowhere, and says so where they are wrong', async () => {
    expect(await hosts({ ...viaProxy(), HTTPS_PROXY: guarded.url })).toHaveLength(2);
    const right = await operator?.output();
    await operator?.end();
    await site?.close();
    const wrong = await start({ ...viaProxy(), HTTPS_PROXY: guarded.url.replace('correct', 'wrong') });
    const problem = await unready(wrong);
    expect(problem).toContain('(StsUnreachable, ERR_PROXY_TUNNEL)');
    expect(problem).toContain('The proxy of HTTPS_PROXY refused the connection: check its address, user and password');
    const said = [right, await wrong.output(), problem].join('\n');
    expect(['horse', Buffer.from(LOGIN).toString('base64')].filter((secret) => said.includes(secret))).toEqual([]);
  });

  test('trusts no certificate of an unknown authority, and names the variable that helps', async () => {
    shop.aws.gateway.forgetCalls();
    const problem = await unready(await start({ HTTPS_PROXY: proxy.url }));
    expect(problem).toMatch(/\(StsUnreachable, [A-Z_]*(CERT|UNABLE_TO)[A-Z_]*\)/);
    expect(problem).toContain('name a PEM file with it in AWS_CA_BUNDLE');
    expect(shop.aws.gateway.calls()).toEqual([]);
  });

  /** What `/readyz` says about AWS. */
  function unready(process: RolevendProcess): Promise<string> {
    return eventually('a reason not to be ready', async () => {
      const { status, body } = await process.ask('/readyz');
      return status === 503 && body.includes('StsUnreachable') ? body : undefined;
    });
  }
});
