import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Condition } from '../../../lib/api/conditions.ts';
import { annotations, legacyLabel, managedLabel } from '../../../lib/api/names.ts';
import {
  laterLegacyWriter,
  type Ownership,
  ownerNames,
  ownershipOf,
  ownerUids,
} from '../../../lib/controllers/aws-assume-role/ownership.ts';
import { uidOf } from '../../../lib/controllers/aws-assume-role/secret.ts';
import {
  assumedRecord,
  recordOf,
  sessionAnnotations,
} from '../../../lib/controllers/aws-assume-role/session-record.ts';
import type { ManagedFields, ObjectMeta } from '../../../lib/kube/objects.ts';
import { at, HOUR, MINUTE, reference, role, SECOND, secretMeta, session, T0 } from './fixtures.ts';

/** The living objects beside `app`. */
const living: Record<string, string> = { 'u-app': 'app', 'u-other': 'other' };
const judge = (meta: Partial<ObjectMeta>) => ownershipOf(secretMeta(meta), role(), (uid) => living[uid]);
const deployment = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'u-web' };
/** What an earlier object of the same name left. */
const earlier = {
  annotations: { [annotations.owner]: 'app', [annotations.ownerUid]: 'u-dead' },
  ownerReferences: [reference('u-dead', { name: 'app' })],
};

