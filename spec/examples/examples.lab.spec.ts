import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { AWSAssumeRole } from '../../lib/api/aws-assume-role.ts';
import { findCondition } from '../../lib/api/conditions.ts';
import { manifestsOf, pages } from '../docs/pages.ts';
import {
  type ControlPlane,
  expectSuccess,
  type LabAws,
  startAws,
  startControlPlane,
  trustPrincipals,
} from '../lab/index.ts';
import { eventually } from '../support/eventually.ts';
import { startOperator, type TestOperator } from '../support/operator.ts';

const examples = fileURLToPath(new URL('../../examples/', import.meta.url));
/** The examples are made for this namespace and these accounts. */
const NAMESPACE = 'team-a';
const PARTNER = '444455556666';
const LIMIT_MS = 60_000;

describe('the examples', () => {
  /** A control plane of their own, since a grant is cluster-wide. */
  let plane: ControlPlane;
  let aws: LabAws;
  let operator: TestOperator;

  beforeAll(async () => {
    plane = await startControlPlane({ name: 'examples' });
    aws = await startAws();
    const keys = await aws.operatorUser();
    await createRoles(keys.arn);
    await kubectl('create', 'namespace', NAMESPACE);
    operator = await startOperator({ plane, aws, keys, namespaces: [NAMESPACE] });
  }, LIMIT_MS);

  afterAll(async () => {
    await operator?.stop();
    await aws?.stop();
    await plane?.stop();
  });

  async function createRoles(operatorArn: string): Promise<void> {
    const own = { path: `/${NAMESPACE}/`, trust: trustPrincipals(operatorArn) };
    await aws.createRole('reports', own);
    await aws.createRole('backup', own);
    await aws.createRole('puller', { ...own, policies: ['ecr:GetAuthorizationToken'] });
    const partner = await aws.account(PARTNER);
    const trust = trustPrincipals(operatorArn, { externalId: 'team-a-7d2f' });
    await partner.createRole('orders-reader', { path: '/shared/', trust });
  }

  async function kubectl(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await plane.kubectl(...args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return stdout;
  }

  async function objects(): Promise<AWSAssumeRole[]> {
    const path = `/apis/pincette.net/v1/namespaces/${NAMESPACE}/awsassumeroles`;
    return expectSuccess(await plane.request<{ items: AWSAssumeRole[] }>('GET', path), path).items;
  }

  test(
    'are accepted by a strict API server, and every AWSAssumeRole becomes Ready with the grant among them',
    async () => {
      const files = (await readdir(examples)).filter((name) => name.endsWith('.yaml'));
      for (const file of files) {
        const flags = [
          '--server-side',
          '--validate=strict',
          `--namespace=${NAMESPACE}`,
          `--filename=${examples}${file}`,
        ];
        expect(await kubectl('apply', ...flags)).toContain('serverside-applied');
      }
      const ready = await eventually('all to be ready', async () => {
        const all = await objects();
        return all.every(({ status }) => findCondition(status?.conditions, 'Ready')?.status === 'True')
          ? all
          : undefined;
      });
      expect(ready?.map(({ metadata, spec }) => [metadata.name, spec.secretType])).toEqual([
        ['backup', 'File'],
        ['partner', 'Map'],
        ['registry', 'EcrDockerConfigJson'],
        ['reports', 'Map'],
      ]);
    },
    LIMIT_MS,
  );

  test('name Secrets in their Deployments that an AWSAssumeRole writes', async () => {
    const names =
      'jsonpath={range .items[*].spec.template.spec}{.volumes[*].secret.secretName} {.imagePullSecrets[*].name}{"\\n"}{end}';
    const used = await kubectl('get', 'deployments', `--namespace=${NAMESPACE}`, `--output=${names}`);
    const written = (await objects()).map(({ spec }) => spec.secretName);
    expect(written).toEqual(expect.arrayContaining(used.trim().split(/\s+/)));
    expect(used.trim().split(/\s+/).sort()).toEqual(['backup-aws', 'registry-pull']);
  });

  test('of the documents are accepted as well', async () => {
    const manifests = (await pages()).flatMap((page) => manifestsOf(page).map((text) => ({ path: page.path, text })));
    expect(manifests.map(({ path }) => path)).toContain('README.md');
    for (const { path, text } of manifests) {
      const flags = ['--server-side', '--force-conflicts', '--validate=strict', '--dry-run=server', '--filename=-'];
      const { code, stderr } = await plane.kubectlInput(text, 'apply', ...flags);
      expect({ path, code, stderr }).toEqual({ path, code: 0, stderr: '' });
    }
  });

  test('live with the metrics that the documents name', async () => {
    const named = (await pages()).flatMap(
      ({ text }) => text.match(/\b(rolevend|controller_runtime|workqueue)_[a-z_]+/g) ?? [],
    );
    const there = operator.metrics.getMetricsAsArray().map(({ name }) => name);
    expect(named).toContain('rolevend_credential_expiry_timestamp_seconds');
    expect(named.filter((name) => !there.includes(name))).toEqual([]);
  });
});
