import { lookup as lookUp } from 'node:dns';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { LookupFunction } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { systemClock } from '../../lib/clock.ts';
import type { OidcConfig } from '../../lib/kube/kubeconfig.ts';
import { namespaces } from '../../lib/kube/objects.ts';
import { IdTokens } from '../../lib/kube/oidc.ts';
import { type Authority, createAuthority } from '../lab/certificates.ts';
import { type ConnectProxy, startConnectProxy } from '../lab/connect-proxy.ts';
import { type ControlPlane, startControlPlane } from '../lab/index.ts';
import { readKubeconfig } from '../lab/kubeconfig.ts';
import { type OidcProvider, type OidcProviderOptions, startOidcProvider } from '../lab/oidc-provider.ts';
import { eventually } from '../support/eventually.ts';
import { clientFor } from './support/cluster.ts';

const clientId = 'kubernetes';

describe('a login at an OpenID Connect provider', () => {
  let dir: string;
  let authority: Authority;
  let ca: string;
  let tls: OidcProviderOptions['tls'];
  let provider: OidcProvider;
  const stops: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'rolevend-oidc-'));
    authority = await createAuthority();
    tls = await authority.issue('localhost');
    ca = authority.cert;
    await writeFile(join(dir, 'idp.pem'), ca);
    provider = await start();
  });

  afterAll(async () => {
    for (const stop of stops.reverse()) await stop();
    await rm(dir, { recursive: true });
  });

  const start = async (options: Partial<OidcProviderOptions> = {}) => {
    const started = await startOidcProvider({ tls, clientId, ...options });
    stops.push(() => started.stop());
    return started;
  };
  const tokensOf = (from: OidcProvider, rest: Partial<OidcConfig> = {}, environment = {}) => {
    const config = { issuer: from.issuer, clientId, refreshToken: from.refreshToken, ca: { text: ca }, ...rest };
    return new IdTokens({ config, clock: systemClock, environment });
  };
  const failure = (tokens: IdTokens) =>
    tokens.next().then(
      () => undefined,
      ({ code, consequence, message }) => ({
        code,
        consequence,
        message: String(message).replace(/localhost:\d+/, 'IDP'),
      }),
    );
  const failed = (problem: string) => ({
    code: 'OidcLoginFailed',
    consequence: 'retry',
    message: `no id-token of https://IDP: ${problem}; log in there again if this does not pass`,
  });

  describe('of a real API server', () => {
    let plane: ControlPlane;

    beforeAll(async () => {
      const oidc = { issuer: provider.issuer, clientId, caFile: join(dir, 'idp.pem') };
      plane = await startControlPlane({ name: 'oidc', crds: false, controllerManager: false, oidc });
      stops.push(() => plane.stop());
      const binding = {
        metadata: { name: 'team-a' },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
        subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'team-a' }],
      };
      await plane.request('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', binding);
    });

    const connect = async (tokens: object) => {
      const { server, ca: serverCa = '' } = await readKubeconfig(plane.kubeconfig);
      const config = {
        'idp-issuer-url': provider.issuer,
        'client-id': clientId,
        'idp-certificate-authority': 'idp.pem',
        ...tokens,
      };
      const kubeconfig = join(dir, 'config');
      const content = {
        'current-context': 'lab',
        clusters: [
          { name: 'lab', cluster: { server, 'certificate-authority-data': Buffer.from(serverCa).toString('base64') } },
        ],
        users: [{ name: 'lab', user: { 'auth-provider': { name: 'oidc', config } } }],
        contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'lab' } }],
      };
      await writeFile(kubeconfig, JSON.stringify(content), { mode: 0o600 });
      const made = await clientFor(plane, { kubeconfig });
      stops.push(() => made.connection.close());
      return made.client;
    };
    const read = async (client: Awaited<ReturnType<typeof connect>>) =>
      (await client.get(namespaces, { name: 'default' })).metadata.name;

    it('goes on with the id-token of the kubeconfig, and with the next ones for the refresh token', async () => {
      provider.behave({ rotates: true });
      provider.asked.length = 0;
      const known = await provider.idToken(600);
      const client = await connect({ 'id-token': known, 'refresh-token': provider.refreshToken });
      // The server fetches the provider's keys only after its start.
      expect(await eventually('the API server to know the provider', () => read(client))).toBe('default');
      const over = await connect({ 'id-token': await provider.idToken(-60), 'refresh-token': provider.refreshToken });
      provider.asked.length = 0;
      const first = provider.refreshToken;
      expect(await Promise.all([read(over), read(over)])).toEqual(['default', 'default']);
      expect(provider.asked).toEqual([{ client: `body ${clientId}`, refreshToken: first }]);
    });

    it('gets the next id-token where one was refused', async () => {
      provider.asked.length = 0;
      const forged = `${(await provider.idToken(600)).split('.').slice(0, 2).join('.')}.${'A'.repeat(342)}`;
      const client = await connect({ 'id-token': forged, 'refresh-token': provider.refreshToken });
      expect(await read(client)).toBe('default');
      expect(provider.asked).toHaveLength(1);
    });
  });

  it('uses the newest refresh token of the provider', async () => {
    const rotating = await start();
    rotating.behave({ rotates: true });
    const tokens = tokensOf(rotating);
    const [first] = [rotating.refreshToken, await tokens.next()];
    const [second] = [rotating.refreshToken, await tokens.next()];
    expect(rotating.asked.map(({ refreshToken }) => refreshToken)).toEqual([first, second]);
  });

  it.each([
    ['in a header', undefined, 'header'],
    ['in the body, where the provider wants that', ['client_secret_post'], 'body'],
  ])('sends a client secret %s', async (_, methods, where) => {
    const secret = await start({ clientSecret: 's e:c', ...(methods && { methods }) });
    const { token, expiresAt = 0 } = await tokensOf(secret, { clientSecret: 's e:c' }).next();
    expect([token.split('.').length, secret.asked[0]?.client]).toEqual([3, `${where} ${clientId}`]);
    expect(Math.abs(expiresAt - systemClock.now() - 3_600_000)).toBeLessThan(60_000);
  });

  it('goes through the proxy of the environment', async () => {
    const proxy: ConnectProxy = await startConnectProxy({ port: Number(new URL(provider.issuer).port) });
    stops.push(() => proxy.stop());
    await tokensOf(provider, {}, { HTTPS_PROXY: proxy.url }).next();
    expect([...new Set(proxy.targets)]).toEqual([new URL(provider.issuer).host]);
  });

  it('looks names up as all connections of the process do', async () => {
    const names: string[] = [];
    const lookup: LookupFunction = (host, options, callback) => {
      names.push(host);
      lookUp(host, options, callback);
    };
    const config = { issuer: provider.issuer, clientId, refreshToken: provider.refreshToken, ca: { text: ca } };
    await new IdTokens({ config, clock: systemClock, environment: {}, lookup }).next();
    expect([...new Set(names)]).toEqual(['localhost']);
  });

  it('that fails tells why, and nothing of its tokens', async () => {
    const strict = await start();
    const problems = [await failure(tokensOf(strict, { refreshToken: 'hunter2' }))];
    const quoting = { error: 'invalid_grant', error_description: `token ${strict.refreshToken} is not known.` };
    strict.behave({ refusal: { status: 400, body: JSON.stringify(quoting) } });
    problems.push(await failure(tokensOf(strict)));
    strict.behave({ refusal: undefined, withholds: true });
    problems.push(await failure(tokensOf(strict)));
    strict.behave({ refusal: { status: 503, body: '<html>hunter2</html>' } });
    problems.push(await failure(tokensOf(strict)));
    strict.behave({ refusal: { status: 200, body: 'hunter2' } });
    problems.push(await failure(tokensOf(strict)));
    strict.behave({ refusal: { status: 200, body: 'hunter2'.repeat(50_000) } });
    problems.push(await failure(tokensOf(strict)));
    problems.push(await failure(tokensOf(strict, { ca: { text: (await createAuthority()).cert } })));
    await strict.stop();
    problems.push(await failure(tokensOf(strict)));
    const { refreshToken: _, ...alone } = { issuer: strict.issuer, clientId, refreshToken: '' };
    const over = { ...alone, idToken: await provider.idToken(-60) };
    problems.push(await failure(new IdTokens({ config: over, clock: systemClock, environment: {} })));
    expect(problems).toEqual([
      failed('the provider refused the refresh-token (HTTP 400, invalid_grant, it is invalid_grant)'),
      failed('the provider refused the refresh-token (HTTP 400, invalid_grant, token … is not known)'),
      failed('the provider gave none for the refresh-token'),
      failed('the provider answered with HTTP 503'),
      failed("the provider's answer cannot be used (OAUTH_PARSE_ERROR)"),
      failed('the provider answered more than any does'),
      failed('the provider cannot be reached (CERT_SIGNATURE_FAILURE)'),
      failed('the provider cannot be reached (ECONNREFUSED)'),
      failed('the id-token of the kubeconfig has ended or was refused, and it has no refresh-token'),
    ]);
  });
});
