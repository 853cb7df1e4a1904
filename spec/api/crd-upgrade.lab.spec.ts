import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { specProblems } from '../../lib/api/aws-assume-role.ts';
import { awsAssumeRoleKind, customResourceDefinition } from '../../lib/api/crd.ts';
import { applyCrds, type ControlPlane, startControlPlane } from '../lab/index.ts';
import { eventually } from '../support/eventually.ts';

/** The CRD as an older operator had it: the same names, and a schema that checks nothing. */
function legacyCrd(): object {
  const crd = customResourceDefinition(awsAssumeRoleKind) as { spec: { versions: { schema: object }[] } };
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
  return { ...crd, spec: { ...crd.spec, versions: crd.spec.versions.map((version) => ({ ...version, schema })) } };
}

const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const OBJECTS = '/apis/pincette.net/v1/namespaces/default/awsassumeroles';
const bad = { roleName: '/team//reader', secretName: 'Not_A_Name', secretType: 'Other', durationSeconds: 60 };
const legacy = (name: string, spec: object) => ({
  apiVersion: 'pincette.net/v1',
  kind: 'AWSAssumeRole',
  metadata: { name },
  spec,
});
const ready = [
  { type: 'Ready', status: 'False', reason: 'InvalidSpec', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' },
];

describe('objects that were stored before our CRD came', () => {
  let plane: ControlPlane;
  beforeAll(async () => {
    plane = await startControlPlane({ crds: false, controllerManager: false });
    await plane.request('POST', CRDS, legacyCrd());
    await eventually('the old CRD to be served', async () => (await plane.request('GET', OBJECTS)).status === 200);
    for (const [name, spec] of Object.entries({ bad, 'without-secret': { roleName: 'reader' } })) {
      await eventually(`the object ${name}`, async () =>
        [201, 409].includes((await plane.request('POST', OBJECTS, legacy(name, spec))).status),
      );
    }
    await applyCrds(plane.request);
    await eventually(
      'our CRD to judge',
      async () => (await plane.request('POST', `${OBJECTS}?dryRun=All`, legacy('new', bad))).status === 422,
    );
  });
  afterAll(() => plane?.stop());

  it.each(['bad', 'without-secret'])('take status and metadata though their spec is invalid: %s', async (name) => {
    const status = await plane.request('PATCH', `${OBJECTS}/${name}/status`, {
      status: { conditions: ready, phase: 'Pending' },
    });
    expect(status).toMatchObject({ status: 200, body: { status: { conditions: ready, phase: 'Pending' } } });
    const labels = await plane.request('PATCH', `${OBJECTS}/${name}`, { metadata: { labels: { a: 'b' } } });
    expect(labels).toMatchObject({ status: 200 });
  });

  it('can be mended one field at a time, and no field gets worse', async () => {
    const change = (spec: object) => plane.request('PATCH', `${OBJECTS}/bad`, { spec });
    expect(await change({ durationSeconds: 900 })).toMatchObject({ status: 200 });
    expect(await change({ roleName: 'also//bad' })).toMatchObject({ status: 422 });
    expect(await change({ roleName: 'reader', secretName: 'good' })).toMatchObject({ status: 200 });
    expect(await change({ secretType: 'Map' })).toMatchObject({ status: 200 });
  });

  it('are judged by our own code, since the server lets them live', () => {
    expect(specProblems(bad)).toEqual([
      expect.stringContaining('spec.roleName'),
      expect.stringContaining('spec.durationSeconds'),
      expect.stringContaining('spec.secretName'),
      expect.stringContaining('spec.secretType'),
    ]);
  });
});
