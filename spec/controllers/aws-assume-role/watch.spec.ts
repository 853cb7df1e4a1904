import { describe, expect, it } from '@jest/globals';
import type { AWSAssumeRole } from '../../../lib/api/aws-assume-role.ts';
import { annotations } from '../../../lib/api/names.ts';
import type { RoleGrant } from '../../../lib/api/role-grant.ts';
import { ownerUidIndex, secretNameIndex, uidIndex } from '../../../lib/controllers/aws-assume-role/inspect.ts';
import {
  keysOfGrant,
  keysOfNamespace,
  keysOfObject,
  keysOfSecret,
  objectStore,
  secretStore,
} from '../../../lib/controllers/aws-assume-role/watch.ts';
import type { KubeObject, ObjectMeta } from '../../../lib/kube/objects.ts';
import { type Change, Store } from '../../../lib/kube/store.ts';
import { at, reference, role, secretMeta } from './fixtures.ts';

/** An object `team/<name>` that names the Secret `secretName`. */
const named = (name: string, secretName = 'creds', change: Parameters<typeof role>[0] = {}): AWSAssumeRole =>
  role({
    ...change,
    metadata: { name, uid: `u-${name}`, resourceVersion: '1', ...change.metadata },
    spec: { secretName, ...change.spec },
  });
const objects = (...list: AWSAssumeRole[]) => {
  const store = objectStore();
  store.replace(undefined, list, '9');
  return store;
};
const app = named('app');
const rival = named('rival');
const apart = named('apart', 'other');
const store = objects(app, rival, apart, named('app', 'creds', { metadata: { namespace: 'elsewhere', uid: 'u-far' } }));
const modified = (object: AWSAssumeRole, previous = app): Change<AWSAssumeRole> => ({
  type: 'modified',
  object,
  previous,
});
const keys = (change: Change<AWSAssumeRole>) => keysOfObject(change, store).sort();

describe('the passes that a change of an AWSAssumeRole asks for', () => {
  it.each<[string, Change<AWSAssumeRole>, string[]]>([
    ['a new one: its own', { type: 'added', object: app }, ['team/app']],
    ['one whose history is not known: its own', { type: 'modified', object: app }, ['team/app']],
    ['a new spec: its own', modified(named('app', 'creds', { metadata: { generation: 3 } })), ['team/app']],
    [
      'an annotation: its own',
      modified(named('app', 'creds', { metadata: { annotations: { a: 'b' } } })),
      ['team/app'],
    ],
    ['our own status: none', modified(named('app', 'creds', { status: { conditions: [] } })), []],
    [
      'a label: none',
      modified(named('app', 'creds', { metadata: { labels: { a: 'b' } }, status: { conditions: [] } })),
      [],
    ],
    ['a status that somebody emptied: its own', modified(named('app', 'creds', { status: {} })), ['team/app']],
    [
      'a deletion: its own and those that wait for the name',
      { type: 'deleted', object: app },
      ['team/app', 'team/rival'],
    ],
    [
      'a deletion that waits for finalizers: the same',
      modified(named('app', 'creds', { metadata: { deletionTimestamp: at(0) } })),
      ['team/app', 'team/rival'],
    ],
    [
      'another Secret: its own and those of both names',
      modified(named('app', 'other', { metadata: { generation: 3 } })),
      ['team/apart', 'team/app', 'team/rival'],
    ],
  ])('%s', (_what, change, expected) => {
    expect(keys(change)).toEqual(expected);
  });

  it('works without a namespace', () => {
    const { namespace: _, ...metadata } = app.metadata;
    expect(keysOfObject({ type: 'deleted', object: { ...app, metadata } }, objects())).toEqual(['app']);
  });
});

describe('the passes that a change of a Secret asks for', () => {
  const secret = (meta: Partial<ObjectMeta>): Change<KubeObject> => ({
    type: 'modified',
    object: { apiVersion: 'v1', kind: 'Secret', metadata: secretMeta(meta) },
  });

  it.each<[string, Partial<ObjectMeta>, string[]]>([
    ['its owner and all that name it', {}, ['team/app', 'team/rival']],
    [
      'those that name it, where it names no owner',
      { ownerReferences: [], annotations: {} },
      ['team/app', 'team/rival'],
    ],
    ['its owner under a former name', { name: 'former' }, ['team/app']],
    [
      'every owner that it names',
      { name: 'former', ownerReferences: [reference('u-one')], annotations: { [annotations.owner]: 'two' } },
      ['team/one', 'team/two'],
    ],
    ['nobody', { name: 'former', ownerReferences: [], annotations: {} }, []],
  ])('%s', (_what, meta, expected) => {
    expect(keysOfSecret(secret(meta), store).sort()).toEqual(expected);
  });
});

