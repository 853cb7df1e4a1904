import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { V1Secret } from '@kubernetes/client-node';
import { RolevendError } from '../../lib/errors.ts';
import { KubeClient } from '../../lib/kube/client.ts';
import { loadConnection } from '../../lib/kube/connection.ts';
import {
  isAlreadyExists,
  isConflict,
  isNamespaceTerminating,
  isNotFound,
  isUidMismatch,
} from '../../lib/kube/errors.ts';
import { type BuiltIn, type KubeObject, namespaces, type Resource, refOf, secrets } from '../../lib/kube/objects.ts';
import { createAuthority } from '../lab/certificates.ts';
import { startFaultProxy } from '../lab/fault-proxy.ts';
import { type ControlPlane, startControlPlane, type TestNamespace, testNamespace } from '../lab/index.ts';
import { eventually } from '../support/eventually.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import {
  type ConfigMap,
  clientFor,
  configMap,
  configMaps,
  crd,
  customResourceDefinitions,
  type TestClient,
} from './support/cluster.ts';

/** Connections for requests that a client opens at most. */
const CONNECTIONS = 64;
/** Of nobody who gives up. */
const { signal } = new AbortController();

type Secret = BuiltIn<V1Secret>;
interface Widget extends KubeObject {
  spec?: Record<string, unknown>;
  status?: Record<string, unknown>;
}

const widgets: Resource = {
  group: 'client.example',
  version: 'v1',
  plural: 'widgets',
  kind: 'Widget',
  namespaced: true,
};

