import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { AWSAssumeRole } from '../../../lib/api/aws-assume-role.ts';
import { specDefaults } from '../../../lib/api/aws-assume-role-spec.ts';
import { parseTime, rfc3339 } from '../../../lib/clock.ts';
import { dueAt } from '../../../lib/controllers/aws-assume-role/due.ts';
import type { Secret } from '../../../lib/controllers/aws-assume-role/secret.ts';
import { digest } from '../../../lib/secrets/render.ts';
import { HANG_LIMIT_MS } from '../../support/eventually.ts';
import { type App, assumptions, eventShown, eventsOf, openApp, textOf, writes } from './observe.ts';
import { objectOf, tripleOf } from './support.ts';

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);

describe('an AWSAssumeRole', () => {
  let app: App;
  let map: AWSAssumeRole;
  let secret: Secret;

  beforeAll(async () => {
    app = await openApp();
    await app.scene.apply('map', {
      metadata: { labels: { team: 'a' }, annotations: { 'example.org/note': 'b' } },
    });
    map = await app.scene.ready('map');
    const path = `/api/v1/namespaces/${app.scene.ns.name}/secrets/map`;
    secret = (await app.stage.plane.request<Secret>('GET', path)).body;
  });

  afterAll(async () => {
    await app?.close();
  });

  test('becomes a Secret that holds one session, and says in its metadata all about it', () => {
    const { issuedAt, expiresAt } = map.status ?? {};
    const text = textOf(secret);
    const session = JSON.parse(secret.metadata.annotations?.['rolevend.dev/session'] ?? '{}');
    expect(app.stage.aws.gateway.isOneSession(tripleOf(text))).toBe(true);
    expect(secret).toEqual({
      apiVersion: 'v1',
      kind: 'Secret',
      type: 'Opaque',
      data: {
        awsAccessKeyId: expect.any(String),
        awsSecretAccessKey: expect.any(String),
        awsSessionToken: expect.any(String),
      },
      metadata: {
        name: 'map',
        namespace: app.scene.ns.name,
        uid: expect.any(String),
        resourceVersion: expect.any(String),
        creationTimestamp: TIME,
        labels: { 'aws-assume-role': 'true', 'rolevend.dev/managed': 'true', team: 'a' },
        annotations: {
          'example.org/note': 'b',
          'rolevend.dev/owner': 'map',
          'rolevend.dev/owner-uid': map.metadata.uid,
          'rolevend.dev/issued-at': issuedAt,
          'rolevend.dev/expires-at': expiresAt,
          'rolevend.dev/input-hash': expect.stringMatching(/^v1:[0-9a-f]{64}$/),
          'rolevend.dev/data-sha256': digest(text),
          'rolevend.dev/copied-metadata': JSON.stringify({ labels: ['team'], annotations: ['example.org/note'] }),
          'rolevend.dev/session': expect.any(String),
        },
        ownerReferences: [
          {
            apiVersion: 'pincette.net/v1',
            kind: 'AWSAssumeRole',
            name: 'map',
            uid: map.metadata.uid,
            controller: true,
          },
        ],
        managedFields: [expect.objectContaining({ manager: 'rolevend', operation: 'Update' })],
      },
    });
    expect(session).toEqual({
      assumedRoleArn: map.status?.assumedRoleArn,
      accessKeyId: text['awsAccessKeyId'],
      requestId: map.status?.lastRequestId,
      specSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      generation: 1,
    });
  });

  test('has a status that tells everything but secrets', () => {
    const { aws } = app.stage;
    const [issued] = aws.gateway.issued().filter(({ accessKeyId }) => accessKeyId === map.status?.accessKeyId);
    const life = { issuedAt: issued?.issuedAt ?? 0, expiresAt: issued?.expiresAt ?? 0 };
    const assumedRoleArn = `arn:aws:sts::${aws.accountId}:assumed-role/app/rolevend-${app.scene.ns.name}.map`;
    const condition = { status: 'True', message: expect.any(String), lastTransitionTime: TIME, observedGeneration: 1 };
    expect(issued).toMatchObject({ arn: assumedRoleArn, caller: app.stage.keys.arn });
    expect(map.status).toEqual({
      observedGeneration: 1,
      health: { status: 'Healthy' },
      phase: 'Ready',
      roleArn: aws.roleArn('app'),
      assumedRoleArn,
      accessKeyId: textOf(secret)['awsAccessKeyId'],
      issuedAt: rfc3339(life.issuedAt),
      expiresAt: rfc3339(life.issuedAt + specDefaults.durationSeconds * 1000),
      nextRefreshAt: rfc3339(dueAt(map.metadata.uid ?? '', life, specDefaults.refresh)),
      effectiveDurationSeconds: specDefaults.durationSeconds,
      lastAttemptAt: rfc3339(life.issuedAt),
      lastRequestId: expect.any(String),
      consecutiveFailures: 0,
      secretRef: { name: 'map', uid: secret.metadata.uid, resourceVersion: secret.metadata.resourceVersion },
      conditions: [
        { ...condition, type: 'Ready', reason: 'Issued' },
        { ...condition, type: 'Refreshed', reason: 'Issued' },
        { ...condition, type: 'Granted', reason: 'Granted' },
      ],
    });
  });

  test('costs one call of AssumeRole, one write of the Secret, one of the status, and one Event', async () => {
    expect(assumptions(app.stage, app.scene, 'map')).toHaveLength(1);
    expect((await writes(app.stage, app.scene)).filter((line) => line.endsWith(' map'))).toEqual([
      'create secrets map',
      'patch awsassumeroles/status map',
    ]);
    await eventShown(app.scene, 'map', 'Normal Issued');
    expect(await eventsOf(app.scene, 'map')).toEqual(['Normal Issued']);
  });

  test('is read back as it was applied', async () => {
    const spec = { secretName: 'plain', secretType: 'File', roleName: 'app' } as const;
    await app.scene.apply('plain', spec);
    await app.scene.ready('plain');
    expect((await app.scene.get('plain'))?.spec).toEqual(spec);
  });

  test('is waited for with kubectl wait', async () => {
    await app.scene.apply('waited', {});
    const command = ['wait', '--for=condition=Ready', `--timeout=${HANG_LIMIT_MS / 1000}s`, 'aar/waited'];
    expect(await app.scene.ns.kubectl(...command)).toEqual({
      code: 0,
      stderr: '',
      stdout: 'awsassumerole.pincette.net/waited condition met\n',
    });
  });

  test('shows the columns of older operators first', async () => {
    const { status } = map;
    const columns = async (...more: string[]) => {
      const { stdout } = await app.scene.ns.kubectl('get', 'aar', 'map', ...more);
      return stdout
        .trim()
        .split('\n')
        .map((line) => line.split(/ {2,}/));
    };
    const age = expect.stringMatching(/^\d+s$/);
    expect(await columns()).toEqual([
      ['NAME', 'HEALTH', 'PHASE', 'EXPIRES', 'AGE'],
      ['map', 'Healthy', 'Ready', status?.expiresAt, age],
    ]);
    expect(await columns('--output', 'wide')).toEqual([
      ['NAME', 'HEALTH', 'PHASE', 'EXPIRES', 'ROLE', 'NEXT', 'REASON', 'AGE'],
      ['map', 'Healthy', 'Ready', status?.expiresAt, status?.roleArn, status?.nextRefreshAt, 'Issued', age],
    ]);
  });

  test.each([
    ['Map', 'Opaque', ['awsAccessKeyId', 'awsSecretAccessKey', 'awsSessionToken']],
    ['File', 'Opaque', ['credentials']],
    ['EcrDockerConfigJson', 'kubernetes.io/dockerconfigjson', ['.dockerconfigjson']],
  ] as const)('works with the five fields of older manifests: %s', async (secretType, type, keys) => {
    const name = `legacy-${secretType.toLowerCase()}`;
    const ecrRepositoryUrl = '111122223333.dkr.ecr.eu-central-1.amazonaws.com/team/app';
    await app.scene.ns.apply(
      objectOf(name, { roleName: 'app', secretName: name, secretType, durationSeconds: 1800, ecrRepositoryUrl }),
    );
    const { status } = await app.scene.ready(name);
    const written = await app.scene.secret(name);
    const life = (parseTime(status?.expiresAt) ?? 0) - (parseTime(status?.issuedAt) ?? 0);
    expect({ type: written?.type, keys: Object.keys(written?.text ?? {}).sort(), seconds: life / 1000 }).toEqual({
      type,
      keys,
      seconds: secretType === 'EcrDockerConfigJson' ? 12 * 3600 : 1800,
    });
    expect(assumptions(app.stage, app.scene, name)[0]?.parameters).toMatchObject({ DurationSeconds: '1800' });
  });
});
