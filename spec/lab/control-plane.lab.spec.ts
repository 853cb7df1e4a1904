import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import { eventually } from '../support/eventually.ts';
import { type ControlPlane, startControlPlane } from './control-plane.ts';
import { groupIsGone } from './processes.ts';
import { type TestNamespace, testNamespace } from './test-namespace.ts';

let hub: ControlPlane;
let target: ControlPlane;
let namespace: TestNamespace;
let removed: TestNamespace;

beforeAll(async () => {
  [hub, target] = await Promise.all([
    startControlPlane({ name: 'hub', audit: true }),
    startControlPlane({ name: 'target', crds: false }),
  ]);
  namespace = await testNamespace(hub);
  removed = await testNamespace(hub, { team: 'a' });
  await removed.apply(secret('inside', []));
  await removed.remove();
});
afterAll(async () => {
  await Promise.all([hub?.stop(), target?.stop()]);
});

const configMaps = () => `/api/v1/namespaces/${namespace.name}/configmaps`;
const createConfigMap = (name: string) =>
  hub.request<{ metadata: { resourceVersion: string } }>('POST', configMaps(), { metadata: { name } });

describe('a control plane', () => {
  it('collects a Secret whose owner was deleted', async () => {
    await namespace.apply({
      apiVersion: 'pincette.net/v1',
      kind: 'AWSAssumeRole',
      metadata: { name: 'owner' },
      spec: { roleName: 'reader', secretName: 'owned', secretType: 'Map' },
    });
    const owner = `/apis/pincette.net/v1/namespaces/${namespace.name}/awsassumeroles/owner`;
    const { body } = await hub.request<{ metadata: { uid: string } }>('GET', owner);
    const { uid } = body.metadata;
    await namespace.apply(
      secret('owned', [{ apiVersion: 'pincette.net/v1', kind: 'AWSAssumeRole', name: 'owner', uid }]),
      secret('free', []),
    );
    await hub.request('DELETE', owner);
    const secrets = `/api/v1/namespaces/${namespace.name}/secrets`;
    await eventually(
      'the owned Secret to go',
      async () => (await hub.request('GET', `${secrets}/owned`)).status === 404,
    );
    expect((await hub.request('GET', `${secrets}/free`)).status).toBe(200);
  });

  it('runs beside another and shares nothing with it', async () => {
    const there = await target.request('GET', `/api/v1/namespaces/${namespace.name}`);
    const crds = await target.request<{ items: unknown[] }>(
      'GET',
      '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
    );
    expect([there.status, crds.body.items]).toEqual([404, []]);
    expect(new Set([hub.server, target.server, hub.dir, target.dir]).size).toBe(4);
  });

  it('says which version it is, so that clients can read it', async () => {
    const { stdout } = await hub.kubectl('version', '--output', 'json');
    expect(JSON.parse(stdout).serverVersion).toMatchObject({ major: '1', minor: expect.stringMatching(/^\d+/) });
  });

  it('signs tokens that anybody can verify with what the issuer publishes', async () => {
    const account = { namespace: namespace.name, name: 'default' };
    const path = `/api/v1/namespaces/${namespace.name}/serviceaccounts/default`;
    await eventually('the ServiceAccount', async () => (await hub.request('GET', path)).status === 200);
    const token = await hub.serviceAccountToken(account, { audiences: ['sts.amazonaws.com'] });
    const configuration = await anonymously(hub, '/.well-known/openid-configuration');
    const keys = createLocalJWKSet((await anonymously(hub, '/openid/v1/jwks')) as JSONWebKeySet);
    const { payload } = await jwtVerify(token, keys, { issuer: hub.issuer, audience: 'sts.amazonaws.com' });
    expect(payload.sub).toBe(`system:serviceaccount:${namespace.name}:default`);
    expect(configuration).toMatchObject({ issuer: hub.issuer, jwks_uri: `${hub.server}/openid/v1/jwks` });
  });

  it('gives a ServiceAccount no more than RBAC does', async () => {
    const account = { namespace: namespace.name, name: 'default' };
    const kubeconfig = await hub.kubeconfigFor({ serviceAccount: account });
    const { code, stderr } = await namespace.kubectl('--kubeconfig', kubeconfig, 'get', 'secrets');
    expect(code).toBe(1);
    expect(stderr).toContain(`User "system:serviceaccount:${namespace.name}:default" cannot list resource "secrets"`);
  });

  it('logs who asked for what', async () => {
    await createConfigMap('audited');
    const entries = (await hub.auditLog()).filter(({ objectRef }) => objectRef?.name === 'audited');
    expect(entries).toEqual([
      expect.objectContaining({
        verb: 'create',
        user: expect.objectContaining({ username: 'lab-admin' }),
        objectRef: expect.objectContaining({ resource: 'configmaps', namespace: namespace.name }),
        responseStatus: expect.objectContaining({ code: 201 }),
      }),
    ]);
  });

  // The namespace controller takes 5 s for it, so the removal starts before the other tests.
  it('removes a namespace with what is in it', async () => {
    const path = `/api/v1/namespaces/${removed.name}`;
    await eventually('the namespace to go', async () => (await hub.request('GET', path)).status === 404);
    expect((await hub.request('GET', `${path}/secrets/inside`)).status).toBe(404);
  });

  it('keeps its data and its address when the API server is restarted', async () => {
    await createConfigMap('kept');
    await hub.stopApiServer();
    await expect(hub.request('GET', '/readyz')).rejects.toThrow();
    await hub.startApiServer();
    expect((await hub.request('GET', `${configMaps()}/kept`)).status).toBe(200);
  });

  it('waits for its port when somebody else has it at a restart', async () => {
    await target.stopApiServer();
    const other = createServer();
    await once(other.listen(Number(new URL(target.server).port), '127.0.0.1'), 'listening');
    const started = target.startApiServer();
    const log = () => readFile(join(target.dir, 'kube-apiserver.log'), 'utf8');
    await eventually('an attempt to fail', async () => (await log()).includes('address already in use'));
    other.close();
    await started;
    expect((await target.request('GET', '/readyz')).status).toBe(200);
  });

  it('answers 410 for what lies before a compaction', async () => {
    const { body } = await createConfigMap('before');
    const old = body.metadata.resourceVersion;
    await createConfigMap('after');
    const page = await hub.request<{ metadata: { continue: string } }>('GET', `${configMaps()}?limit=1`);
    await hub.compact();
    const watched = await hub.request('GET', `${configMaps()}?watch=1&timeoutSeconds=1&resourceVersion=${old}`);
    const next = await hub.request('GET', `${configMaps()}?limit=1&continue=${page.body.metadata.continue}`);
    expect(watched.body).toMatchObject({ type: 'ERROR', object: { code: 410, reason: 'Expired' } });
    expect(next).toMatchObject({ status: 410, body: { reason: 'Expired' } });
  });
});

