import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { AWSAssumeRole } from '../../../lib/api/aws-assume-role.ts';
import { annotations, legacyLabel, managedLabel } from '../../../lib/api/names.ts';
import { desiredMetadata, metadataDrifted } from '../../../lib/controllers/aws-assume-role/secret-metadata.ts';
import type { ObjectMeta } from '../../../lib/kube/objects.ts';
import { reference, role, secretMeta } from './fixtures.ts';

const own = { [annotations.inputHash]: 'v1:one' };
const labels = { [legacyLabel]: 'true', [managedLabel]: 'true' };
const owner = { [annotations.owner]: 'app', [annotations.ownerUid]: 'u-app' };
const ours = reference('u-app', { controller: true });
const deployment = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'u-web' };
const copying = (spec: { labels?: Record<string, string>; annotations?: Record<string, string> }) =>
  role({ spec: { metadata: spec } });
const copied = (names: { labels: string[]; annotations: string[] }) => ({
  [annotations.copiedMetadata]: JSON.stringify(names),
});
const desired = (current?: Partial<ObjectMeta>, object: AWSAssumeRole = role()) =>
  desiredMetadata(object, current && secretMeta(current), own);

describe('the metadata of a new Secret', () => {
  it('are labels, annotations and one controlling owner that blocks nothing', () => {
    expect(desired()).toEqual({
      name: 'creds',
      namespace: 'team',
      labels,
      annotations: { ...own, ...owner },
      ownerReferences: [ours],
    });
  });

  it('hold what the spec gives, and note it', () => {
    const object = copying({ labels: { tier: 'db', app: 'x' }, annotations: { note: 'n' } });
    expect(desired(undefined, object)).toMatchObject({
      labels: { ...labels, tier: 'db', app: 'x' },
      annotations: { ...own, ...owner, note: 'n', ...copied({ labels: ['app', 'tier'], annotations: ['note'] }) },
    });
  });

  it('name no owner under Retain, only the annotation does', () => {
    const object = role({ spec: { deletionPolicy: 'Retain' } });
    expect(desired(undefined, object)).toMatchObject({ annotations: owner, ownerReferences: [] });
  });

  it('leave the namespace out where the object has none', () => {
    expect(desired(undefined, { ...role(), metadata: { name: 'app', uid: 'u-app' } })).not.toHaveProperty('namespace');
  });
});

describe('the metadata of a Secret that stands', () => {
  it('keep identity and everything that others put there', () => {
    const current = secretMeta({
      labels: { theirs: 'x' },
      annotations: { theirs: 'y' },
      finalizers: ['example.com/hold'],
      ownerReferences: [deployment],
    });
    expect(desired(current)).toEqual({
      ...current,
      labels: { theirs: 'x', ...labels },
      annotations: { theirs: 'y', ...own, ...owner },
      ownerReferences: [deployment, ours],
    });
  });

  it('lose the keys that were copied and are gone from the spec, and keep the rest', () => {
    const current = {
      labels: { ...labels, kept: '1', dropped: '2', theirs: '3' },
      annotations: { ...copied({ labels: ['dropped', 'kept'], annotations: ['gone'] }), gone: '4', theirs: '5' },
    };
    expect(desired(current, copying({ labels: { kept: 'new' } }))).toMatchObject({
      labels: { ...labels, kept: 'new', theirs: '3' },
      annotations: { theirs: '5', ...own, ...owner, ...copied({ labels: ['kept'], annotations: [] }) },
    });
    expect(Object.keys(desired(current, copying({ labels: { kept: 'new' } })).labels ?? {})).not.toContain('dropped');
    expect(desired(current).annotations).toEqual({ theirs: '5', ...own, ...owner });
  });

  it('cannot be emptied of our own through a forged note', () => {
    const note = copied({ labels: [managedLabel, legacyLabel], annotations: Object.values(annotations) });
    expect(desired({ annotations: note })).toMatchObject({ labels, annotations: { ...own, ...owner } });
  });

  it.each([['no JSON'], ['null'], ['{}'], ['{"labels":"kept"}'], ['{"labels":[7,null],"annotations":{}}']])(
    'survive the note %s',
    (note) => {
      const current = { labels: { kept: '1' }, annotations: { [annotations.copiedMetadata]: note } };
      expect(desired(current)).toMatchObject({ labels: { kept: '1', ...labels } });
    },
  );

  it('keep of our kind only this object as owner', () => {
    const current = { ownerReferences: [reference('u-other', { controller: true }), deployment, reference('u-dead')] };
    expect(desired(current).ownerReferences).toEqual([deployment, ours]);
  });

  it('unset blockOwnerDeletion of a legacy reference', () => {
    const current = { ownerReferences: [{ ...ours, blockOwnerDeletion: true }] };
    expect(desired(current).ownerReferences).toEqual([ours]);
  });

  it("leave another kind's controller what it is", () => {
    const current = { ownerReferences: [{ ...deployment, controller: true }] };
    expect(desired(current).ownerReferences).toEqual([
      { ...deployment, controller: true },
      { ...ours, controller: false },
    ]);
  });

  it('give up the owner when the policy becomes Retain', () => {
    const object = role({ spec: { deletionPolicy: 'Retain' } });
    expect(desired({ ownerReferences: [ours, deployment] }, object).ownerReferences).toEqual([deployment]);
  });
});