describe('to whom a Secret belongs', () => {
  it.each<[string, Partial<ObjectMeta>, Ownership]>([
    ['our reference and annotation', {}, { kind: 'ours' }],
    ['our reference, labels missing', { labels: {} }, { kind: 'ours' }],
    ['our reference alone, as a legacy operator leaves it', { labels: {}, annotations: {} }, { kind: 'ours' }],
    ['our reference that is no controller', { ownerReferences: [reference('u-app')] }, { kind: 'ours' }],
    [
      'our reference, an annotation that names another',
      { annotations: { [annotations.ownerUid]: 'u-other' } },
      { kind: 'ours' },
    ],
    [
      'our reference beside those of other kinds',
      { ownerReferences: [deployment, reference('u-app')] },
      { kind: 'ours' },
    ],
    [
      'two AWSAssumeRoles, one of them this',
      { ownerReferences: [reference('u-other'), reference('u-app')] },
      { kind: 'ours' },
    ],
    ['our annotation without a reference, as under Retain', { ownerReferences: [] }, { kind: 'ours' }],
    ["our annotation beside other kinds' references", { ownerReferences: [deployment] }, { kind: 'ours' }],
    ['another living object', { ownerReferences: [reference('u-other')] }, { kind: 'conflict', owner: 'other' }],
    [
      "another living object's reference and our annotation",
      { ownerReferences: [reference('u-other')], annotations: { [annotations.ownerUid]: 'u-app' } },
      { kind: 'conflict', owner: 'other' },
    ],
    [
      'another living object under Retain',
      { ownerReferences: [], annotations: { [annotations.ownerUid]: 'u-other', [annotations.owner]: 'other' } },
      { kind: 'conflict', owner: 'other' },
    ],
    [
      'two AWSAssumeRoles, one dead and one living',
      { ...earlier, ownerReferences: [reference('u-dead'), reference('u-other')] },
      { kind: 'conflict', owner: 'other' },
    ],
    [
      'a dead object by reference, and this one by annotation',
      { ownerReferences: [reference('u-dead')] },
      { kind: 'ours' },
    ],
    [
      'a dead object by reference, and another living one by annotation',
      { ownerReferences: [reference('u-dead')], annotations: { [annotations.ownerUid]: 'u-other' } },
      { kind: 'conflict', owner: 'other' },
    ],
    ['an earlier object of this name', earlier, { kind: 'stale' }],
    ['an earlier object of this name under Retain', { ...earlier, ownerReferences: [] }, { kind: 'stale' }],
    [
      'an earlier object of this name, our label missing',
      { ...earlier, labels: { [legacyLabel]: 'true' } },
      { kind: 'foreign' },
    ],
    [
      'an earlier object of this name, label off',
      { ...earlier, labels: { [managedLabel]: 'false' } },
      { kind: 'foreign' },
    ],
    [
      'a dead object of another name',
      { ...earlier, annotations: { [annotations.owner]: 'gone', [annotations.ownerUid]: 'u-dead' } },
      { kind: 'foreign' },
    ],
    ['a dead object, no annotation', { ownerReferences: [reference('u-dead')], annotations: {} }, { kind: 'foreign' }],
    [
      'our name, no uid at all',
      { ownerReferences: [], annotations: { [annotations.owner]: 'app' } },
      { kind: 'foreign' },
    ],
    ['no owner at all', { labels: {}, annotations: {}, ownerReferences: [] }, { kind: 'unowned' }],
    ['our labels and no owner', { annotations: {}, ownerReferences: [] }, { kind: 'unowned' }],
    ["somebody's labels and annotations", { annotations: { team: 'a' }, ownerReferences: [] }, { kind: 'unowned' }],
    ['an owner of another kind', { labels: {}, annotations: {}, ownerReferences: [deployment] }, { kind: 'foreign' }],
    [
      'a reference of our kind in another group',
      { ownerReferences: [reference('u-app', { apiVersion: 'example.com/v1' })], annotations: {} },
      { kind: 'foreign' },
    ],
    [
      'a reference of our group with another kind',
      { ownerReferences: [reference('u-app', { kind: 'Other' })], annotations: {} },
      { kind: 'foreign' },
    ],
    [
      'our reference of a later version',
      { ownerReferences: [reference('u-app', { apiVersion: 'pincette.net/v2' })] },
      { kind: 'ours' },
    ],
  ])('%s', (_what, meta, expected) => {
    expect(judge(meta)).toEqual(expected);
  });

  it('is without an owner where there is only a name', () => {
    expect(ownershipOf({ name: 'creds', namespace: 'team' }, role(), () => undefined)).toEqual({ kind: 'unowned' });
  });

  it('follows from the status where nobody is named any more', () => {
    const named = (meta: ObjectMeta) =>
      ownershipOf(
        meta,
        role({ status: { secretRef: { name: 'creds', uid: 's-1', resourceVersion: '5' } } }),
        (uid) => living[uid],
      );
    expect(named(secretMeta({ labels: {}, annotations: {}, ownerReferences: [] }))).toEqual({ kind: 'ours' });
    expect(named(secretMeta({ uid: 's-2', annotations: {}, ownerReferences: [] }))).toEqual({ kind: 'unowned' });
    expect(named(secretMeta({ ownerReferences: [reference('u-other')] }))).toEqual({
      kind: 'conflict',
      owner: 'other',
    });
  });

  it('does not follow from the status alone, which may be forged', () => {
    const named = (change: Partial<ObjectMeta>) =>
      ownershipOf(
        secretMeta(change),
        role({ status: { secretRef: { name: 'creds', uid: 's-1' } } }),
        (uid) => living[uid],
      );
    const bare = { labels: {}, annotations: {}, ownerReferences: [] };
    expect(named({ ...bare, managedFields: [] })).toEqual({ kind: 'unowned' });
    expect(named({ ...bare, managedFields: [{ manager: 'kubectl' }] })).toEqual({ kind: 'unowned' });
    expect(named({ ...bare, ownerReferences: [deployment], managedFields: [] })).toEqual({ kind: 'foreign' });
  });

  it('is an earlier object where our own Secret names a dead one, whatever else was taken off it', () => {
    const status = { secretRef: { name: 'creds', uid: 's-1' } };
    const meta = secretMeta({ labels: {}, annotations: {}, ownerReferences: [reference('u-dead')] });
    expect(ownershipOf(meta, role({ status }), (uid) => living[uid])).toEqual({ kind: 'stale' });
  });

  it('is never an object of another namespace, and no copy elsewhere waits for the owner that it names', () => {
    const elsewhere = { namespace: 'elsewhere' };
    const restored = role({ metadata: { ...elsewhere, uid: 'u-new' } });
    const nobody = () => undefined;
    expect(judge(elsewhere)).toEqual({ kind: 'foreign' });
    expect(ownershipOf(secretMeta({ ...elsewhere, ownerReferences: [] }), restored, nobody)).toEqual({ kind: 'stale' });
  });

  it('is never ours without our uid', () => {
    const anyUid = fc.constantFrom('u-other', 'u-dead', 'u-more');
    fc.assert(
      fc.property(fc.array(anyUid), fc.option(anyUid, { nil: undefined }), (uids, annotated) => {
        const ownerReferences = uids.map((uid) => reference(uid));
        const named = annotated === undefined ? {} : { [annotations.ownerUid]: annotated };
        expect(judge({ ownerReferences, annotations: { [annotations.owner]: 'app', ...named } }).kind).not.toBe('ours');
      }),
    );
  });
});