describe('the end of a control plane', () => {
  it('leaves nothing after stop', async () => {
    const groups = target.processGroups();
    await target.stop();
    await target.stop();
    expect(existsSync(target.dir)).toBe(false);
    for (const group of groups) await eventually(`process group ${group} to be gone`, () => groupIsGone(group));
    expect(groups).toHaveLength(3);
  });

  it('leaves nothing when the process that started it is killed', async () => {
    const parent = spawn(process.execPath, ['--input-type=module', '--eval', PARENT], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = await once(createInterface(parent.stdout), 'line');
    const { dir, groups } = JSON.parse(line) as { dir: string; groups: number[] };
    parent.kill('SIGKILL');
    for (const group of groups) await eventually(`process group ${group} to be gone`, () => groupIsGone(group));
    await eventually('the directory to be gone', () => !existsSync(dir));
    expect(groups).toHaveLength(2);
  });
});

const PARENT = `
  const { startControlPlane } = await import('${new URL('./control-plane.ts', import.meta.url)}');
  const plane = await startControlPlane({ crds: false, controllerManager: false });
  console.log(JSON.stringify({ dir: plane.dir, groups: plane.processGroups() }));
  setInterval(() => {}, 1000);
`;

function secret(name: string, ownerReferences: object[]): object {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, ownerReferences }, stringData: { key: 'value' } };
}

async function anonymously(plane: ControlPlane, path: string): Promise<unknown> {
  const ca = await readFile(plane.caFile);
  return new Promise((resolve, reject) => {
    const sent = request(`${plane.server}${path}`, { ca, agent: false }, async (answer) => {
      let text = '';
      for await (const chunk of answer.setEncoding('utf8')) text += chunk;
      resolve(JSON.parse(text));
    });
    sent.once('error', reject);
    sent.end();
  });
}
