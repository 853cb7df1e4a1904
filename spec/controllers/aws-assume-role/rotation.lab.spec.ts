import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'ini';
import { parseTime } from '../../../lib/clock.ts';
import { trustPrincipals } from '../../lab/index.ts';
import { eventually, type Saw } from '../../support/eventually.ts';
import { assumptions, eventShown, eventsOf, type Recording, type Revision, recordSecrets, writes } from './observe.ts';
import { idle, openTimeApp, passUntil, type TimeApp } from './probes.ts';
import { tripleOf } from './support.ts';

/** A session of so many seconds is replaced 390 to 480 s after its issue, since 420 s are to be left of it. */
const LIFE_SECONDS = 900;
const AGE_MS = 390_000;
/** Less what a busy machine and the turns of the clock take away. */
const LEFT_MS = 300_000;
/** By how much time goes on at once. */
const TURN_SECONDS = 15;
/** The first Secret and two replacements. */
const REVISIONS = 3;
const REGISTRY = '111122223333.dkr.ecr.eu-central-1.amazonaws.com';
const names = ['map', 'file', 'ecr'] as const;

describe('the Secret of an AWSAssumeRole, with sessions of a quarter of an hour', () => {
  let app: TimeApp;
  let recording: Recording | undefined;

  beforeAll(async () => {
    app = await openTimeApp();
    await app.stage.aws.createRole('ecr', {
      trust: trustPrincipals(app.stage.keys.arn),
      policies: ['ecr:GetAuthorizationToken'],
    });
    app.stage.aws.gateway.sessionSeconds(LIFE_SECONDS);
    app.stage.aws.gateway.ecrTokenSeconds(LIFE_SECONDS);
    const record = await recordSecrets(app.stage, app.scene);
    recording = record;
    await app.scene.apply('map', {});
    await app.scene.apply('file', { secretType: 'File' });
    await app.scene.apply('ecr', { roleName: 'ecr', secretType: 'EcrDockerConfigJson', ecrRepositoryUrl: REGISTRY });
    for (const name of names) await app.scene.ready(name);
    const counts = () => names.map((name) => record.of(name).length);
    const isDone = (saw: Saw) => saw(counts()).every((count) => count >= REVISIONS);
    await passUntil(app, 'two replacements of each Secret', isDone, TURN_SECONDS);
    // What the tests count stands still from here on.
    await idle(app.scene);
    for (const line of ['Normal Issued', 'Normal Refreshed']) await eventShown(app.scene, 'map', line);
    await app.scene.operator.stop();
    await eventually('every revision to be seen', async (saw) => {
      const lines = (await writes(app.stage, app.scene)).filter((line) => line.includes(' secrets '));
      return saw({ lines, seen: record.all().length }).seen === lines.length;
    });
  });

  afterAll(async () => {
    await recording?.stop();
    await app?.close();
  });

  const revisions = (name: string) => recording?.of(name) ?? [];
  const note = ({ secret }: Revision, key: string) => secret.metadata.annotations?.[`rolevend.dev/${key}`];
  const time = (revision: Revision | undefined, key: string) =>
    (revision && parseTime(note(revision, key))) ?? Number.NaN;

  test.each(names)('is replaced before the credential in it ends: %s', (name) => {
    const found = revisions(name);
    const spans = found.slice(1).map((revision, index) => ({
      age: time(revision, 'issued-at') - time(found[index], 'issued-at'),
      left: time(found[index], 'expires-at') - time(revision, 'issued-at'),
    }));
    expect(spans.length).toBeGreaterThanOrEqual(REVISIONS - 1);
    for (const { age, left } of spans) {
      // Times in annotations are whole seconds.
      expect(age).toBeGreaterThanOrEqual(AGE_MS - 1_000);
      expect(left).toBeGreaterThanOrEqual(LEFT_MS);
    }
  });

  test.each(names)('stays one object, changed in place: %s', (name) => {
    const found = revisions(name);
    expect(found.map(({ type }) => type)).toEqual(['ADDED', ...found.slice(1).map(() => 'MODIFIED')]);
    expect(new Set(found.map(({ secret }) => secret.metadata.uid)).size).toBe(1);
  });

  test('holds one whole session in every revision, and another one each time', () => {
    const file = ({ text }: Revision) => {
      const { default: profile = {} } = parse(text['credentials'] ?? '') as Record<string, Record<string, string>>;
      return {
        accessKeyId: profile['aws_access_key_id'] ?? '',
        secretAccessKey: profile['aws_secret_access_key'] ?? '',
        sessionToken: profile['aws_session_token'] ?? '',
      };
    };
    for (const triples of [revisions('map').map(({ text }) => tripleOf(text)), revisions('file').map(file)]) {
      expect(triples.filter((triple) => !app.stage.aws.gateway.isOneSession(triple))).toEqual([]);
      expect(new Set(triples.map(({ accessKeyId }) => accessKeyId)).size).toBe(triples.length);
    }
  });

  test('holds a fresh registry token in every revision', () => {
    const password = ({ text }: Revision) =>
      JSON.parse(text['.dockerconfigjson'] ?? '{}').auths[REGISTRY].password as string;
    const passwords = revisions('ecr').map(password);
    const issued = new Set(app.stage.aws.gateway.ecrTokens().map((token) => token.password));
    expect(passwords.filter((one) => !issued.has(one))).toEqual([]);
    expect(new Set(passwords).size).toBe(passwords.length);
  });

  test('keeps its principal', () => {
    const principals = revisions('map').map((revision) => JSON.parse(note(revision, 'session') ?? '{}').assumedRoleArn);
    const { aws } = app.stage;
    const expected = `arn:aws:sts::${aws.accountId}:assumed-role/app/rolevend-${app.scene.ns.name}.map`;
    expect([...new Set(principals)]).toEqual([expected]);
  });

  test.each(names)('costs one call, one write of the Secret and one of the status each time: %s', async (name) => {
    const lines = (await writes(app.stage, app.scene)).filter((line) => line.endsWith(` ${name}`));
    const status = `patch awsassumeroles/status ${name}`;
    const expected = [
      ...[`create secrets ${name}`, status],
      ...revisions(name)
        .slice(1)
        .flatMap(() => [`update secrets ${name}`, status]),
    ];
    expect(lines).toEqual(expected);
    expect(assumptions(app.stage, app.scene, name)).toHaveLength(revisions(name).length);
  });

  test('is told of by an Event', async () => {
    expect(await eventsOf(app.scene, 'map')).toEqual(['Normal Issued', 'Normal Refreshed']);
  });
});
