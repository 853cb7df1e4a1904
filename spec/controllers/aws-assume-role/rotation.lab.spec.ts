import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'ini';
import { parseTime } from '../../../lib/clock.ts';
import { eventually } from '../../support/eventually.ts';
import {
  type App,
  assumptions,
  eventsOf,
  openApp,
  type Recording,
  type Revision,
  recordSecrets,
  writes,
} from './observe.ts';
import { tripleOf } from './support.ts';

/** A session of so many seconds is replaced 30 to 40 % of it after its issue. */
const LIFE_SECONDS = 8;
/** What must be left of it by then: 60 %, less 2 seconds for a slow machine. */
const LEFT_MS = 2_800;
/** The first Secret and two replacements. */
const REVISIONS = 3;
const REGISTRY = '111122223333.dkr.ecr.eu-central-1.amazonaws.com';
const names = ['map', 'file', 'ecr'] as const;

describe('the Secret of an AWSAssumeRole, with sessions of a few seconds', () => {
  let app: App;
  let recording: Recording | undefined;

  beforeAll(async () => {
    app = await openApp();
    app.stage.aws.gateway.sessionSeconds(LIFE_SECONDS);
    app.stage.aws.gateway.ecrTokenSeconds(LIFE_SECONDS);
    const record = await recordSecrets(app.stage, app.scene);
    recording = record;
    await app.scene.apply('map', {});
    await app.scene.apply('file', { secretType: 'File' });
    await app.scene.apply('ecr', { secretType: 'EcrDockerConfigJson', ecrRepositoryUrl: REGISTRY });
    await eventually('two replacements of each Secret', () =>
      names.every((name) => record.of(name).length >= REVISIONS),
    );
    // What the tests count stands still from here on.
    await app.scene.operator.stop();
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
      expect(age).toBeGreaterThanOrEqual(2000);
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
    // The operator may have been stopped between its last call and the writes that follow.
    const cut = expected.length - lines.length;
    expect([0, 1]).toContain(cut);
    expect(lines).toEqual(expected.slice(0, lines.length));
    const extra = assumptions(app.stage, app.scene, name).length - revisions(name).length;
    expect([0, 1]).toContain(extra);
  });

  test('is told of by an Event', async () => {
    expect(await eventsOf(app.scene, 'map')).toEqual(['Normal Issued', 'Normal Refreshed']);
  });
});