const anyMap = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.constantFrom('1', '2'));

describe('any metadata', () => {
  it('are right after one change, and then change no more', () => {
    fc.assert(
      fc.property(anyMap, anyMap, anyMap, anyMap, (theirLabels, theirAnnotations, wanted, wantedAnnotations) => {
        const object = copying({ labels: wanted, annotations: wantedAnnotations });
        const once = desired({ labels: theirLabels, annotations: theirAnnotations }, object);
        expect(desiredMetadata(object, once, own)).toEqual(once);
        expect(metadataDrifted(once, desiredMetadata(object, once, own))).toBe(false);
        expect(once).toMatchObject({
          labels: { ...theirLabels, ...wanted },
          annotations: { ...theirAnnotations, ...wantedAnnotations },
        });
      }),
    );
  });

  it('hold nothing more of a spec whose metadata were taken away again', () => {
    fc.assert(
      fc.property(anyMap, anyMap, (wanted, wantedAnnotations) => {
        const without = desired();
        const withCopies = desiredMetadata(copying({ labels: wanted, annotations: wantedAnnotations }), without, own);
        expect(desiredMetadata(role(), withCopies, own)).toEqual(without);
      }),
    );
  });
});

describe('drift of metadata', () => {
  const good = desired();

  it.each<[string, ObjectMeta, boolean]>([
    ['the same in another order', { ...good, labels: Object.fromEntries(Object.entries(labels).reverse()) }, false],
    ['another version', { ...good, resourceVersion: '9', managedFields: [] }, false],
    [
      'the same owners in another order',
      { ...good, ownerReferences: [...(good.ownerReferences ?? [])].reverse() },
      false,
    ],
    ['a label gone', { ...good, labels: { [legacyLabel]: 'true' } }, true],
    ['a label changed', { ...good, labels: { ...labels, [managedLabel]: 'no' } }, true],
    ['a label exchanged', { ...good, labels: { [legacyLabel]: 'true', x: 'true' } }, true],
    ['all labels gone', { name: 'creds', annotations: good.annotations ?? {}, ownerReferences: [ours] }, true],
    ['an annotation changed', { ...good, annotations: { ...good.annotations, [annotations.inputHash]: 'v1:x' } }, true],
    ['the owner gone', { ...good, ownerReferences: [] }, true],
    ['the owner no controller', { ...good, ownerReferences: [reference('u-app')] }, true],
  ])('%s: %p', (_what, current, expected) => {
    expect(metadataDrifted(current, good)).toBe(expected);
  });

  it('is none between empty and absent maps', () => {
    expect(
      metadataDrifted({ name: 'creds' }, { name: 'creds', labels: {}, annotations: {}, ownerReferences: [] }),
    ).toBe(false);
  });
});
