import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type App, openApp, writes } from './observe.ts';

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);

describe('an AWSAssumeRole for which STS does not answer', () => {
  let app: App;
  /** STS answers once this has been resolved. */
  const answer = Promise.withResolvers<void>();

  beforeAll(async () => {
    app = await openApp();
  });

  afterAll(async () => {
    answer.resolve();
    await app?.close();
  });

  test('has a first condition while STS has the call', async () => {
    const { aws } = app.stage;
    aws.gateway.fail({ action: 'AssumeRole', with: 'none', onStrike: () => answer.promise, times: 1 });
    await app.scene.apply('slow', {});
    const { status } = await app.scene.condition('slow', 'Ready', 'Unknown', 'Pending');
    const condition = { message: expect.any(String), lastTransitionTime: TIME, observedGeneration: 1 };
    expect(status).toEqual({
      observedGeneration: 1,
      health: { status: 'Unknown' },
      phase: 'Pending',
      roleArn: aws.roleArn('app'),
      effectiveDurationSeconds: 900,
      consecutiveFailures: 0,
      conditions: [
        { ...condition, type: 'Ready', status: 'Unknown', reason: 'Pending' },
        { ...condition, type: 'Reconciling', status: 'True', reason: 'Pending' },
        { ...condition, type: 'Granted', status: 'True', reason: 'Granted' },
      ],
    });
  });

  test('is ready as soon as STS answers, and is no longer told to be under way', async () => {
    answer.resolve();
    const { status } = await app.scene.ready('slow');
    expect(status?.conditions?.map(({ type, status: state }) => `${type} ${state}`)).toEqual([
      'Ready True',
      'Refreshed True',
      'Granted True',
    ]);
    expect((await writes(app.stage, app.scene)).filter((line) => line.endsWith(' slow'))).toEqual([
      'patch awsassumeroles/status slow',
      'create secrets slow',
      'patch awsassumeroles/status slow',
    ]);
  });
});
