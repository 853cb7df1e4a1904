import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { rfc3339, systemClock } from '../../../lib/clock.ts';
import type { Secret } from '../../../lib/controllers/aws-assume-role/secret.ts';
import { trustPrincipals } from '../../lab/aws/index.ts';
import { eventually } from '../../support/eventually.ts';
import { assumptions, eventShown, patch, writes } from './observe.ts';
import { idle, openTimeApp, passUntil, type TimeApp } from './probes.ts';
import { tripleOf } from './support.ts';

const FAR = '2099-01-01T00:00:00Z';
const IN_AN_HOUR = rfc3339(systemClock.now() + 3600_000);
/** What is changed of the metadata of a Secret. Each has an object of its own, since the next repair of one would wait. */
const changes: [string, string, object][] = [
  ['label', 'a label', { labels: { 'rolevend.dev/managed': null } }],
  ['labels', 'both labels', { labels: { 'rolevend.dev/managed': 'no', 'aws-assume-role': null } }],
  ['likely', 'the time of its end to a likely one', { annotations: { 'rolevend.dev/expires-at': IN_AN_HOUR } }],
  ['end', 'the time of its end', { annotations: { 'rolevend.dev/expires-at': FAR } }],
  ['session', 'the session', { annotations: { 'rolevend.dev/session': '{}', 'rolevend.dev/issued-at': null } }],
  ['hash', 'the hash of its request', { annotations: { 'rolevend.dev/input-hash': null } }],
  ['name', 'the name of its owner', { annotations: { 'rolevend.dev/owner': 'me', 'rolevend.dev/owner-uid': null } }],
  ['owner', 'its owner', { ownerReferences: null }],
];
const names = ['edited', 'deleted', 'stripped', 'frozen', 'short', ...changes.map(([name]) => name)];

describe('a Secret that somebody changes', () => {
  let app: TimeApp;

  beforeAll(async () => {
    app = await openTimeApp();
    await app.stage.aws.createRole('short', { trust: trustPrincipals(app.stage.keys.arn) });
    app.stage.aws.gateway.sessionSeconds(900, { role: 'short' });
    for (const name of names) await app.scene.apply(name, name === 'short' ? { roleName: 'short' } : {});
    for (const name of names) await app.scene.ready(name);
    await idle(app.scene);
  });

  afterAll(async () => {
    await app?.close();
  });

  const calls = (name: string) => assumptions(app.stage, app.scene, name);
  const edit = (name: string) =>
    patch(app.scene, `secret/${name}`, { data: { awsAccessKeyId: 'ZWRpdGVk', more: 'eA==' } });
  const whole = (secret: { text: Record<string, string> } | undefined) =>
    secret !== undefined &&
    Object.keys(secret.text).length === 3 &&
    app.stage.aws.gateway.isOneSession(tripleOf(secret.text));
  const repaired = (name: string) =>
    eventually(`Secret ${name} is whole`, async () => {
      const secret = await app.scene.secret(name);
      return whole(secret) &&
        secret?.metadata.resourceVersion === (await app.scene.status(name)).secretRef?.resourceVersion
        ? secret
        : undefined;
    });

  test('in its data holds one new session at once', async () => {
    const before = await app.scene.secret('edited');
    await edit('edited');
    const after = await repaired('edited');
    expect({ calls: calls('edited').length, uid: after.metadata.uid }).toEqual({ calls: 2, uid: before?.metadata.uid });
    await eventShown(app.scene, 'edited', 'Normal DriftRepaired');
  });

  test('by deleting it comes back with one new session', async () => {
    await app.scene.ns.kubectl('delete', 'secret', 'deleted');
    await repaired('deleted');
    expect(calls('deleted')).toHaveLength(2);
    await eventShown(app.scene, 'deleted', 'Normal DriftRepaired');
  });

  test('to immutable keeps its data until the next refresh, and that is told', async () => {
    const { text } = (await app.scene.secret('frozen')) ?? {};
    await patch(app.scene, 'secret/frozen', { immutable: true });
    await eventShown(app.scene, 'frozen', 'Warning ImmutableSecret');
    expect((await app.scene.secret('frozen'))?.text).toEqual(text);
    expect(calls('frozen')).toHaveLength(1);
  });

  test('by taking all its annotations off gets one new session, since nothing tells whose data these are', async () => {
    const { annotations = {} } = (await app.scene.secret('stripped'))?.metadata ?? {};
    const none = Object.fromEntries(Object.keys(annotations).map((key) => [key, null]));
    await patch(app.scene, 'secret/stripped', { metadata: { annotations: none } });
    const after = await repaired('stripped');
    expect(Object.keys(after.metadata.annotations ?? {}).sort()).toEqual(Object.keys(annotations).sort());
    expect(calls('stripped')).toHaveLength(2);
  });

  test.each(changes)('in %s, by changing %s, is put right without a new session', async (name, _what, metadata) => {
    const before = await app.scene.secret(name);
    const status = await app.scene.status(name);
    await patch(app.scene, `secret/${name}`, { metadata });
    const right = await eventually('the metadata are right', async () => {
      const secret = await app.scene.secret(name);
      return JSON.stringify(withoutVersion(secret)) === JSON.stringify(withoutVersion(before)) ? secret : undefined;
    });
    await eventually('the status tells of the write', async () => {
      return (await app.scene.status(name)).secretRef?.resourceVersion === right.metadata.resourceVersion;
    });
    expect({ ...(await app.scene.status(name)), secretRef: {} }).toEqual({ ...status, secretRef: {} });
    expect(calls(name)).toHaveLength(1);
  });

  test('in nothing that is ours is left alone', async () => {
    const before = await writes(app.stage, app.scene);
    const foreign = { labels: { team: 'a' }, annotations: { 'example.org/x': '1' } };
    await patch(app.scene, 'secret/label', { metadata: foreign });
    await app.scene.apply('later', {});
    await app.scene.ready('later');
    const changed = (await writes(app.stage, app.scene)).slice(before.length);
    expect(changed.filter((line) => line.includes('secrets label'))).toEqual([]);
    expect((await app.scene.secret('label'))?.metadata).toMatchObject(foreign);
  });

  test('to look fresh for ever is refreshed all the same, also after a restart', async () => {
    await app.scene.operator.stop();
    const annotations = { 'rolevend.dev/expires-at': FAR, 'rolevend.dev/issued-at': '2098-12-31T23:00:00Z' };
    await patch(app.scene, 'secret/short', { metadata: { annotations } });
    const before = calls('short').length;
    await app.scene.restart();
    await passUntil(app, 'two refreshes', (saw) => saw(calls('short').length) >= before + 2, 60);
    expect((await app.scene.secret('short'))?.metadata.annotations?.['rolevend.dev/expires-at']).not.toBe(FAR);
  });
});

function withoutVersion(secret: Secret | undefined): object {
  const { metadata, ...rest } = secret ?? { metadata: { name: '' } };
  return { ...rest, metadata: { ...metadata, resourceVersion: '' } };
}
