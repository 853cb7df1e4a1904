import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { sleep, systemClock } from '../../../lib/clock.ts';
import { trustPrincipals } from '../../lab/index.ts';
import { SkipClock } from '../../support/clock.ts';
import { eventually, HANG_LIMIT_MS } from '../../support/eventually.ts';
import { assumptions, patch, writes } from './observe.ts';
import { conditionsOf, figure, idle, openTimeScene, openTimeStage, type TimeStage } from './probes.ts';
import type { Scene } from './support.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** Twice what it takes at most to notice that the clock was set. */
const NOTICED_MS = 30_000;
const issued = { Granted: 'True/Granted', Ready: 'True/Issued', Refreshed: 'True/Issued' };

/** AWS has the right time. The clock of the operator's machine is set, or stands still. */
describe('an operator whose clock goes wrong', () => {
  let stage: TimeStage;
  let scene: Scene | undefined;
  let machine: SkipClock;

  beforeAll(async () => {
    stage = await openTimeStage();
    await stage.aws.createRole('app', { trust: trustPrincipals(stage.keys.arn) });
  });
  afterAll(() => stage?.stop());

  beforeEach(() => {
    stage.aws.gateway.forgetCalls();
    machine = new SkipClock();
    machine.step(stage.clock.now() - machine.now());
  });

  afterEach(() => scene?.close());

  async function open(): Promise<Scene> {
    // An identity that comes after the caches: until then nobody knows the time of AWS.
    const provider = async () => sleep(systemClock, 300).then(() => stage.keys);
    // A busy machine may take longer for it than a second.
    const operator = { clock: machine, provider, firstAnswerMs: HANG_LIMIT_MS };
    scene = await openTimeScene(stage, { operator });
    await scene.apply('app', { durationSeconds: 3600 });
    await scene.ready('app');
    await idle(scene);
    return scene;
  }

  /** Time goes on for AWS and for the machine. */
  function pass(ms: number): void {
    stage.clock.skip(ms);
    machine.skip(ms);
  }

  const calls = (of: Scene) => assumptions(stage, of, 'app').length;

  test.each([-HOUR, HOUR])('by a step of %i ms refreshes in time, and not before', async (stepMs) => {
    const opened = await open();
    pass(20 * MINUTE);
    machine.step(stepMs);
    // A label that somebody takes off leads to a look at the Secret.
    await patch(opened, 'secret/app', { metadata: { labels: { 'aws-assume-role': null } } });
    await eventually('the label', async () => (await opened.secret('app'))?.metadata.labels?.['aws-assume-role']);
    pass(NOTICED_MS);
    await eventually('AWS to be asked for the time', () => stage.aws.gateway.count('GetCallerIdentity') === 2);
    await idle(opened);
    expect({ calls: calls(opened), conditions: conditionsOf(await opened.get('app')) }).toEqual({
      calls: 1,
      conditions: issued,
    });
    // The session is due at 36 minutes at the latest.
    pass(17 * MINUTE);
    await eventually('the refresh', () => calls(opened) === 2);
  });

  test('since its machine slept for two hours replaces at once what ended meanwhile', async () => {
    const opened = await open();
    stage.clock.skip(2 * HOUR);
    machine.step(2 * HOUR);
    pass(NOTICED_MS);
    await eventually('a new session', () => calls(opened) === 2);
    const isGood = async () => Date.parse((await opened.status('app')).expiresAt ?? '') > stage.clock.now();
    await eventually('it to be told', isGood);
  });

  test.each([-HOUR, HOUR])('by %i ms from its start changes nothing that is good', async (wrongMs) => {
    const opened = await open();
    await opened.operator.stop();
    const before = await writes(stage, opened);
    machine.step(wrongMs);
    await opened.restart();
    await eventually('a pass', async () => (await figure(opened, 'workqueue_adds_total')) > 0);
    await idle(opened);
    expect({ calls: calls(opened), writes: await writes(stage, opened) }).toEqual({ calls: 1, writes: before });
    expect(conditionsOf(await opened.get('app'))).toEqual(issued);
  });
});