describe('the owners that a Secret names', () => {
  it('are the references of our kind and the annotation, each once', () => {
    const ownerReferences = [deployment, reference('u-1'), reference('u-app')];
    expect(ownerUids(secretMeta({ ownerReferences }))).toEqual(['u-1', 'u-app']);
    expect(ownerUids(secretMeta({ ownerReferences: [deployment] }))).toEqual(['u-app']);
    expect(ownerUids({ name: 'creds' })).toEqual([]);
  });

  it('are found by name from both', () => {
    expect(ownerNames(secretMeta({ ownerReferences: [deployment, reference('u-1')] }))).toEqual(['1', 'app']);
    expect(ownerNames({ name: 'creds', ownerReferences: [reference('u-1')] })).toEqual(['1']);
    expect(ownerNames({ name: 'creds' })).toEqual([]);
  });

  it('include an object without a uid under the empty one', () => {
    expect(uidOf({ ...role(), metadata: { name: 'app' } })).toBe('');
  });
});

describe('the session that the annotations tell', () => {
  const told = (own: Record<string, string>) => recordOf({ name: 'creds', annotations: own });
  const all = sessionAnnotations(session({ packedPolicySizePercent: 7 }), 'sha');

  it('is the one that was written', () => {
    expect(all).toEqual({
      [annotations.issuedAt]: at(0),
      [annotations.expiresAt]: at(HOUR),
      [annotations.dataSha256]: 'sha',
      [annotations.inputHash]: 'v1:one',
      [annotations.session]: JSON.stringify({
        assumedRoleArn: session().assumedRoleArn,
        accessKeyId: 'ASIAONE',
        packedPolicySizePercent: 7,
        requestId: 'request-ok',
        generation: 2,
      }),
    });
    expect(told(all)).toEqual({ ...session({ packedPolicySizePercent: 7 }), assumed: false });
  });

  it('of a legacy Secret stays an assumed one', () => {
    const own = sessionAnnotations({ issuedAt: T0, expiresAt: T0 + HOUR, assumed: true }, 'sha');
    expect(own).not.toHaveProperty([annotations.inputHash]);
    expect(told(own)).toMatchObject({ issuedAt: T0, expiresAt: T0 + HOUR, assumed: true, inputHash: undefined });
  });

  it.each<[string, Record<string, string>]>([
    ['no annotations', {}],
    ['no start', { [annotations.expiresAt]: at(HOUR) }],
    ['no end', { [annotations.issuedAt]: at(0) }],
    ['an end before its start', { [annotations.issuedAt]: at(0), [annotations.expiresAt]: at(-SECOND) }],
    ['an end at its start', { [annotations.issuedAt]: at(0), [annotations.expiresAt]: at(0) }],
    ['a text for a time', { ...all, [annotations.issuedAt]: 'soon' }],
  ])('is unknown with %s', (_what, own) => {
    expect(told(own)).toBeUndefined();
  });

  it.each([['no JSON'], ['null'], ['7'], ['[]'], ['{"accessKeyId":7,"generation":"2","assumed":"yes"}']])(
    'has only its times where the rest is %s',
    (text) => {
      const { accessKeyId, generation, assumed, issuedAt } = told({ ...all, [annotations.session]: text }) ?? {};
      expect({ accessKeyId, generation, assumed: assumed ?? false, issuedAt }).toEqual({
        accessKeyId: undefined,
        generation: undefined,
        assumed: false,
        issuedAt: T0,
      });
    },
  );

  it('has only its times where there is no rest', () => {
    const { [annotations.session]: _, ...times } = all;
    expect(told(times)).toEqual({ issuedAt: T0, expiresAt: T0 + HOUR, inputHash: 'v1:one' });
  });

  it('is never anything but a life that ends after its start, whatever the annotations say', () => {
    const anyAnnotation = fc.oneof(fc.string(), fc.constantFrom(at(0), at(HOUR), at(-HOUR)), fc.json());
    fc.assert(
      fc.property(anyAnnotation, anyAnnotation, anyAnnotation, (issued, expires, text) => {
        const own = { [annotations.issuedAt]: issued, [annotations.expiresAt]: expires, [annotations.session]: text };
        const record = told(own);
        expect(record === undefined || record.expiresAt > record.issuedAt).toBe(true);
      }),
    );
  });
});

