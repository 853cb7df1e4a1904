import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { trustPrincipals } from '../../lab/index.ts';
import { eventShown, eventsOf, patch, type Recording, recordSecrets, requestRefresh, writes } from './observe.ts';
import { conditionsOf, messageOf, openTimeScene, openTimeStage, passUntil, settled, type TimeApp } from './probes.ts';
import { tripleOf } from './support.ts';

const names = ['kept', 'map', 'ecr', 'paused'];
const LIFE_MS = 900_000;
/** How long before their end it is seen that nothing is removed yet. */
const LEFT_MS = 300_000;
const REGISTRY = '111122223333.dkr.ecr.eu-central-1.amazonaws.com';
const NO_AUTHS = '{"auths":{}}';
const granted = { Granted: 'True/Granted' };
const refused = { ...granted, Refreshed: 'False/InternalFailure' };
const failing = { ...refused, Reconciling: 'True/Retrying' };
const scrubbed = { ...failing, Ready: 'False/Expired', Scrubbed: 'True/Expired' };

describe('onExpiry', () => {
  let app: Pick<TimeApp, 'stage' | 'scene'>;
  let recording: Recording | undefined;
  const early: Record<string, unknown> = {};

  beforeAll(async () => {
    const stage = await openTimeStage();
    // The API server, which is asked as well, lives by the machine's time: to it all is over from the start.
    stage.clock.step(-4 * LIFE_MS);
    const scene = await openTimeScene(stage);
    app = { stage, scene };
    const { aws, keys, clock } = stage;
    for (const role of names) {
      await aws.createRole(role, { trust: trustPrincipals(keys.arn), policies: ['ecr:GetAuthorizationToken'] });
      aws.gateway.sessionSeconds(LIFE_MS / 1000, { role });
      aws.gateway.fail({ action: 'AssumeRole', role, with: 'none', times: 1 });
      aws.gateway.fail({ action: 'AssumeRole', role, with: '5xx' });
    }
    aws.gateway.ecrTokenSeconds(LIFE_MS / 1000);
    recording = await recordSecrets(stage, scene);
    const ecr = { secretType: 'EcrDockerConfigJson', ecrRepositoryUrl: REGISTRY } as const;
    await scene.apply('paused', { roleName: 'paused', onExpiry: 'Scrub' });
    await scene.apply('kept', { roleName: 'kept' });
    await scene.apply('map', { roleName: 'map', onExpiry: 'Scrub' });
    await scene.apply('ecr', { roleName: 'ecr', onExpiry: 'Scrub', ...ecr });
    for (const name of names) await scene.ready(name);
    await patch(scene, 'aar/paused', { spec: { suspend: true } });
    await scene.condition('paused', 'Suspended', 'True');
    clock.skip(LIFE_MS - LEFT_MS);
    for (const name of ['map', 'ecr']) {
      await settled(scene, name, { ...refused, Ready: 'True/Issued' });
      early[name] = (await scene.secret(name))?.text;
    }
    clock.skip(LEFT_MS);
  });

  afterAll(async () => {
    await recording?.stop();
    await app?.scene.close();
    await app?.stage.stop();
  });

  test.each([
    ['map', {}],
    ['ecr', { '.dockerconfigjson': NO_AUTHS }],
  ])('Scrub removes what ended from the Secret, and says so: %s', async (name, text) => {
    const { scene } = app;
    const object = await settled(scene, name, scrubbed);
    const { expiresAt, secretRef } = object.status ?? {};
    expect(messageOf(object, 'Scrubbed')).toBe(
      `the credential ended at ${expiresAt} and was removed, as spec.onExpiry asks; the next success fills the Secret again`,
    );
    const secret = await scene.secret(name);
    expect({ text: secret?.text, version: secret?.metadata.resourceVersion, uid: secret?.metadata.uid }).toEqual({
      text,
      version: secretRef?.resourceVersion,
      uid: recording?.of(name)[0]?.secret.metadata.uid,
    });
    await eventShown(scene, name, 'Warning Scrubbed');
    await eventShown(scene, name, 'Warning Expired');
  });

  test('Scrub removes it once, when it has ended, and nothing before', () => {
    for (const name of ['map', 'ecr']) {
      const revisions = recording?.of(name) ?? [];
      const [empty, ...others] = revisions.filter(({ text }) => Object.values(text).every((one) => one === NO_AUTHS));
      expect({ others, isLast: empty === revisions.at(-1) }).toEqual({ others: [], isLast: true });
      expect(early[name]).toEqual(revisions[0]?.text);
    }
  });

  test('Keep, which is the default, and a suspended object leave it', async () => {
    const { scene } = app;
    await settled(scene, 'kept', { ...failing, Ready: 'False/Expired' });
    const paused = await scene.condition('paused', 'Ready', 'False', 'Expired');
    expect(conditionsOf(paused)['Scrubbed']).toBeUndefined();
    for (const name of ['kept', 'paused']) {
      const { text = {} } = (await scene.secret(name)) ?? {};
      expect(app.stage.aws.gateway.isOneSession(tripleOf(text))).toBe(true);
    }
  });

  test('a restart changes nothing: an emptied Secret is no drift', async () => {
    const { scene, stage } = app;
    const before = (await writes(stage, scene)).filter((line) => line.includes(' secrets '));
    const calls = stage.aws.gateway.count('AssumeRole');
    await scene.restart();
    await passUntil(app, 'new attempts', () => stage.aws.gateway.count('AssumeRole') >= calls + 3);
    await settled(scene, 'map', scrubbed);
    expect((await writes(stage, scene)).filter((line) => line.includes(' secrets '))).toEqual(before);
    expect(await eventsOf(scene, 'map')).not.toContain('Normal DriftRepaired');
  });

  test('the next success fills the Secret again, in place', async () => {
    const { scene, stage } = app;
    const before = await scene.secret('map');
    stage.aws.gateway.clear();
    await requestRefresh(scene, 'map', 'please');
    await settled(scene, 'map', { ...granted, Ready: 'True/Issued', Refreshed: 'True/Issued' });
    const after = await scene.secret('map');
    expect(after?.metadata.uid).toBe(before?.metadata.uid);
    expect(stage.aws.gateway.isOneSession(tripleOf(after?.text ?? {}))).toBe(true);
  });

  test('Scrub leaves what only a wrong clock of the operator takes for ended', async () => {
    const stage = await openTimeStage(app.stage.plane);
    const scene = await openTimeScene(stage);
    try {
      await stage.aws.createRole('app', { trust: trustPrincipals(stage.keys.arn) });
      await scene.apply('ahead', { onExpiry: 'Scrub' });
      await scene.ready('ahead');
      const before = await scene.secret('ahead');
      stage.aws.gateway.fail({ action: 'AssumeRole', with: '5xx' });
      stage.clock.skip(3600_000);
      await settled(scene, 'ahead', { ...failing, Ready: 'False/Expired' });
      expect(await scene.secret('ahead')).toEqual(before);
    } finally {
      await scene.close();
      await stage.stop();
    }
  });
});
