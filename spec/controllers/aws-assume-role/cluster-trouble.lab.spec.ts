import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { applyCrds, type ControlPlane, expectSuccess, startControlPlane, trustPrincipals } from '../../lab/index.ts';
import { eventually } from '../../support/eventually.ts';
import { figure, grant, idle, messageOf, openTimeScene, openTimeStage, settled, type TimeStage } from './probes.ts';
import type { Scene, SceneOptions } from './support.ts';

const issued = { Ready: 'True/Issued', Refreshed: 'True/Issued', Granted: 'True/Granted' };
const SECOND = 1000;

describe('trouble with the cluster', () => {
  let stage: TimeStage;
  let scene: Scene | undefined;

  beforeAll(async () => {
    stage = await openTimeStage();
    await stage.aws.createRole('app', { trust: trustPrincipals(stage.keys.arn) });
  });

  afterEach(async () => {
    await scene?.close();
    scene = undefined;
    stage.aws.gateway.clear();
    stage.aws.gateway.forgetCalls();
  });

  afterAll(() => stage?.stop());

  test('a namespace that is deleted during an issue ends the issue, without an error and without a second call', async () => {
    scene = await openTimeScene(stage);
    const { operator, ns } = scene;
    stage.aws.gateway.fail({ action: 'AssumeRole', with: 'none', delayMs: 700 });
    await scene.apply('app', {});
    await eventually('the call', () => stage.aws.gateway.count('AssumeRole') === 1);
    await stage.plane.request('DELETE', `/api/v1/namespaces/${ns.name}`);
    const gone = async () => (await stage.plane.request('GET', `/api/v1/namespaces/${ns.name}`)).status === 404;
    await eventually('the namespace to be gone', gone);
    await idle(scene);
    stage.clock.skip(600 * SECOND);
    await idle(scene);
    const failed = await figure(scene, 'controller_runtime_reconcile_errors_total');
    const errors = operator.log.filter((line) => line.includes('"level":"error"'));
    expect({ failed, errors, calls: stage.aws.gateway.count('AssumeRole') }).toEqual({
      failed: 0,
      errors: [],
      calls: 1,
    });
  });

  test('a Secret that a quota refuses is told, costs few sessions, and comes when there is room', async () => {
    scene = await openTimeScene(stage);
    const at = scene;
    await forbidSecrets(at.ns.name);
    await at.apply('app', {});
    const object = await settled(at, 'app', {
      Ready: 'False/Forbidden',
      Reconciling: 'True/Retrying',
      Refreshed: 'False/Forbidden',
      Granted: 'True/Granted',
    });
    expect(messageOf(object, 'Ready')).toBe(
      `create secrets ${at.ns.name}/app: 403 Forbidden by ResourceQuota none. Raise that quota, or remove what it counts.`,
    );
    for (let seconds = 0; seconds < 600; seconds += 5) {
      stage.clock.skip(5 * SECOND);
      await idle(at);
    }
    expect(stage.aws.gateway.count('AssumeRole')).toBeLessThan(30);
    await at.ns.kubectl('delete', 'resourcequota', 'none');
    await eventually('the quota to be gone', async () => {
      stage.clock.skip(60 * SECOND);
      return (await at.get('app'))?.status?.phase === 'Ready';
    });
    await settled(at, 'app', issued);
  });

  describe('without the controllers of the cluster', () => {
    let plane: ControlPlane | undefined;

    beforeAll(async () => {
      plane = await startControlPlane({ name: 'late', crds: false, controllerManager: false });
    });

    afterAll(() => plane?.stop());

    async function open(options: SceneOptions): Promise<Scene> {
      scene = await openTimeScene({ ...stage, ...(plane && { plane }) }, options);
      return scene;
    }

    test('definitions that come after the operator are taken up by themselves', async () => {
      const at = await open({ grants: [], waitUntilReady: false });
      const notReady = () => at.operator.operator.notReady();
      const missing = [`not synced: awsassumeroles in ${at.ns.name}`, 'not synced: rolegrants'];
      await eventually('the rest to be synced', () => notReady().length === missing.length);
      expect(notReady()).toEqual(missing);
      await applyCrds((plane as ControlPlane).request);
      stage.clock.skip(5 * SECOND);
      await eventually('the operator to be ready', () => notReady().length === 0);
      await grant({ ...stage, ...(plane && { plane }) }, at, 0, { roles: ['arn:self:iam::self:role/*'] });
      await at.apply('app', {});
      await settled(at, 'app', issued);
    });

    test('a Secret that goes before its object, with their namespace, is not issued for again', async () => {
      await applyCrds((plane as ControlPlane).request);
      const at = await open({});
      await at.apply('app', {});
      await settled(at, 'app', issued);
      await at.ns.remove();
      const woken = await figure(at, 'workqueue_adds_total');
      await at.ns.kubectl('delete', 'secret', 'app');
      await eventually('the object to be woken', async () => (await figure(at, 'workqueue_adds_total')) > woken);
      await idle(at);
      expect({ calls: stage.aws.gateway.count('AssumeRole'), phase: (await at.status('app')).phase }).toEqual({
        calls: 1,
        phase: 'Ready',
      });
    });
  });

  /** The laboratory runs no quota controller, so its part, the status, is done here. */
  async function forbidSecrets(namespace: string): Promise<void> {
    const path = `/api/v1/namespaces/${namespace}/resourcequotas`;
    const hard = { secrets: '0' };
    const quota = { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'none' }, spec: { hard } };
    expectSuccess(await stage.plane.request('POST', path, quota), path);
    expectSuccess(await stage.plane.request('PATCH', `${path}/none/status`, { status: { hard, used: hard } }), path);
  }
});
