import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { V1SelfSubjectReview } from '@kubernetes/client-node';
import { readKubeconfig } from '../../lib/kube/kubeconfig.ts';
import type { BuiltIn, Resource } from '../../lib/kube/objects.ts';
import { createAuthority, type Issued } from '../lab/certificates.ts';
import { type AttachedControlPlane, sharedControlPlane } from '../lab/index.ts';
import { run } from '../lab/install/run.ts';
import { readKubeconfig as accessOf } from '../lab/kubeconfig.ts';
import { clientFor } from './support/cluster.ts';

type Review = BuiltIn<V1SelfSubjectReview>;

const selfSubjectReviews: Resource = {
  group: 'authentication.k8s.io',
  version: 'v1',
  plural: 'selfsubjectreviews',
  kind: 'SelfSubjectReview',
  namespaced: false,
};

const base64 = (text: string) => Buffer.from(text).toString('base64');

describe('a kubeconfig for a real API server', () => {
  let plane: AttachedControlPlane;
  let dir: string;
  let token: string;
  let caData: string;
  let pair: Issued;
  let other: Issued;

  beforeAll(async () => {
    plane = sharedControlPlane();
    dir = await mkdtemp(join(tmpdir(), 'rolevend-kubeconfig-lab-'));
    token = (await (await accessOf(plane.kubeconfig)).token()) ?? '';
    caData = base64(await readFile(plane.caFile, 'utf8'));
    const authority = await createAuthority();
    [pair, other] = [await authority.issue('one'), await authority.issue('other')];
  });

  afterAll(() => rm(dir, { recursive: true }));

  const write = async (user: object, cluster: object = {}) => {
    const path = join(dir, 'config');
    const server = { server: plane.server, 'certificate-authority-data': caData };
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'lab',
      clusters: [{ name: 'lab', cluster: { ...server, ...cluster } }],
      users: [{ name: 'lab', user }],
      contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'lab' } }],
    };
    await writeFile(path, JSON.stringify(config), { mode: 0o600 });
    return path;
  };
  /** Who the API server takes the user of this kubeconfig for. */
  const whoAmI = async (kubeconfig: string) => {
    const { client, connection } = await clientFor(plane, { kubeconfig });
    try {
      const object = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview', metadata: { name: '' } };
      return (await client.create<Review>(selfSubjectReviews, object)).status?.userInfo;
    } finally {
      await connection.close();
    }
  };

  it('acts as another user with uid, groups and extras, in any letters', async () => {
    const extra = { 'example.test/scopes': ['a', 'b, c'], 'per%cent': ['ä'] };
    const as = { as: 'jürgen', 'as-uid': '7', 'as-groups': ['team a', 'team-b'], 'as-user-extra': extra };
    expect(await whoAmI(await write({ token, ...as }))).toEqual({
      username: 'jürgen',
      uid: '7',
      groups: ['team a', 'team-b', 'system:authenticated'],
      extra,
    });
  });

  it.each<[string, () => [user: object, cluster?: object]]>([
    ['a certificate without key', () => [{ 'client-certificate-data': base64(pair.cert) }]],
    [
      'the key of another certificate',
      () => [{ 'client-certificate-data': base64(pair.cert), 'client-key-data': base64(other.key) }],
    ],
    [
      'half of a key',
      () => [{ 'client-certificate-data': base64(pair.cert), 'client-key-data': base64(other.key.slice(0, 90)) }],
    ],
    ['a token that is a number', () => [{ token: 1 }]],
    ['a token of two lines', () => [{ token: 'a\nb' }]],
    ['a uid to act as without a name', () => [{ token, 'as-uid': '7' }]],
    ['groups to act as without a name', () => [{ token, 'as-groups': ['a'] }]],
    ['extras to act as without a name', () => [{ token, 'as-user-extra': { a: ['b'] } }]],
    ['one group that is no list', () => [{ token, as: 'a', 'as-groups': 'b' }]],
    ['a token and a password', () => [{ token, username: 'a', password: 'b' }]],
    ['a token file that is missing', () => [{ tokenFile: 'missing' }]],
    ['two authorities', () => [{ token }, { 'certificate-authority': plane.caFile }]],
    ['an authority and no check', () => [{ token }, { 'insecure-skip-tls-verify': true }]],
    ['an authority that is no base64', () => [{ token }, { 'certificate-authority-data': '%' }]],
    ['a proxy of another kind', () => [{ token }, { 'proxy-url': 'ftp://proxy.test' }]],
    ['a provider without issuer', () => [{ 'auth-provider': { name: 'oidc', config: { 'client-id': 'a' } } }]],
    ['a provider of another kind', () => [{ 'auth-provider': { name: 'gcp' } }]],
    [
      'a plugin and a provider',
      () => [
        {
          exec: { apiVersion: 'client.authentication.k8s.io/v1', command: 'x', interactiveMode: 'Never' },
          'auth-provider': { name: 'oidc', config: { 'client-id': 'a', 'idp-issuer-url': 'https://idp.test' } },
        },
      ],
    ],
  ])('is refused for %s, by kubectl, too', async (_, entries) => {
    const kubeconfig = await write(...entries());
    const { code } = await run([plane.kubectlPath, '--kubeconfig', kubeconfig, 'get', '--raw', '/version'], {
      env: { ...process.env, KUBERC: 'off' },
    });
    expect(code).not.toBe(0);
    await expect(clientFor(plane, { kubeconfig })).rejects.toMatchObject({
      code: 'InvalidConfig',
      consequence: 'stop',
    });
  });

  it('that kubectl accepts is read', async () => {
    const kubeconfig = await write({ token });
    expect((await run([plane.kubectlPath, '--kubeconfig', kubeconfig, 'get', '--raw', '/version'])).code).toBe(0);
    expect(readKubeconfig(kubeconfig).server).toBe(plane.server);
    expect((await whoAmI(kubeconfig))?.username).toBe('lab-admin');
  });
});
