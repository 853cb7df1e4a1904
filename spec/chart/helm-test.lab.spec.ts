import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startAws, trustPrincipals } from '../lab/aws/index.ts';
import { containerProblem } from '../lab/container.ts';
import { type ControlPlane, type LabAws, startControlPlane } from '../lab/index.ts';
import { playPod } from '../lab/kubelet.ts';
import { eventually, HANG_LIMIT_MS } from '../support/eventually.ts';
import { findLeaks } from '../support/leaks.ts';
import { startOperator, type TestOperator } from '../support/operator.ts';
import { install, upgrade } from './cluster.ts';
import { helm, helmVersions, NAMESPACE, RELEASE, set, takeOver } from './support.ts';

const problem = await containerProblem();
if (problem !== undefined) process.stderr.write(`helm test is NOT tested: ${problem}\n`);
const onlyWithContainers = problem === undefined ? describe : describe.skip;

onlyWithContainers('helm test', () => {
  let cluster: ControlPlane;
  let aws: LabAws;
  let operator: TestOperator;

  beforeAll(async () => {
    // With the definitions from the start, since the garbage collector takes half a minute to learn of new kinds.
    cluster = await startControlPlane({ name: 'helm-test' });
    aws = await startAws();
    const keys = await aws.operatorUser();
    await aws.createRole('trial', { trust: trustPrincipals(keys.arn) });
    await install('Helm 4', cluster, ...takeOver['Helm 4']);
    const kubeconfig = await cluster.kubeconfigFor({ serviceAccount: { namespace: NAMESPACE, name: RELEASE } });
    operator = await startOperator({ plane: { kubeconfig }, aws, keys, namespaces: [] });
  });

  afterAll(async () => {
    await operator?.stop();
    await aws?.stop();
    await cluster?.stop();
  });

  const secrets = async () => (await cluster.kubectl('get', 'secrets', '-n', NAMESPACE, '-oname')).stdout;

  async function helmTest(version: (typeof helmVersions)[number]) {
    const ended = helm(version, cluster, 'test', RELEASE, '--timeout', `${HANG_LIMIT_MS / 1000}s`).then(
      () => 'passed',
      (error: Error) => error.message,
    );
    const { code, stdout, stderr } = await playPod(cluster, NAMESPACE, 'rolevend-test');
    return { verdict: await ended, code, text: stdout + stderr };
  }

  test('without a role says how to give one', async () => {
    expect(await helmTest('Helm 4')).toEqual({
      verdict: expect.stringContaining('failed'),
      code: 1,
      text: expect.stringMatching(/^Set test\.roleName to a role that trusts the operator/),
    });
  });

  test('without a grant fails at once with the words of the operator', async () => {
    await upgrade('Helm 4', cluster, ...set({ 'test.roleName': 'trial', 'grants.installDefault': false }));
    expect(await helmTest('Helm 4')).toEqual({
      verdict: expect.stringContaining('failed'),
      code: 1,
      text: expect.stringMatching(/^AWSAssumeRole rolevend-system\/rolevend-test is not Ready\. GrantDenied: /),
    });
  });

  test.each(helmVersions)('of %s vends one credential, reads it, and leaves nothing but its Pod', async (version) => {
    await upgrade('Helm 4', cluster, ...set({ 'test.roleName': 'trial', 'grants.installDefault': true }));
    const before = aws.gateway.count('AssumeRole');
    const { verdict, code, text } = await helmTest(version);
    const [session] = aws.gateway.issued().slice(-1);
    expect({ verdict, code, text }).toEqual({
      verdict: 'passed',
      code: 0,
      text: expect.stringMatching(
        new RegExp(
          `^ok: Secret rolevend-system/rolevend-test holds ${session?.accessKeyId}, a session of ${aws.roleArn('trial')} until `,
        ),
      ),
    });
    expect(aws.gateway.count('AssumeRole')).toBe(before + 1);
    const { secretAccessKey = '', sessionToken = '' } = session ?? {};
    expect(findLeaks({ text }, { secretAccessKey, sessionToken })).toEqual([]);
    await eventually('the Secret to go', async () => !(await secrets()).includes('rolevend-test'));
    const left = await cluster.kubectl('get', 'aar,sa,role,rolebinding,pod', '-n', NAMESPACE, '-oname');
    expect(left.stdout.split('\n').filter((name) => name.endsWith('-test'))).toEqual(['pod/rolevend-test']);
  });
});
