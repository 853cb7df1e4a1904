import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { BaseCredentials } from '../../../lib/aws/options.ts';
import { trustPrincipals } from '../../lab/index.ts';
import { eventually } from '../../support/eventually.ts';
import { requestRefresh } from './observe.ts';
import {
  conditionsOf,
  idle,
  messageOf,
  openTimeScene,
  openTimeStage,
  roleSession,
  settled,
  type TimeStage,
} from './probes.ts';
import type { Scene } from './support.ts';

const issued = { Ready: 'True/Issued', Refreshed: 'True/Issued', Granted: 'True/Granted' };
const without = { Ready: 'False/NoIdentity', Reconciling: 'True/Retrying', Refreshed: 'False/NoIdentity' };
const problem =
  'No AWS identity: the default chain found no usable credentials in environment variables, shared config files, ' +
  'the web identity token file (IRSA), the container endpoint (EKS Pod Identity) or instance metadata.';
const SECOND = 1000;

describe("the operator's own identity", () => {
  let stage: TimeStage;
  let scene: Scene | undefined;
  let credentials: BaseCredentials | undefined;

  beforeAll(async () => {
    stage = await openTimeStage();
    const { aws, keys } = stage;
    const policies = ['sts:AssumeRole', 'sts:TagSession'];
    const operator = await aws.createRole('operator', { trust: trustPrincipals(keys.arn), policies });
    await aws.createRole('app', { trust: trustPrincipals([keys.arn, operator]), maxSessionDuration: 43_200 });
  });

  afterEach(async () => {
    await scene?.close();
    scene = undefined;
    credentials = undefined;
    stage.aws.gateway.clear();
    stage.aws.gateway.forgetCalls();
  });

  afterAll(() => stage?.stop());

  /** As the SDK's chain, which finds what a Pod has been given meanwhile. */
  async function provider(): Promise<BaseCredentials> {
    if (credentials !== undefined) return { ...credentials };
    throw Object.assign(new Error('Could not load credentials from any providers'), {
      name: 'CredentialsProviderError',
    });
  }

  async function open(): Promise<Scene> {
    scene = await openTimeScene(stage, { waitUntilReady: false, operator: { provider } });
    return scene;
  }

  const problems = ({ operator }: Scene) => operator.operator.notReady();

  test('that is missing keeps it from being ready, is told by each object, and is looked for again and again', async () => {
    const at = await open();
    await at.apply('app', {});
    const object = await settled(at, 'app', without);
    expect(problems(at)).toEqual([expect.stringContaining(problem)]);
    expect(problems(at)[0]).toContain('EKS Pod Identity: associate an IAM role');
    expect(messageOf(object, 'Ready')).toContain(problem);
    expect({
      calls: stage.aws.gateway.calls().filter(({ service }) => service === 'sts'),
      secret: await at.secret('app'),
    }).toEqual({
      calls: [],
      secret: undefined,
    });
    credentials = stage.keys;
    stage.clock.skip(30 * SECOND);
    await settled(at, 'app', issued);
    expect(problems(at)).toEqual([]);
  });

  test('that is gone keeps a changed spec from counting as Ready, and takes it up when it is back', async () => {
    credentials = stage.keys;
    const at = await open();
    await at.apply('app', { durationSeconds: 3600 });
    await settled(at, 'app', issued);
    credentials = undefined;
    await at.restart();
    await eventually('the identity to be looked for', () => problems(at)[0]?.includes(problem));
    await at.apply('app', { durationSeconds: 3600, secretType: 'File' });
    await settled(at, 'app', without);
    expect(Object.keys((await at.secret('app'))?.text ?? {})).toContain('awsAccessKeyId');
    await at.apply('app', { durationSeconds: 3600, suspend: false });
    await settled(at, 'app', { Ready: issued.Ready, Refreshed: issued.Refreshed });
    await at.apply('app', { durationSeconds: 3600, secretType: 'File' });
    credentials = stage.keys;
    stage.clock.skip(30 * SECOND);
    await settled(at, 'app', issued);
    expect(Object.keys((await at.secret('app'))?.text ?? {})).toEqual(['credentials']);
  });

  test('that is gone after a restart is no trouble of a valid credential until its refresh is due', async () => {
    credentials = stage.keys;
    const at = await open();
    await at.apply('app', { durationSeconds: 3600 });
    await settled(at, 'app', issued);
    const before = await at.secret('app');
    credentials = undefined;
    await at.restart();
    await eventually('the identity to be looked for', () => problems(at)[0]?.includes(problem));
    await idle(at);
    await settled(at, 'app', issued);
    stage.clock.skip(2400 * SECOND);
    await settled(at, 'app', { ...issued, Refreshed: 'False/NoIdentity' });
    stage.clock.skip(1200 * SECOND);
    await settled(at, 'app', { ...issued, ...without, Ready: 'False/Expired' });
    expect({ secret: await at.secret('app'), calls: stage.aws.gateway.count('AssumeRole') }).toEqual({
      secret: before,
      calls: 1,
    });
    credentials = stage.keys;
    stage.clock.skip(30 * SECOND);
    await settled(at, 'app', issued);
  });

  test('that STS calls expired is fetched anew, and nobody has to help', async () => {
    stage.aws.gateway.sessionSeconds(60, { role: 'operator' });
    credentials = await roleSession(stage, 'operator');
    const at = await open();
    await at.apply('app', { durationSeconds: 3600 });
    await settled(at, 'app', issued);
    stage.clock.skip(60 * SECOND);
    credentials = await roleSession(stage, 'operator');
    await requestRefresh(at, 'app', 'now');
    await eventually('the refresh', async () => (await at.status('app')).lastHandledRefreshRequest === 'now');
    expect(conditionsOf(await at.get('app'))).toEqual(issued);
    const codes = stage.aws.gateway.calls({ action: 'AssumeRole', role: 'app' }).map(({ code }) => code ?? 'OK');
    expect(codes).toEqual(['OK', 'ExpiredToken', 'OK']);
    await idle(at);
  });
});