describe('the passes that a change of a namespace asks for', () => {
  const namespace = (labels?: Record<string, string>): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'team', ...(labels && { labels }) },
  });

  it.each<[string, Change<KubeObject>, string[]]>([
    [
      'all of it, where the labels changed',
      { type: 'modified', object: namespace({ a: 'b' }), previous: namespace() },
      ['team/apart', 'team/app', 'team/rival'],
    ],
    ['all of it, where it is new', { type: 'added', object: namespace() }, ['team/apart', 'team/app', 'team/rival']],
    [
      'none, where the labels stay',
      { type: 'modified', object: namespace({ a: 'b' }), previous: namespace({ a: 'b' }) },
      [],
    ],
  ])('%s', (_what, change, expected) => {
    expect(keysOfNamespace(change, store).sort()).toEqual(expected);
  });
});

describe('the passes that a change of a RoleGrant asks for at once', () => {
  const namespaces = new Store<KubeObject>();
  const labelled = { name: 'team', labels: { tenant: 'a' }, resourceVersion: '1' };
  namespaces.replace(undefined, [{ apiVersion: 'v1', kind: 'Namespace', metadata: labelled }], '9');
  const grant = (spec: RoleGrant['spec']['namespaces'], metadata: Partial<RoleGrant['metadata']> = {}): RoleGrant => ({
    apiVersion: 'rolevend.dev/v1alpha1',
    kind: 'RoleGrant',
    metadata: { name: 'g', generation: 1, ...metadata },
    spec: { namespaces: spec, roles: ['arn:self:iam::self:role/*'] },
  });
  const team = ['team/apart', 'team/app', 'team/rival'];
  const later = { generation: 2 };

  it.each<[string, Change<RoleGrant>, string[]]>([
    ['those of a namespace that it names', { type: 'added', object: grant({ names: ['te*'] }) }, team],
    ['those of all', { type: 'deleted', object: grant({ names: ['*'] }) }, ['elsewhere/app', ...team]],
    [
      'those that its selector finds',
      { type: 'added', object: grant({ selector: { matchLabels: { tenant: 'a' } } }) },
      team,
    ],
    [
      'those of which it speaks no more',
      { type: 'modified', object: grant({ names: ['other'] }, later), previous: grant({ names: ['team'] }) },
      team,
    ],
    [
      'those that lose it',
      {
        type: 'modified',
        object: grant({ names: ['team'] }, { deletionTimestamp: at(0) }),
        previous: grant({ names: ['team'] }),
      },
      team,
    ],
    ['none of a namespace that it never named', { type: 'added', object: grant({ names: ['other'] }) }, []],
    [
      'none, where only its labels changed',
      {
        type: 'modified',
        object: grant({ names: ['team'] }, { labels: { a: 'b' } }),
        previous: grant({ names: ['team'] }),
      },
      [],
    ],
  ])('%s', (_what, change, expected) => {
    expect(keysOfGrant(change, store, namespaces).sort()).toEqual(expected);
  });
});

describe('the stores', () => {
  it('find objects by uid and by the Secret that they name', () => {
    expect(store.byIndex(uidIndex, 'elsewhere/u-far').map(({ metadata }) => metadata.namespace)).toEqual(['elsewhere']);
    expect(store.byIndex(uidIndex, 'team/u-far')).toEqual([]);
    expect(store.byIndex(secretNameIndex, 'team/creds').map(({ metadata }) => metadata.name)).toEqual(['app', 'rival']);
  });

  it('take an object without uid and namespace', () => {
    const bare = { ...app, metadata: { name: 'bare', resourceVersion: '1' } };
    expect(objects(bare).byIndex(secretNameIndex, '/creds')).toEqual([bare]);
  });

  it('find Secrets by owner, those of one namespace alone', () => {
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: secretMeta() };
    const secrets = secretStore();
    const copy = { ...secret, metadata: secretMeta({ namespace: 'elsewhere' }) };
    secrets.replace(undefined, [secret, copy], '9');
    expect(secrets.byIndex(ownerUidIndex, 'team/u-app')).toEqual([secret]);
  });
});
