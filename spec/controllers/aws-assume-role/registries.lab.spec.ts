import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { AWSAssumeRoleSpec } from '../../../lib/api/aws-assume-role.ts';
import { systemClock } from '../../../lib/clock.ts';
import { type LoopbackServer, serveLoopback } from '../../lab/aws/server.ts';
import { temporaryDirectory, trustPrincipals } from '../../lab/index.ts';
import { onPath } from '../../lab/install/cache.ts';
import { run } from '../../lab/install/run.ts';
import { type App, openApp } from './observe.ts';
import { messageOf, settled } from './probes.ts';

const OTHER = '444455556666';
/** Of several partitions, of which an operator is allowed its own alone. */
const REGIONS = ['eu-*-*', 'us-*-*', 'us-iso-*-*', 'cn-*-*'];
const skopeo = await onPath('skopeo');
const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
const MANIFEST = JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST_TYPE, layers: [] });
const publicRights = ['ecr-public:GetAuthorizationToken', 'sts:GetServiceBearerToken'];

interface Auths {
  auths: Record<string, { username: string; password: string; auth: string }>;
}

describe('an image pull Secret', () => {
  let app: App;

  beforeAll(async () => {
    app = await openApp({ grants: [{ roles: ['arn:self:iam::self:role/*'], regions: REGIONS }] });
    const { aws, keys } = app.stage;
    const trust = trustPrincipals(keys.arn);
    await aws.createRole('puller', { trust, policies: ['ecr:GetAuthorizationToken', ...publicRights] });
    await aws.createRole('unable', { trust, policies: ['ecr:GetAuthorizationToken'] });
  });

  afterAll(async () => {
    await app?.close();
  });

  const apply = (name: string, spec: Partial<AWSAssumeRoleSpec>) =>
    app.scene.apply(name, { roleName: 'puller', secretType: 'EcrDockerConfigJson', ...spec });

  /** The tokens that were issued with the session of an object, in the order in which AWS was asked. */
  async function tokensOf(name: string) {
    const { status } = await app.scene.ready(name);
    return app.stage.aws.gateway.ecrTokens().filter(({ accessKeyId }) => accessKeyId === status?.accessKeyId);
  }

  /** The entries of the Secret, as account and Region or the service of the token that each holds. */
  async function entriesOf(name: string): Promise<Record<string, string>> {
    const tokens = await tokensOf(name);
    const secret = await app.scene.secret(name);
    expect([secret?.type, Object.keys(secret?.text ?? {})]).toEqual([
      'kubernetes.io/dockerconfigjson',
      ['.dockerconfigjson'],
    ]);
    const { auths } = JSON.parse(secret?.text['.dockerconfigjson'] ?? '') as Auths;
    const entries = Object.entries(auths).map(([url, { username, password, auth }]) => {
      expect([username, Buffer.from(auth, 'base64').toString()]).toEqual(['AWS', `AWS:${password}`]);
      const token = tokens.find((one) => one.password === password);
      return [
        url,
        token?.service === 'ecr-public' ? `public in ${token.region}` : `${token?.accountId}/${token?.region}`,
      ];
    });
    return Object.fromEntries(entries);
  }

  test('logs in to several registries, with one call for each account and Region', async () => {
    const own = app.stage.aws.accountId;
    const vpc = 'vpce-0123.ecr.eu-west-1.vpce.amazonaws.com';
    await apply('several', {
      ecrRepositoryUrl: `${OTHER}.dkr.ecr.us-west-2.amazonaws.com/team/app`,
      ecr: {
        registries: [
          {},
          { accountId: OTHER },
          { urls: [`${own}.dkr.ecr-fips.us-east-1.amazonaws.com`, `${own}.dkr-ecr.us-east-1.on.aws/x`] },
          { accountId: own, region: 'eu-west-1', urls: [vpc, 'mirror.example.org/ecr'] },
          { public: true },
        ],
      },
    });
    expect(await entriesOf('several')).toEqual({
      [`${OTHER}.dkr.ecr.us-west-2.amazonaws.com/team/app`]: `${OTHER}/us-west-2`,
      [`${own}.dkr.ecr.eu-central-1.amazonaws.com`]: `${own}/eu-central-1`,
      [`${own}.dkr-ecr.eu-central-1.on.aws`]: `${own}/eu-central-1`,
      [`${OTHER}.dkr.ecr.eu-central-1.amazonaws.com`]: `${OTHER}/eu-central-1`,
      [`${OTHER}.dkr-ecr.eu-central-1.on.aws`]: `${OTHER}/eu-central-1`,
      [`${own}.dkr.ecr-fips.us-east-1.amazonaws.com`]: `${own}/us-east-1`,
      [`${own}.dkr-ecr.us-east-1.on.aws/x`]: `${own}/us-east-1`,
      [vpc]: `${own}/eu-west-1`,
      'mirror.example.org/ecr': `${own}/eu-west-1`,
      'public.ecr.aws': 'public in us-east-1',
      'ecr-public.aws.com': 'public in us-east-1',
    });
    expect(await tokensOf('several')).toHaveLength(6);
  });

  test.each([
    ['China', `${OTHER}.dkr.ecr.cn-north-1.amazonaws.com.cn`, `${OTHER}/cn-north-1`],
    ['an isolated Region', `${OTHER}.dkr.ecr.us-iso-east-1.c2s.ic.gov`, `${OTHER}/us-iso-east-1`],
    ['ECR Public', 'public.ecr.aws/team/app', 'public in us-east-1'],
    ['a mirror', 'mirror.example.org', '111122223333/eu-central-1'],
  ])('keeps ecrRepositoryUrl of %s as it is, and asks where its host says', async (what, ecrRepositoryUrl, source) => {
    const name = what.toLowerCase().replaceAll(' ', '-');
    await apply(name, { ecrRepositoryUrl });
    expect(await entriesOf(name)).toEqual({ [ecrRepositoryUrl]: source });
  });

  test('lives as long as the token that ends first, not as its session', async () => {
    await apply('life', { ecr: { registries: [{}, { public: true }] } });
    const { status } = await app.scene.ready('life');
    const ends = (await tokensOf('life')).map(({ expiresAt }) => Math.floor(expiresAt / 1000) * 1000);
    expect(Date.parse(status?.expiresAt ?? '')).toBe(Math.min(...ends));
    const life = Date.parse(status?.expiresAt ?? '') - Date.parse(status?.issuedAt ?? '');
    expect(Math.abs(life - 12 * 3_600_000)).toBeLessThanOrEqual(2000);
    const age = Date.parse(status?.nextRefreshAt ?? '') - Date.parse(status?.issuedAt ?? '');
    expect(age).toBeLessThanOrEqual(6 * 3_600_000);
  });

  test('asks for a session that may pull only from its repositories', async () => {
    const urls = [`${OTHER}.dkr.ecr.us-west-2.amazonaws.com/team/app`];
    await apply('narrow', { ecr: { restrictToRepositories: true, registries: [{ urls }] } });
    await app.scene.ready('narrow');
    const calls = app.stage.aws.gateway.calls({ action: 'AssumeRole', role: 'puller' });
    const call = calls.find(({ parameters }) => parameters['RoleSessionName']?.endsWith('.narrow'));
    expect(JSON.parse(call?.parameters['Policy'] ?? '{}')).toEqual({
      Version: '2012-10-17',
      Statement: [
        { Effect: 'Allow', Action: ['ecr:GetAuthorizationToken'], Resource: '*' },
        {
          Effect: 'Allow',
          Action: ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
          Resource: [`arn:aws:ecr:us-west-2:${OTHER}:repository/team/app`],
        },
      ],
    });
    expect(calls.filter(({ parameters }) => parameters['Policy'] !== undefined)).toEqual([call]);
  });

  test('says that its repositories are too many where AWS cannot pack their names', async () => {
    const url = (at: number) =>
      `${OTHER}.dkr.ecr.us-west-2.amazonaws.com/${createHash('sha256').update(`${at}`).digest('hex')}`;
    const urls = Array.from({ length: 8 }, (_, at) => url(at));
    await apply('packed', { ecr: { restrictToRepositories: true, registries: [{ urls }] } });
    const object = await app.scene.condition('packed', 'Stalled', 'True', 'PackedPolicyTooLarge');
    expect(messageOf(object, 'Stalled')).toMatch(
      /Shorten or remove: spec\.ecr\.restrictToRepositories \(\d+ characters\)/,
    );
  });

  /** A registry for one image, which lets in who knows the password. */
  function serveRegistry(password: () => string | undefined): Promise<LoopbackServer> {
    const answer = async ({ url, headers }: IncomingMessage) => {
      const expected = `Basic ${Buffer.from(`AWS:${password()}`).toString('base64')}`;
      const isKnown = headers.authorization === expected;
      const type = isKnown ? { 'content-type': MANIFEST_TYPE } : { 'www-authenticate': 'Basic realm="ecr"' };
      const isFound = url === '/v2/' || url === '/v2/team/app/manifests/1.0';
      return { status: isKnown ? (isFound ? 200 : 404) : 401, headers: type, body: Buffer.from(MANIFEST) };
    };
    return serveLoopback(answer, () => systemClock.now());
  }

  // Of all machines on which the tests run, not each has a client of registries.
  (skopeo === undefined ? test.skip : test)('lets skopeo in', async () => {
    const name = 'skopeo';
    const passwords: string[] = [];
    const registry = await serveRegistry(() => passwords[0]);
    const directory = await temporaryDirectory('rolevend-skopeo-');
    try {
      const { host } = new URL(registry.url);
      await apply(name, { ecrRepositoryUrl: `${host}/team` });
      passwords.push(...(await tokensOf(name)).map(({ password }) => password));
      const file = join(directory.path, 'config.json');
      await writeFile(file, (await app.scene.secret(name))?.text['.dockerconfigjson'] ?? '');
      const inspect = ['inspect', '--raw', '--tls-verify=false', `docker://${host}/team/app:1.0`];
      const found = await run([skopeo ?? '', ...inspect, '--authfile', file]);
      expect(found).toEqual({ code: 0, stderr: '', stdout: MANIFEST });
      const { code } = await run([skopeo ?? '', ...inspect, '--authfile', join(directory.path, 'none')]);
      expect(code).toBe(1);
    } finally {
      await registry.close();
      await directory.remove();
    }
  });

  test('is written with all of its registries or not at all', async () => {
    await apply('half', { roleName: 'unable', ecr: { registries: [{}, { public: true }] } });
    const object = await settled(app.scene, 'half', {
      Ready: 'False/AccessDenied',
      Refreshed: 'False/AccessDenied',
      Reconciling: 'True/Retrying',
      Granted: 'True/Granted',
    });
    expect(object.status?.conditions?.[0]?.message).toContain(
      '"ecr-public:GetAuthorizationToken","sts:GetServiceBearerToken"',
    );
    expect(await app.scene.secret('half')).toBeUndefined();
  });
});
