import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parse } from 'yaml';
import { type AWSAssumeRole, type AWSAssumeRoleSpec, specProblems } from '../../lib/api/aws-assume-role.ts';
import { setCondition } from '../../lib/api/conditions.ts';
import { grantProblems } from '../../lib/api/role-grant.ts';
import { awsAssumeRoleExample, roleGrantExample } from '../generate/examples.ts';
import { type AttachedControlPlane, sharedControlPlane, type TestNamespace, testNamespace } from '../lab/index.ts';
import { anyGrant, anyPullSpec, anySpec } from './any-spec.ts';
import { badGrants, goodGrants } from './bad-grants.ts';
import { badSpecs, fiveFields, goodSpecs } from './bad-specs.ts';

interface Refusal {
  details?: { causes?: { field: string; message: string }[] };
}

let plane: AttachedControlPlane;
let namespace: TestNamespace;
beforeAll(async () => {
  plane = sharedControlPlane();
  namespace = await testNamespace(plane);
});
afterAll(() => namespace?.remove());

const GRANTS = '/apis/rolevend.dev/v1alpha1/rolegrants';
const rolesPath = () => `/apis/pincette.net/v1/namespaces/${namespace.name}/awsassumeroles`;
const assumeRole = (spec: object, name = 'try') => ({
  apiVersion: 'pincette.net/v1',
  kind: 'AWSAssumeRole',
  metadata: { name },
  spec,
});
const grant = (spec: object) => ({
  apiVersion: 'rolevend.dev/v1alpha1',
  kind: 'RoleGrant',
  metadata: { name: 'try' },
  spec,
});
const trySpec = (spec: object) => plane.request<Refusal>('POST', `${rolesPath()}?dryRun=All`, assumeRole(spec));
const tryGrant = (spec: object) => plane.request<Refusal>('POST', `${GRANTS}?dryRun=All`, grant(spec));
const causes = (refusal: Refusal) =>
  (refusal.details?.causes ?? []).map(({ field, message }) => `${field}: ${message}`);

describe('the API server', () => {
  it.each(badSpecs)('refuses $title', async ({ spec, field, says }) => {
    const { status, body } = await trySpec(spec);
    expect(status).toBe(422);
    expect(causes(body).filter((cause) => cause.startsWith(field))).toContainEqual(expect.stringContaining(says));
  });

  it.each(goodSpecs.map((spec) => [spec]))('accepts %j', async (spec) => {
    expect(await trySpec(spec)).toMatchObject({ status: 201, body: { spec } });
  });

  it.each(badGrants)('refuses a grant with $title', async ({ spec, field, says }) => {
    const { status, body } = await tryGrant(spec);
    expect(status).toBe(422);
    expect(causes(body).filter((cause) => cause.startsWith(field))).toContainEqual(expect.stringContaining(says));
  });

  it.each(goodGrants.map((spec) => [spec]))('accepts the grant %j', async (spec) => {
    expect(await tryGrant(spec)).toMatchObject({ status: 201, body: { spec } });
  });

  it.each([
    ['AWSAssumeRole', anySpec],
    ['image pull Secret', anyPullSpec],
  ])('judges any %s as our own code does', async (_what, any: fc.Arbitrary<object>) => {
    const judged = fc.asyncProperty(any, async (spec) => {
      const { status } = await trySpec(spec);
      expect({ spec, accepted: status === 201 }).toEqual({ spec, accepted: specProblems(spec).length === 0 });
    });
    await fc.assert(judged, { numRuns: 300 });
  });

  it('judges any RoleGrant as our own code does', async () => {
    const judged = fc.asyncProperty(anyGrant, async (spec) => {
      const { status } = await tryGrant(spec);
      expect({ spec, accepted: status === 201 }).toEqual({ spec, accepted: grantProblems(spec).length === 0 });
    });
    await fc.assert(judged, { numRuns: 300 });
  });
});

