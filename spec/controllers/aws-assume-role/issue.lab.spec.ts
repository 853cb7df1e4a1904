import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { trustPrincipals } from '../../lab/aws/index.ts';
import { openScene, openStage, type Scene, type Stage, tripleOf } from './support.ts';

describe('an AWSAssumeRole', () => {
  let stage: Stage;
  let scene: Scene;

  beforeAll(async () => {
    stage = await openStage();
    await stage.aws.createRole('app', { trust: trustPrincipals(stage.keys.arn), policies: ['ecr:GetAuthorizationToken'] });
    scene = await openScene(stage);
  });

  afterAll(async () => {
    await scene.close();
    await stage.stop();
  });

  test('becomes a Secret that holds one session', async () => {
    await scene.apply('map', {});
    const { status } = await scene.ready('map');
    const secret = await scene.secret('map');
    expect(stage.aws.gateway.isOneSession(tripleOf(secret?.text ?? {}))).toBe(true);
    expect(status?.accessKeyId).toBe(secret?.text.awsAccessKeyId);
  });
});