describe("the session of a legacy operator's Secret", () => {
  const condition = (type: string, status: Condition['status'], time: string): Condition => ({
    type,
    status,
    reason: 'r',
    message: 'm',
    lastTransitionTime: time,
  });
  const assumed = (conditions?: Condition[]) =>
    assumedRecord(role({ status: conditions ? { conditions } : {} }), 900, T0 + 2 * HOUR);

  it('began at the last change to Ready and lasts as long as the spec asks for', () => {
    const history = [
      condition('Ready', 'True', at(0)),
      condition('Ready', 'True', at(HOUR)),
      condition('Ready', 'False', at(2 * HOUR)),
      condition('Other', 'True', at(3 * HOUR)),
      condition('Ready', 'True', at(MINUTE)),
      condition('Ready', 'True', 'once'),
      condition('Ready', 'True', at(48 * HOUR)),
    ];
    expect(assumed(history)).toEqual({ issuedAt: T0 + HOUR, expiresAt: T0 + HOUR + 900 * SECOND, assumed: true });
  });

  it.each([
    ['no status', undefined],
    ['no condition', []],
    ['no time that can be read', [condition('Ready', 'True', 'once')]],
    ['no Ready that is True', [condition('Ready', 'False', at(0))]],
    ['a time that lies ahead', [condition('Ready', 'True', at(24 * HOUR))]],
  ])('is unknown with %s', (_what, conditions) => {
    expect(assumed(conditions)).toBeUndefined();
  });

  it('is unknown where the object has no status', () => {
    expect(assumedRecord(role(), 900, T0)).toBeUndefined();
  });
});

describe('a legacy operator that still runs', () => {
  const wrote = (manager: string, ms?: number): ManagedFields => ({
    manager,
    operation: 'Update',
    ...(ms !== undefined && { time: at(ms) }),
  });
  const found = (...managedFields: ManagedFields[]) => laterLegacyWriter({ name: 'creds', managedFields });

  it.each<[string, ManagedFields[], string | undefined]>([
    ['wrote after us', [wrote('rolevend', 0), wrote('awsassumerole.pincette.net', 1000)], 'awsassumerole.pincette.net'],
    [
      'wrote after us with fabric8',
      [wrote('fabric8-kubernetes-client', 1000), wrote('rolevend', 0)],
      'fabric8-kubernetes-client',
    ],
    ['wrote before us', [wrote('rolevend', 1000), wrote('fabric8', 0)], undefined],
    ['wrote in the same second', [wrote('rolevend', 0), wrote('fabric8', 0)], undefined],
    ['wrote before our last write', [wrote('rolevend', 0), wrote('fabric8', 1000), wrote('rolevend', 2000)], undefined],
    ['wrote last after many', [wrote('fabric8', 0), wrote('rolevend', 1000), wrote('fabric8', 2000)], 'fabric8'],
    ['wrote, and we never did', [wrote('fabric8', 1000)], undefined],
    ['never wrote', [wrote('rolevend', 0), wrote('kubectl', 1000)], undefined],
    ['wrote at an unknown time', [wrote('rolevend', 0), wrote('fabric8')], undefined],
    ['is somebody without a name', [wrote('rolevend', 0), { time: at(1000) }], undefined],
  ])('%s', (_what, managedFields, expected) => {
    expect(found(...managedFields)).toBe(expected);
  });

  it('is none without managed fields', () => {
    expect(laterLegacyWriter({ name: 'creds' })).toBeUndefined();
  });
});
