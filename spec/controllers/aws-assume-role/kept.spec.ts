import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import type { AWSAssumeRole } from '../../../lib/api/aws-assume-role.ts';
import type { Condition } from '../../../lib/api/conditions.ts';
import { annotations, legacyLabel, managedLabel } from '../../../lib/api/names.ts';
import type { RoleGrant } from '../../../lib/api/role-grant.ts';
import { keptGrant, keptNamespace, keptObject, keptSecret } from '../../../lib/controllers/aws-assume-role/kept.ts';
import { isOurWrite } from '../../../lib/controllers/aws-assume-role/ownership.ts';
import { assumedRecord } from '../../../lib/controllers/aws-assume-role/session-record.ts';
import type { KubeObject, ObjectMeta } from '../../../lib/kube/objects.ts';
import { run } from '../../lab/install/run.ts';
import { at, HOUR, MINUTE, reference, role, secretMeta, T0, written } from './fixtures.ts';

const LONG = 'x'.repeat(250_000);
const foreign = {
  labels: { team: 'a' },
  annotations: { note: LONG },
  managedFields: [{ manager: 'kubectl', fieldsV1: { 'f:spec': {} } }],
  selfLink: '/x',
};
const secret = (metadata: ObjectMeta): KubeObject => ({ apiVersion: 'v1', kind: 'Secret', metadata });

/** What the stores hold after a hundred objects of each kind, with annotations of so many characters. */
async function held(characters: number): Promise<{ held: number[]; heldMib: number }> {
  const probe = fileURLToPath(new URL('kept-probe.ts', import.meta.url));
  const { stdout, stderr } = await run([process.execPath, '--expose-gc', '--no-warnings', probe, String(characters)]);
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout);
}

it('is no more where annotations are large', async () => {
  const [small, large] = [await held(10), await held(250_000)];
  expect(large.held).toEqual([100, 100, 100, 100]);
  // Whole annotations would be 190 MiB.
  expect(large.heldMib).toBeLessThan(2 * small.heldMib + 1);
});

describe('what is kept of an AWSAssumeRole', () => {
  it('is all that is read, and nothing else', () => {
    const request = { [annotations.refreshRequestedAt]: 'now' };
    const object = role({
      metadata: {
        ...foreign,
        annotations: { ...foreign.annotations, ...request },
        resourceVersion: '7',
        finalizers: ['x'],
      },
      status: { roleArn: 'arn' },
    });
    const { creationTimestamp } = role().metadata;
    expect(keptObject(object)).toEqual({
      ...role({ status: { roleArn: 'arn' } }),
      metadata: {
        name: 'app',
        namespace: 'team',
        uid: 'u-app',
        generation: 2,
        resourceVersion: '7',
        creationTimestamp,
        annotations: request,
      },
    });
  });

  it('has a digest for a request for a refresh that is long, and another one for another request', () => {
    const kept = (value: string) =>
      keptObject(role({ metadata: { annotations: { [annotations.refreshRequestedAt]: value } } })).metadata.annotations;
    expect(kept('x'.repeat(256))).toEqual({ [annotations.refreshRequestedAt]: 'x'.repeat(256) });
    expect(kept(LONG)).toEqual({ [annotations.refreshRequestedAt]: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) });
    expect(kept(`${LONG}y`)).not.toEqual(kept(LONG));
  });

  it.each([[undefined], [null], ['text']])('is an empty spec where there is none: %j', (spec) => {
    expect(keptObject({ ...role(), spec } as unknown as AWSAssumeRole).spec).toEqual({});
  });

  it("is the last entry of each status of an older operator's history, and every condition of others", () => {
    const entry = (type: string, status: Condition['status'], ms: number): Condition => ({
      type,
      status,
      reason: 'r',
      message: 'm',
      lastTransitionTime: at(ms),
    });
    const times = Array.from({ length: 500 }, (_, index) => index * MINUTE);
    const history = times.flatMap((ms) => [entry('Ready', 'True', ms), entry('Ready', 'False', ms + 1000)]);
    const theirs = [entry('Theirs', 'True', 0), entry('Theirs', 'True', 1)];
    const object = role({ status: { conditions: [...theirs, ...history] } });
    const last = [entry('Ready', 'True', 499 * MINUTE), entry('Ready', 'False', 499 * MINUTE + 1000)];
    expect(keptObject(object).status).toEqual({ conditions: [...theirs, ...last] });
    const now = T0 + 99 * HOUR;
    expect(assumedRecord(keptObject(object), 900, now)).toEqual(assumedRecord(object, 900, now));
  });
});