describe('a client', () => {
  let plane: ControlPlane;
  let proxy: TcpProxy;
  let test: TestClient;
  let namespace: TestNamespace;

  beforeAll(async () => {
    // Without the controllers a deleted namespace stays as it is, on its way out.
    plane = await startControlPlane({ name: 'client', crds: false, controllerManager: false });
    proxy = await startTcpProxy(plane.server);
    test = await clientFor(plane);
    await test.client.create(customResourceDefinitions, crd('client.example', 'widgets', 'Widget'));
  });

  beforeEach(async () => {
    namespace = await testNamespace(plane);
  });

  afterAll(async () => {
    await test?.connection.close();
    await proxy?.stop();
    await plane?.stop();
  });

  const through = () => clientFor(plane, { server: `https://127.0.0.1:${proxy.port}` });
  const secret = (name = 'one'): Secret => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { namespace: namespace.name, name },
    type: 'Opaque',
    data: { password: 'aHVudGVyMg==' },
  });
  const widget = (name = 'one', rest: Partial<Widget> = {}): Widget => ({
    apiVersion: 'client.example/v1',
    kind: 'Widget',
    metadata: { namespace: namespace.name, name },
    ...rest,
  });
  const created = () =>
    eventually('the kind to be served', () =>
      test.client.create(widgets, widget('one', { spec: { known: 1, unknown: { deep: [1] } } })),
    );
  const failure = (work: Promise<unknown>) =>
    work.then(
      () => undefined,
      (error: unknown) => error,
    );

  it('creates, reads, replaces and deletes', async () => {
    const made = await test.client.create(secrets, secret());
    expect(await test.client.get(secrets, refOf(made))).toEqual(made);
    const next = await test.client.replace(secrets, { ...made, data: { password: 'eA==' } });
    expect(next.data).toEqual({ password: 'eA==' });
    expect(next.metadata.managedFields).toMatchObject([{ manager: 'rolevend', operation: 'Update' }]);
    await test.client.delete(secrets, refOf(made));
    expect(isNotFound(await failure(test.client.get(secrets, refOf(made))))).toBe(true);
  });

  it('refuses to create what exists', async () => {
    await test.client.create(secrets, secret());
    expect(isAlreadyExists(await failure(test.client.create(secrets, secret())))).toBe(true);
  });

  it('replaces and deletes only the object and the version that were read', async () => {
    const first = await test.client.create(secrets, secret());
    const second = await test.client.replace(secrets, { ...first, data: {} });
    const stale = await failure(test.client.replace(secrets, first));
    expect([isConflict(stale), isUidMismatch(stale)]).toEqual([true, false]);
    const { resourceVersion = '', uid = '' } = first.metadata;
    expect(isConflict(await failure(test.client.delete(secrets, refOf(first), { uid, resourceVersion })))).toBe(true);
    await test.client.delete(secrets, refOf(first), { uid });
    const anew = await test.client.create(secrets, secret());
    const version = anew.metadata.resourceVersion as string;
    const replaced = { ...second, metadata: { ...second.metadata, resourceVersion: version } };
    expect(isUidMismatch(await failure(test.client.replace(secrets, replaced)))).toBe(true);
    expect(isUidMismatch(await failure(test.client.delete(secrets, refOf(first), { uid })))).toBe(true);
    expect(await test.client.get(secrets, refOf(anew))).toEqual(anew);
  });

  it('keeps fields that it does not know in a replacement', async () => {
    const made = await created();
    const known = { ...made, spec: { ...made.spec, known: 2 } };
    await test.client.replace(widgets, known);
    expect((await test.client.get<Widget>(widgets, refOf(made))).spec).toEqual({ known: 2, unknown: { deep: [1] } });
  });

  it('merges a status whatever the version, but only that of the very object', async () => {
    const made = await created();
    const uid = made.metadata.uid as string;
    await test.client.replace(widgets, { ...made, spec: { known: 3 } });
    await test.client.patchStatus(widgets, refOf(made), uid, { a: 1, b: 2 });
    const patched = await test.client.patchStatus<Widget>(widgets, refOf(made), uid, { b: null, c: 3 });
    expect([patched.spec, patched.status]).toEqual([{ known: 3 }, { a: 1, c: 3 }]);
    await test.client.delete(widgets, refOf(made));
    expect(isNotFound(await failure(test.client.patchStatus(widgets, refOf(made), uid, { a: 2 })))).toBe(true);
    await created();
    for (const resourceVersion of [undefined, patched.metadata.resourceVersion]) {
      const error = await failure(test.client.patchStatus(widgets, refOf(made), uid, { a: 2 }, { resourceVersion }));
      expect(isUidMismatch(error)).toBe(true);
    }
    expect((await test.client.get<Widget>(widgets, refOf(made))).status).toBeUndefined();
  });

  it('merges a status with one request where the version is known', async () => {
    const made = await created();
    const { client, connection, metrics } = await clientFor(plane);
    const { uid = '', resourceVersion } = made.metadata;
    const patched = await client.patchStatus<Widget>(widgets, refOf(made), uid, { a: 1 }, { resourceVersion });
    expect(patched.status).toEqual({ a: 1 });
    expect(await counts(metrics)).toEqual([['PATCH', '200', 1]]);
    // The version has passed: it is read anew.
    await client.patchStatus<Widget>(widgets, refOf(made), uid, { a: 2 }, { resourceVersion });
    expect(await counts(metrics)).toEqual([
      ['PATCH', '200', 2],
      ['PATCH', '409', 1],
      ['GET', '200', 1],
    ]);
    await connection.close();
  });

  it('applies its own fields and takes over others only by force', async () => {
    const other = await clientFor(plane, { fieldManager: 'somebody' });
    await other.client.apply(configMaps, configMap(namespace.name, 'shared', { a: 'theirs', b: 'theirs' }));
    const ours = configMap(namespace.name, 'shared', { a: 'ours' });
    expect(isConflict(await failure(test.client.apply(configMaps, ours)))).toBe(true);
    const applied = await test.client.apply<ConfigMap>(configMaps, ours, { force: true });
    expect(applied.data).toEqual({ a: 'ours', b: 'theirs' });
    await other.connection.close();
  });

  it('reads metadata without the rest', async () => {
    await test.client.create(secrets, secret());
    const options = { metadataOnly: true };
    const one = await test.client.get<Secret>(secrets, { namespace: namespace.name, name: 'one' }, options);
    const { items } = await test.client.list<Secret>(secrets, { namespace: namespace.name, ...options });
    expect([one, ...items].map(({ kind, data, metadata }) => [kind, data, metadata.name])).toEqual([
      ['PartialObjectMetadata', undefined, 'one'],
      ['PartialObjectMetadata', undefined, 'one'],
    ]);
  });

  it('lists in pages, by label, with kinds', async () => {
    const labelled = (name: string) => {
      const object = configMap(namespace.name, name);
      return { ...object, metadata: { ...object.metadata, labels: { set: 'yes' } } };
    };
    await Promise.all(['a', 'b', 'c'].map((name) => test.client.create(configMaps, labelled(name))));
    await test.client.create(configMaps, configMap(namespace.name, 'other'));
    const query = { namespace: namespace.name, labelSelector: 'set=yes', limit: 2 };
    const first = await test.client.list<ConfigMap>(configMaps, query);
    const second = await test.client.list<ConfigMap>(configMaps, { ...query, continue: first.metadata.continue });
    expect(
      [first, second].map(({ items }) =>
        items.map(({ kind, apiVersion, metadata }) => [apiVersion, kind, metadata.name]),
      ),
    ).toEqual([
      [
        ['v1', 'ConfigMap', 'a'],
        ['v1', 'ConfigMap', 'b'],
      ],
      [['v1', 'ConfigMap', 'c']],
    ]);
    expect(second.metadata.continue).toBeUndefined();
  });

  it('gets a token of a service account', async () => {
    const account = {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { namespace: namespace.name, name: 'robot' },
    };
    await test.client.create({ ...configMaps, plural: 'serviceaccounts' }, account);
    const spec = { audiences: ['sts.amazonaws.com'], expirationSeconds: 600 };
    const { token, expiresAt } = await test.client.createToken(refOf(account), spec);
    const claims = JSON.parse(Buffer.from(token.split('.')[1] as string, 'base64url').toString());
    expect(claims).toMatchObject({ aud: ['sts.amazonaws.com'], sub: `system:serviceaccount:${namespace.name}:robot` });
    expect(expiresAt).toBe(claims.exp * 1000);
  });

  it('says nothing of what it sent when a Secret is refused', async () => {
    const error = (await failure(
      test.client.create(secrets, { ...secret(), data: { password: 'hunter2 in the clear' } }),
    )) as Error;
    expect(error.message).toBe(`create secrets ${namespace.name}/one: 400 BadRequest`);
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('hunter2');
  });

  it('names the field of a Secret that cannot be changed', async () => {
    const made = await test.client.create(secrets, secret());
    const error = await failure(test.client.replace(secrets, { ...made, type: 'example.com/other' }));
    expect(error).toMatchObject({ code: 'Invalid', consequence: 'stop', fields: ['type'] });
  });

  it('waits where a namespace is being deleted', async () => {
    await test.client.delete(namespaces, { name: namespace.name });
    const error = await failure(test.client.create(secrets, secret()));
    expect(error).toMatchObject({ status: 403, code: 'Forbidden', consequence: 'wait' });
    expect(isNamespaceTerminating(error)).toBe(true);
  });

  it('sends a thousand requests over few connections', async () => {
    const { client, connection, metrics } = await through();
    const before = proxy.opened;
    const worker = async (count: number) => {
      for (let turn = 0; turn < count; turn += 1) await client.get(namespaces, { name: 'default' });
    };
    await Promise.all(Array.from({ length: 10 }, () => worker(100)));
    // One may be opened while another one is just set free.
    expect(proxy.opened - before).toBeLessThanOrEqual(20);
    expect(await metrics.getMetricsAsJSON()).toContainEqual(
      expect.objectContaining({
        name: 'rest_client_requests_total',
        values: [{ labels: { method: 'GET', host: `127.0.0.1:${proxy.port}`, code: '200' }, value: 1_000 }],
      }),
    );
    await connection.close();
  });

  it('gives up at the deadline when nothing answers, and works again afterwards', async () => {
    const { client, connection } = await through();
    await client.get(namespaces, { name: 'default' });
    proxy.freeze();
    const error = await failure(client.create(secrets, secret(), { timeoutMs: 300 }));
    expect(error).toMatchObject({
      status: 0,
      code: 'Unreachable',
      consequence: 'retry',
      message: `create secrets ${namespace.name}/one: Unreachable: no answer within 300 ms`,
    });
    proxy.restore();
    expect(await client.create(secrets, secret())).toMatchObject({ kind: 'Secret' });
    await connection.close();
  });

  it('says which trouble of the network it had', async () => {
    const { client, connection, metrics } = await through();
    proxy.cut();
    const error = (await failure(client.get(namespaces, { name: 'default' }))) as Error;
    proxy.restore();
    expect(error.message).toMatch(/^get namespaces default: Unreachable: (ECONNRESET|UND_ERR_SOCKET)$/);
    expect(await metrics.getSingleMetricAsString('rest_client_requests_total')).toContain('code="<error>"} 1');
    await connection.close();
  });

  it("ends with the reason of the caller's signal", async () => {
    const end = new AbortController();
    const reading = failure(test.client.list(secrets, { signal: end.signal }));
    end.abort(new Error('enough'));
    expect(await reading).toEqual(new Error('enough'));
  });

  it('asks again when a write that waited for a connection may go out', async () => {
    const slow = await startFaultProxy(plane);
    let allowed = true;
    const fence = new RolevendError('the term is over', { code: 'LeaseLost', consequence: 'retry' });
    const beforeWrite = () => {
      if (!allowed) throw fence;
    };
    const { client, connection } = await clientFor(plane, { beforeWrite, server: slow.url });
    const readings = Array.from({ length: CONNECTIONS }, () => {
      slow.arm({ verb: 'list', resource: 'configmaps', fault: 'delay' });
      return client.list(configMaps, { namespace: namespace.name });
    });
    await eventually('all connections to be busy', () => slow.requests.length === CONNECTIONS);
    const isQueued = posted();
    const writing = failure(client.create(secrets, secret()));
    await isQueued;
    allowed = false;
    await Promise.all(readings);
    expect(await writing).toBe(fence);
    expect(slow.requests.filter(({ verb }) => verb === 'create')).toEqual([]);
    await connection.close();
    await slow.close();
  });

  it('does not wait for the answers of others where it is the one for the Lease', async () => {
    const slow = await startFaultProxy(plane);
    const { client, connection, clock, metrics } = await clientFor(plane, { server: slow.url });
    const end = new AbortController();
    const readings = Array.from({ length: CONNECTIONS }, () => {
      slow.arm({ verb: 'list', resource: 'configmaps', fault: 'frozen' });
      return failure(client.list(configMaps, { namespace: namespace.name, signal: end.signal }));
    });
    await eventually('all connections to be busy', () => slow.requests.length === CONNECTIONS);
    const leaseClient = new KubeClient({ connection, clock, metrics, purpose: 'lease' });
    const { metadata } = await leaseClient.create(secrets, secret(), { timeoutMs: 5_000 });
    expect(metadata.name).toBe(secret().metadata.name);
    end.abort(new Error('enough'));
    await Promise.all(readings);
    await connection.close();
    await slow.close();
  });

  it('asks before each write, and only then, whether writing is allowed', async () => {
    const fence = new RolevendError('another process leads', { code: 'LeaseLost', consequence: 'stop' });
    let allowed = true;
    const beforeWrite = jest.fn(() => {
      if (!allowed) throw fence;
    });
    const { client, connection, metrics } = await clientFor(plane, { beforeWrite });
    const made = await client.create(secrets, secret());
    await client.get(secrets, refOf(made));
    await client.list(secrets);
    expect(beforeWrite).toHaveBeenCalledTimes(1);
    allowed = false;
    const uid = made.metadata.uid as string;
    const writes = [
      client.create(secrets, secret('two')),
      client.replace(secrets, made),
      client.apply(secrets, secret()),
      client.patchStatus(secrets, refOf(made), uid, {}),
      client.delete(secrets, refOf(made)),
      client.createToken(refOf(made), { audiences: ['a'], expirationSeconds: 600 }),
    ];
    expect(await Promise.all(writes.map(failure))).toEqual(writes.map(() => fence));
    expect(await counts(metrics)).toEqual([
      ['POST', '201', 1],
      // One is of the version for the status.
      ['GET', '200', 3],
    ]);
    await connection.close();
  });

  it('logs in with the service account of its Pod', async () => {
    const account = { namespace: namespace.name, name: 'robot' };
    const robot = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: account };
    await test.client.create({ ...configMaps, plural: 'serviceaccounts' }, robot);
    const tokenFile = join(plane.dir, `${namespace.name}.token`);
    await writeFile(tokenFile, await plane.serviceAccountToken(account));
    const { hostname: host, port } = new URL(plane.server);
    const { clock, log, metrics } = test;
    const connection = loadConnection({ inCluster: { host, port, tokenFile, caFile: plane.caFile }, clock, log });
    const client = new KubeClient({ connection, clock, metrics });
    const error = (await failure(client.list(secrets))) as Error;
    const user = `system:serviceaccount:${namespace.name}:robot`;
    const message = `list secrets: 403 Forbidden by the authorization (RBAC): ${user} may not list secrets`;
    expect(error).toMatchObject({ code: 'Forbidden', consequence: 'retry', message });
    const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview', metadata: { name: '' } };
    const reviews = {
      group: 'authentication.k8s.io',
      version: 'v1',
      plural: 'selfsubjectreviews',
      kind: 'SelfSubjectReview',
    };
    expect(await client.create({ ...reviews, namespaced: false }, review)).toMatchObject({
      status: { userInfo: { username: `system:serviceaccount:${namespace.name}:robot` } },
    });
    await connection.close();
  });

  it('does not talk to a server whose certificate it does not trust', async () => {
    const { clock, log, metrics } = test;
    const [tokenFile, caFile] = [join(plane.dir, `${namespace.name}.token`), join(plane.dir, 'none.crt')];
    await Promise.all([writeFile(tokenFile, 'token'), writeFile(caFile, (await createAuthority()).cert)]);
    const { hostname: host, port } = new URL(plane.server);
    const connection = loadConnection({ inCluster: { host, port, tokenFile, caFile }, clock, log });
    const client = new KubeClient({ connection, clock, metrics });
    const error = (await failure(client.get(namespaces, { name: 'default' }))) as Error;
    expect(error.message).toMatch(
      /^get namespaces default: Unreachable: (SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_VERIFY_LEAF_SIGNATURE|CERT_SIGNATURE_FAILURE)$/,
    );
    await connection.close();
  });

  describe('whose login is refused', () => {
    const kubeconfig = async (user: object) => {
      const path = join(plane.dir, `${namespace.name}.kubeconfig`);
      const cluster = { server: plane.server, 'certificate-authority': plane.caFile };
      const config = {
        'current-context': 'test',
        clusters: [{ name: 'test', cluster }],
        users: [{ name: 'test', user }],
        contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
      };
      await writeFile(path, JSON.stringify(config));
      return path;
    };
    const adminToken = async () =>
      String((await test.connection.headers(signal))['authorization']).replace('Bearer ', '');

    it('reads the token file once more', async () => {
      const file = join(plane.dir, `${namespace.name}.token`);
      await writeFile(file, 'old');
      const { client, connection } = await clientFor(plane, { kubeconfig: await kubeconfig({ tokenFile: file }) });
      expect(await failure(client.get(namespaces, { name: 'default' }))).toMatchObject({ code: 'Unauthorized' });
      await writeFile(file, `${await adminToken()}\n`);
      expect(await client.get(namespaces, { name: 'default' })).toMatchObject({ kind: 'Namespace' });
      await connection.close();
    });

    it('runs its credential plugin once more, however many requests were refused', async () => {
      const runs = join(plane.dir, `${namespace.name}.runs`);
      const plugin = join(plane.dir, `${namespace.name}.mjs`);
      await writeFile(
        plugin,
        `import { appendFileSync, readFileSync } from 'node:fs';
         appendFileSync(${JSON.stringify(runs)}, 'x');
         const token = readFileSync(${JSON.stringify(runs)}, 'utf8') === 'x' ? 'revoked' : process.env.TOKEN;
         console.log(JSON.stringify({ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status: { token } }));`,
      );
      const env = [{ name: 'TOKEN', value: await adminToken() }];
      const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: process.execPath, args: [plugin], env };
      const { client, connection } = await clientFor(plane, { kubeconfig: await kubeconfig({ exec }) });
      const reads = Array.from({ length: 50 }, () => client.get(namespaces, { name: 'default' }));
      expect(await Promise.all(reads)).toHaveLength(50);
      expect(await readFile(runs, 'utf8')).toBe('xx');
      await connection.close();
    });
  });
});

/** Requests by method and status. */
async function counts(metrics: TestClient['metrics']): Promise<[string, string, number][]> {
  const metric = (await metrics.getMetricsAsJSON()).find(({ name }) => name === 'rest_client_requests_total');
  const values = (metric?.values ?? []) as { labels: { method: string; code: string }; value: number }[];
  return values.map(({ labels, value }) => [labels.method, labels.code, value]);
}

/** Resolves when the next POST was handed to the connections. */
function posted(): Promise<void> {
  return new Promise((resolve) => {
    const look = (message: unknown) => {
      if ((message as { request: { method: string } }).request.method !== 'POST') return;
      unsubscribe('undici:request:create', look);
      resolve();
    };
    subscribe('undici:request:create', look);
  });
}
