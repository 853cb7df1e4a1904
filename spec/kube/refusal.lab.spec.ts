import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { KubeError } from '../../lib/kube/errors.ts';
import { type KubeObject, secrets } from '../../lib/kube/objects.ts';
import { createAuthority } from '../lab/certificates.ts';
import {
  type ControlPlane,
  expectSuccess,
  startControlPlane,
  type TestNamespace,
  testNamespace,
} from '../lab/index.ts';
import { eventually } from '../support/eventually.ts';
import { clientFor, type TestClient } from './support/cluster.ts';

const PLANTED = 'hunter2-s3cret';
const ADMISSION = '/apis/admissionregistration.k8s.io/v1';

describe('what an API server says of a refused Secret', () => {
  let plane: ControlPlane;
  let test: TestClient;
  let namespace: TestNamespace;

  beforeAll(async () => {
    plane = await startControlPlane({ name: 'refusal', crds: false, controllerManager: false });
    test = await clientFor(plane);
  });
  beforeEach(async () => {
    namespace = await testNamespace(plane);
  });
  afterAll(async () => {
    await test?.connection.close();
    await plane?.stop();
  });

  const post = async (path: string, body: object) => expectSuccess(await plane.request('POST', path, body), path);

  const secret = (name: string, data: Record<string, string> = {}): KubeObject & object => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { namespace: namespace.name, name },
    ...{ stringData: { key: PLANTED, ...data } },
  });

  /** The error's message without what was asked for. It never holds what is in the Secret. */
  async function refusalOf(given: KubeObject, client = test.client): Promise<string> {
    const error = await client.create(secrets, given).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (!(error instanceof KubeError)) return 'accepted';
    expect(`${error.message} ${JSON.stringify(error)}`).not.toContain(PLANTED);
    return error.message.replace(`create secrets ${namespace.name}/${given.metadata.name}: `, '');
  }

  const inNamespace = () => ({ matchLabels: { 'kubernetes.io/metadata.name': namespace.name } });
  const rule = { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['secrets'] };

  it('names the quota', async () => {
    const path = `/api/v1/namespaces/${namespace.name}/resourcequotas`;
    const hard = { secrets: '0' };
    await post(path, { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'small' }, spec: { hard } });
    expectSuccess(await plane.request('PATCH', `${path}/small/status`, { status: { hard, used: hard } }), path);
    expect(await refusalOf(secret('one'))).toBe('403 Forbidden by ResourceQuota small');
  });

  it('names the ValidatingAdmissionPolicy, and leaves out what it says', async () => {
    const name = `${namespace.name}.example`;
    const quoting = { expression: 'false', messageExpression: "'no: ' + string(object.data.key)" };
    await post(`${ADMISSION}/validatingadmissionpolicies`, {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicy',
      metadata: { name },
      spec: { matchConstraints: { resourceRules: [rule] }, validations: [quoting] },
    });
    await post(`${ADMISSION}/validatingadmissionpolicybindings`, {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata: { name },
      spec: { policyName: name, validationActions: ['Deny'], matchResources: { namespaceSelector: inNamespace() } },
    });
    let count = 0;
    const says = await eventually('the policy to be in force', async () => {
      count += 1;
      const said = await refusalOf(secret(`try-${count}`));
      return said === 'accepted' ? undefined : said;
    });
    expect(says).toBe(`422 Invalid by ValidatingAdmissionPolicy ${name} (binding ${name})`);
  });

  it('names the webhook that denies, and the one that gives no answer', async () => {
    const authority = await createAuthority();
    const server = await denying(await authority.issue('localhost'));
    const url = `https://localhost:${(server.address() as AddressInfo).port}/`;
    const caBundle = Buffer.from(authority.cert).toString('base64');
    const name = `deny.${namespace.name}.example`;
    await post(`${ADMISSION}/validatingwebhookconfigurations`, {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingWebhookConfiguration',
      metadata: { name },
      webhooks: [
        {
          name,
          clientConfig: { url, caBundle },
          rules: [rule],
          namespaceSelector: inNamespace(),
          sideEffects: 'None',
          admissionReviewVersions: ['v1'],
        },
      ],
    });
    let count = 0;
    const says = () =>
      eventually('the webhook to be asked', async () => {
        count += 1;
        const said = await refusalOf(secret(`try-${count}`));
        return said === 'accepted' ? undefined : said;
      });
    expect(await says()).toBe(`403 Forbidden by admission webhook ${name}`);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    expect(await says()).toBe(`500 InternalError because admission webhook ${name} gives no answer`);
  });

  it('names who may not, and the fields of what is invalid', async () => {
    const account = { namespace: namespace.name, name: 'default' };
    const path = `/api/v1/namespaces/${namespace.name}/serviceaccounts`;
    await post(path, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } });
    const stranger = await clientFor(plane, { kubeconfig: await plane.kubeconfigFor({ serviceAccount: account }) });
    expect(await refusalOf(secret('one'), stranger.client)).toBe(
      `403 Forbidden by the authorization (RBAC): system:serviceaccount:${namespace.name}:default may not create secrets`,
    );
    await stranger.connection.close();
    expect(await refusalOf(secret('two', { 'bad key!': 'x' }))).toBe('422 Invalid for data (FieldValueInvalid)');
    expect(await refusalOf(secret('three', { big: 'x'.repeat(1_100_000) }))).toBe(
      '422 Invalid for data (FieldValueTooLong)',
    );
  });
});

/** A webhook that denies everything and quotes the Secret. */
async function denying(issued: { cert: string; key: string }): Promise<Server> {
  const server = createServer(issued, async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const review = JSON.parse(body) as { request: { uid: string; object: { data: { key: string } } } };
    const { uid, object } = review.request;
    const message = `no: ${Buffer.from(object.data.key, 'base64')}`;
    const answer = { ...review, response: { uid, allowed: false, status: { code: 403, message } } };
    response.setHeader('content-type', 'application/json').end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}