describe('what is kept of a Secret', () => {
  it('is identity, owners, our own labels and annotations, and the keys that were copied', () => {
    const copied = { [annotations.copiedMetadata]: JSON.stringify({ labels: ['tier'], annotations: ['url'] }) };
    const meta = written();
    const full = {
      ...meta,
      ...foreign,
      labels: { ...meta.labels, ...foreign.labels, tier: 'db' },
      annotations: { ...meta.annotations, ...foreign.annotations, ...copied, url: 'u' },
      managedFields: [...foreign.managedFields, { manager: 'rolevend', time: at(0), fieldsV1: {} }],
    };
    expect(keptSecret(secret(full))).toEqual(
      secret({
        ...meta,
        labels: { ...meta.labels, tier: 'db' },
        annotations: { ...meta.annotations, ...copied, url: 'u' },
        managedFields: [{ manager: 'rolevend' }],
      }),
    );
  });

  it('tells whether this operator has written it', () => {
    const writers = (managedFields: ObjectMeta['managedFields'] = []) =>
      isOurWrite(keptSecret(secret(secretMeta({ managedFields }))).metadata);
    expect([writers([{ manager: 'rolevend' }]), writers([{ manager: 'kubectl' }]), writers()]).toEqual([
      true,
      false,
      false,
    ]);
  });

  it('has at most some owners, finalizers and copied keys, and none of their values where they are long', () => {
    const keys = Array.from({ length: 1000 }, (_, index) => `k${index}`);
    const own = Object.fromEntries(Object.values(annotations).map((key) => [key, LONG]));
    const note = JSON.stringify({ labels: keys, annotations: keys });
    const all = Object.fromEntries(keys.map((key) => [key, LONG]));
    const others = keys.map((name) => ({ apiVersion: 'apps/v1', kind: 'Deployment', name, uid: name }));
    const { metadata } = keptSecret(
      secret({
        ...secretMeta(),
        labels: { [legacyLabel]: 'true', [managedLabel]: 'true' },
        annotations: { ...own, ...all, [annotations.copiedMetadata]: note },
        ownerReferences: [...others, ...keys.map((uid) => reference(uid)), reference('u-app')],
        finalizers: keys,
      }),
    );
    expect(JSON.stringify(metadata).length).toBeLessThan(25_000);
    expect(metadata.ownerReferences).toHaveLength(20);
    expect(metadata.finalizers).toEqual(['k0']);
  });
});

it('of a namespace its labels are kept', () => {
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team', uid: 'n-1', ...foreign } };
  const kept = (metadata: ObjectMeta) => ({ ...namespace, metadata });
  expect(keptNamespace(namespace)).toEqual(kept({ name: 'team', uid: 'n-1', labels: { team: 'a' } }));
  expect(keptNamespace(kept({ name: 'team' }))).toEqual(kept({ name: 'team', labels: {} }));
});

it('of a RoleGrant its spec is kept', () => {
  const spec: RoleGrant['spec'] = { namespaces: { names: ['team'] }, roles: ['arn:self:iam::self:role/*'] };
  const grant = {
    apiVersion: 'rolevend.dev/v1alpha1',
    kind: 'RoleGrant',
    metadata: { name: 'team', ...foreign },
    spec,
  };
  expect(keptGrant(grant)).toEqual({ ...grant, metadata: { name: 'team' } });
});
