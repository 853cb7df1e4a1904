import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type App, assumptions, eventShown, eventsOf, openApp, patch, writes } from './observe.ts';
import { objectOf, tripleOf } from './support.ts';

const labels = { team: 'a', 'app.kubernetes.io/managed-by': 'script' };
const annotations = { 'example.org/note': 'kept' };

describe('adoption: IfUnowned', () => {
  let app: App;

  beforeAll(async () => {
    app = await openApp();
  });

  afterAll(async () => {
    await app?.close();
  });

  const foreign = (name: string, change: object = {}, metadata: object = {}) =>
    app.scene.ns.apply({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, labels, annotations, ...metadata },
      stringData: { mine: 'a password', awsAccessKeyId: 'AKIAOLD' },
      ...change,
    });
  const adopt = (name: string, spec: object = {}) => app.scene.apply(name, { adoption: 'IfUnowned', ...spec });
  const secretOf = async (name: string) => {
    const secret = await app.scene.secret(name);
    if (secret === undefined) throw new Error(`no Secret ${name}`);
    return secret;
  };
  /** What is left of the former Secret, and whose it is now. */
  const taken = async (name: string) => {
    const { metadata: owner } = await app.scene.ready(name);
    const { type, text, metadata } = await secretOf(name);
    return {
      type,
      keys: Object.keys(text).sort(),
      isOneSession: app.stage.aws.gateway.isOneSession(tripleOf(text)),
      isOwned: metadata.ownerReferences?.map(({ uid }) => uid).join() === owner.uid,
      foreign: { ...metadata.labels, ...metadata.annotations },
      sessions: assumptions(app.stage, app.scene, name).length,
    };
  };
  const good = {
    type: 'Opaque',
    keys: ['awsAccessKeyId', 'awsSecretAccessKey', 'awsSessionToken'],
    isOneSession: true,
    isOwned: true,
    foreign: expect.objectContaining({ ...labels, ...annotations, 'rolevend.dev/managed': 'true' }),
    sessions: 1,
  };

  test('takes a Secret over that nobody owns, in place, with one session and one write', async () => {
    const { scene, stage } = app;
    await foreign('plain');
    const before = await secretOf('plain');
    await adopt('plain');
    expect(await taken('plain')).toEqual(good);
    expect((await secretOf('plain')).metadata.uid).toBe(before.metadata.uid);
    await eventShown(scene, 'plain', 'Normal Adopted');
    expect(await eventsOf(scene, 'plain')).toEqual(['Normal Adopted', 'Normal Issued']);
    expect((await writes(stage, scene)).filter((line) => line.endsWith(' plain'))).toEqual([
      'update secrets plain',
      'patch awsassumeroles/status plain',
    ]);
  });

  test.each([
    ['immutable', { immutable: true }],
    [
      'registry',
      { type: 'kubernetes.io/dockerconfigjson', stringData: { '.dockerconfigjson': '{"auths":{"mine":{}}}' } },
    ],
  ])('replaces one that cannot be changed in place: %s', async (name, change) => {
    await foreign(name, change);
    const before = await secretOf(name);
    await adopt(name);
    expect(await taken(name)).toEqual(good);
    expect((await secretOf(name)).metadata.uid).not.toBe(before.metadata.uid);
  });

  test('leaves it as it is while no credential can be issued', async () => {
    const { scene, stage } = app;
    stage.aws.gateway.fail({ action: 'AssumeRole', with: 'MalformedPolicyDocument', times: 1 });
    await foreign('denied', { immutable: true });
    const before = await secretOf('denied');
    await adopt('denied');
    await scene.condition('denied', 'Stalled', 'True', 'MalformedPolicyDocument');
    expect(await secretOf('denied')).toEqual(before);
    await patch(scene, 'aar/denied', { spec: { durationSeconds: 1800 } });
    expect(await taken('denied')).toEqual({ ...good, sessions: 2 });
  });

  const web = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'b4a2f6e0-0000-4000-8000-000000000000' };
  test.each<[string, string, object, object]>([
    [
      'of a type of its own',
      'certificate',
      { type: 'kubernetes.io/tls', stringData: { 'tls.crt': 'c', 'tls.key': 'k' } },
      {},
    ],
    ['that finalizers keep', 'kept', {}, { finalizers: ['example.org/keep'] }],
    ['with an owner of another kind', 'owned', {}, { finalizers: ['example.org/keep'], ownerReferences: [web] }],
    ['that names another object', 'noted', {}, { annotations: { 'rolevend.dev/owner': 'gone' } }],
  ])('refuses one %s', async (_what, name, change, metadata) => {
    const { scene, stage } = app;
    await foreign(name, change, metadata);
    const { data } = await secretOf(name);
    await adopt(name);
    await scene.condition(name, 'Stalled', 'True', 'AdoptionRefused');
    const after = await scene.secret(name);
    // The garbage collector may have met the owner that does not exist; the operator changed nothing.
    const { deletionTimestamp: ending, labels = {} } = after?.metadata ?? {};
    const isOwned = name === 'owned';
    expect({
      data: after?.data,
      managed: labels['rolevend.dev/managed'],
      ending: isOwned ? undefined : ending,
    }).toEqual({
      data,
      managed: undefined,
      ending: undefined,
    });
    expect(assumptions(stage, scene, name)).toEqual([]);
    await patch(scene, `secret/${name}`, { metadata: { finalizers: null } });
  });

  test('can be set later, as the refusal says', async () => {
    const { scene } = app;
    await foreign('later');
    await scene.apply('later', {});
    const { status } = await scene.condition('later', 'Ready', 'False', 'AdoptionRefused');
    expect(status?.conditions?.[0]?.message).toBe(
      'Secret "later" exists and was not made for this object; delete or rename it, or choose another spec.secretName; spec.adoption: IfUnowned takes it over and replaces its data',
    );
    await patch(scene, 'aar/later', { spec: { adoption: 'IfUnowned' } });
    // The first one met the Secret when it was to be written.
    expect(await taken('later')).toEqual({ ...good, sessions: 2 });
  });

  test('gives it to the older of two objects, for one session in all', async () => {
    const { scene, stage } = app;
    await scene.operator.stop();
    await foreign('contested');
    const names = ['first', 'second'];
    const spec = { adoption: 'IfUnowned', secretName: 'contested' } as const;
    await scene.ns.apply(...names.map((name) => objectOf(name, spec)));
    await scene.restart();
    const ages = await Promise.all(
      names.map(async (name) => {
        const { creationTimestamp, uid } = (await scene.get(name))?.metadata ?? {};
        return { name, age: `${creationTimestamp} ${uid}` };
      }),
    );
    const [elder, younger] = ages.sort((a, b) => (a.age < b.age ? -1 : 1)).map(({ name }) => name);
    await scene.ready(elder ?? '');
    await scene.condition(younger ?? '', 'Stalled', 'True', 'ConflictingSecret');
    const { metadata, text } = await secretOf('contested');
    expect(metadata.ownerReferences?.map(({ name }) => name)).toEqual([elder]);
    expect(stage.aws.gateway.isOneSession(tripleOf(text))).toBe(true);
    expect(names.map((name) => assumptions(stage, scene, name).length).sort()).toEqual([0, 1]);
  });
});