describe('manifests', () => {
  it('with the five legacy fields come back exactly as they were written', async () => {
    await namespace.apply(assumeRole(fiveFields, 'legacy'));
    const { body } = await plane.request<AWSAssumeRole>('GET', `${rolesPath()}/legacy`);
    expect(body.spec).toEqual(fiveFields);
    expect(body.metadata.generation).toBe(1);
  });

  it('with a name that is unknown are refused by kubectl with the name', async () => {
    const file = JSON.stringify(assumeRole({ ...fiveFields, rolename: 'x' }, 'typo'));
    const { code, stderr } = await plane.kubectlInput(file, '--namespace', namespace.name, 'create', '--filename', '-');
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('unknown field "spec.rolename"') });
  });

  it('of the reference pages and the default grant are accepted', async () => {
    const example = parse(awsAssumeRoleExample) as AWSAssumeRole;
    expect(await trySpec(example.spec)).toMatchObject({ status: 201 });
    const defaults = await readFile(new URL('../../manifests/grants/default.yaml', import.meta.url), 'utf8');
    for (const text of [roleGrantExample, defaults]) {
      const answer = await plane.request('POST', `${GRANTS}?dryRun=All`, parse(text) as object);
      expect(answer).toMatchObject({ status: 201 });
    }
  });
});

describe('a stored history of Ready conditions', () => {
  const history = [
    { type: 'Ready', status: 'False', reason: '', message: '', lastTransitionTime: '2020-01-01T00:00:00.123456Z' },
    {
      type: 'Ready',
      status: 'Unknown',
      reason: 'some free text',
      message: 'x'.repeat(40_000),
      lastTransitionTime: '2020-01-01',
    },
    { type: 'Ready', status: 'True' },
  ];
  const patch = (status: object) => plane.request<AWSAssumeRole>('PATCH', `${rolesPath()}/history/status`, { status });

  it('is accepted, and replaced as a whole by our own list', async () => {
    await namespace.apply(assumeRole(fiveFields, 'history'));
    const legacy = await patch({ conditions: history, health: { status: 'Healthy' }, phase: 'Ready' });
    expect(legacy).toMatchObject({ status: 200, body: { status: { conditions: history } } });
    const ready = { type: 'Ready', status: 'True', reason: 'Issued', message: 'ok', observedGeneration: 1 } as const;
    const conditions = setCondition(legacy.body.status?.conditions, ready, '2026-01-01T00:00:00Z');
    const ours = await patch({ conditions, observedGeneration: 1 });
    expect(ours.body.status).toEqual({
      observedGeneration: 1,
      conditions: [{ ...ready, lastTransitionTime: '2026-01-01T00:00:00Z' }],
      health: { status: 'Healthy' },
      phase: 'Ready',
    });
  });
});

describe('kubectl get', () => {
  const columns = (text: string) => text.split('\n').map((line) => line.trim().split(/\s{2,}/));

  it('shows the two legacy columns first and the others as promised', async () => {
    const spec: AWSAssumeRoleSpec = { roleName: 'r', secretName: 's', secretType: 'Map' };
    await namespace.apply(assumeRole(spec, 'shown'));
    const status = {
      health: { status: 'Healthy' },
      phase: 'Ready',
      expiresAt: '2099-01-01T01:00:00Z',
      nextRefreshAt: '2099-01-01T00:30:00Z',
      roleArn: 'arn:aws:iam::123456789012:role/r',
      conditions: [{ type: 'Ready', status: 'True', reason: 'Issued' }],
    };
    await plane.request('PATCH', `${rolesPath()}/shown/status`, { status });
    const plain = columns((await namespace.kubectl('get', 'aar', 'shown')).stdout);
    expect(plain[0]).toEqual(['NAME', 'HEALTH', 'PHASE', 'EXPIRES', 'AGE']);
    expect(plain[1]?.slice(0, 4)).toEqual(['shown', 'Healthy', 'Ready', '2099-01-01T01:00:00Z']);
    const wide = columns((await namespace.kubectl('get', 'awsassumerole', 'shown', '-o', 'wide')).stdout);
    expect(wide[0]).toEqual(['NAME', 'HEALTH', 'PHASE', 'EXPIRES', 'ROLE', 'NEXT', 'REASON', 'AGE']);
    expect(wide[1]?.slice(4, 7)).toEqual([status.roleArn, status.nextRefreshAt, 'Issued']);
  });

  it.each(['aws-credentials', 'controllers'])('finds the objects in the category %s', async (category) => {
    await namespace.apply(assumeRole(fiveFields, 'found'));
    expect((await namespace.kubectl('get', category)).stdout).toContain('found');
  });

  it('explains a field with its default, unit and bounds', async () => {
    const { stdout } = await namespace.kubectl('explain', 'aar.spec.durationSeconds');
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain(
      'in seconds. Default: 900, with secretType Process 3600; 3600 is recommended. 900 to 43200 (STS), with Process at least 3600',
    );
  });
});
