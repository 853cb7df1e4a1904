import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { V1Deployment } from '@kubernetes/client-node';
import type { RestartTarget } from '../../../lib/api/rollout-restart.ts';
import type { BuiltIn } from '../../../lib/kube/objects.ts';
import { run } from '../../lab/install/run.ts';
import { eventually } from '../../support/eventually.ts';
import { startOperator } from '../../support/operator.ts';
import { assumptions, eventShown, patch, requestRefresh, writes } from './observe.ts';
import { conditionsOf, eventsAbout, idle, messageOf, openTimeApp, type TimeStage } from './probes.ts';
import type { Scene } from './support.ts';
import { workload } from './workloads.ts';

const chart = fileURLToPath(new URL('../../../chart', import.meta.url));
const MINUTE = 60_000;
/** At most one refresh in this time may be asked for. */
const REQUESTS_MS = 31_000;
const kinds = ['Deployment', 'StatefulSet', 'DaemonSet'] as const;

/** What the three have in common. */
type Workload = BuiltIn<V1Deployment>;

let stage: TimeStage;
let scene: Scene;

beforeAll(async () => {
  ({ stage, scene } = await openTimeApp());
});

afterAll(async () => {
  await scene?.close();
  await stage?.stop();
});

const target = (kind: RestartTarget['kind'], name: string) => ({ kind, name });

/** Applies the workloads and an object that restarts them at most every two minutes. */
async function serve(name: string, targets: RestartTarget[], missing: RestartTarget[] = []): Promise<void> {
  if (targets.length > 0) await scene.ns.apply(...targets.map(workload));
  const rolloutRestart = { targets: [...targets, ...missing], minInterval: '2m' };
  await scene.apply(name, { durationSeconds: 3600, rolloutRestart });
  await scene.ready(name);
}

/** How often the Pods of a workload were started anew, and the annotations of their template. */
async function state({ kind, name }: RestartTarget) {
  const { stdout } = await scene.ns.kubectl('get', kind, name, '--output', 'json');
  const { metadata, spec } = JSON.parse(stdout) as Workload;
  return { restarts: (metadata.generation ?? 0) - 1, annotations: spec?.template.metadata?.annotations };
}

const restartsOf = async (one: RestartTarget) => (await state(one)).restarts;
const digestOf = async (name: string) => (await scene.secret(name))?.metadata.annotations?.['rolevend.dev/data-sha256'];

/** Has a new session made, and waits until the pass that made it is over. */
async function renew(name: string, value: string): Promise<void> {
  const before = assumptions(stage, scene, name).length;
  stage.clock.skip(REQUESTS_MS);
  await requestRefresh(scene, name, value);
  await eventually(`${value} is handled`, async () => (await scene.status(name)).lastHandledRefreshRequest === value);
  expect(assumptions(stage, scene, name)).toHaveLength(before + 1);
  await idle(scene);
}

describe('rolloutRestart', () => {
  const targets = kinds.map((kind) => target(kind, 'web'));
  const all = () => Promise.all(targets.map(restartsOf));
  const deployment = target('Deployment', 'web');

  test('restarts nothing for the first Secret, which workloads wait for', async () => {
    await serve('app', targets);
    await idle(scene);
    expect(await all()).toEqual([0, 0, 0]);
    const { lastRestartAt, lastRestartDigest } = await scene.status('app');
    expect({ lastRestartAt, lastRestartDigest }).toEqual({});
  });

  test('restarts each once when the data are replaced, by one annotation and nothing else', async () => {
    const before = await writes(stage, scene);
    await renew('app', 'one');
    const digest = await digestOf('app');
    const expected = { restarts: 1, annotations: { team: 'a', 'restart.rolevend.dev/app': digest } };
    expect(await Promise.all(targets.map(state))).toEqual([expected, expected, expected]);
    const status = await scene.status('app');
    expect(status.lastRestartDigest).toBe(digest);
    expect(Date.parse(status.lastRestartAt ?? '')).toBeGreaterThanOrEqual(Date.parse(status.issuedAt ?? ''));
    expect((await writes(stage, scene)).slice(before.length)).toEqual([
      'update secrets app',
      'patch deployments web',
      'patch statefulsets web',
      'patch daemonsets web',
      'patch awsassumeroles/status app',
    ]);
    await eventShown(scene, 'app', 'Normal RolloutRestarted');
    const [event] = (await eventsAbout(scene, 'app')).filter(({ reason }) => reason === 'RolloutRestarted');
    expect(event?.message).toBe(
      'restarted Deployment "web", StatefulSet "web", DaemonSet "web", since the Secret holds a new credential',
    );
  });

  test('does it once, whoever takes the annotation off and however often the operator starts', async () => {
    const annotations = { 'restart.rolevend.dev/app': null };
    await patch(scene, 'deployment/web', { spec: { template: { metadata: { annotations } } } });
    await scene.restart();
    await idle(scene);
    expect(await all()).toEqual([2, 1, 1]);
  });

  test('waits for the interval, makes one restart of several changes, and forgets none over a start', async () => {
    await renew('app', 'two');
    await renew('app', 'three');
    expect(await all()).toEqual([2, 1, 1]);
    await scene.restart();
    await idle(scene);
    expect(await all()).toEqual([2, 1, 1]);
    stage.clock.skip(2 * MINUTE);
    const digest = await digestOf('app');
    await eventually('the restart', async () => (await scene.status('app')).lastRestartDigest === digest);
    expect(await all()).toEqual([3, 2, 2]);
    expect((await state(deployment)).annotations?.['restart.rolevend.dev/app']).toBe(digest);
  });

  test('restarts nothing while the object is suspended, and makes up for it', async () => {
    await renew('app', 'four');
    await patch(scene, 'aar/app', { spec: { suspend: true } });
    await scene.condition('app', 'Suspended', 'True');
    stage.clock.skip(2 * MINUTE);
    await idle(scene);
    expect(await restartsOf(deployment)).toBe(3);
    await patch(scene, 'aar/app', { spec: { suspend: false } });
    await eventually('the restart', async () => (await restartsOf(deployment)) === 4);
  });

  test('forgets none where somebody takes the annotation off that asks for it', async () => {
    await renew('app', 'five');
    expect(await restartsOf(deployment)).toBe(4);
    await patch(scene, 'secret/app', { metadata: { annotations: { 'rolevend.dev/session': null } } });
    await eventually('the repair', async () => {
      const { annotations = {} } = (await scene.secret('app'))?.metadata ?? {};
      return annotations['rolevend.dev/session'];
    });
    stage.clock.skip(2 * MINUTE);
    await eventually('the restart', async () => (await restartsOf(deployment)) === 5);
    expect((await state(deployment)).annotations?.['restart.rolevend.dev/app']).toBe(await digestOf('app'));
  });

  test('restarts nothing where a new session leaves the data as they were', async () => {
    const still = target('Deployment', 'still');
    await scene.ns.apply(workload(still));
    const template = { data: { role: '${roleArn}' } };
    const rolloutRestart = { targets: [still], minInterval: '2m' };
    await scene.apply('still', { durationSeconds: 3600, secretType: 'Template', template, rolloutRestart });
    await scene.ready('still');
    const digest = await digestOf('still');
    await renew('still', 'one');
    expect([await digestOf('still'), await restartsOf(still)]).toEqual([digest, 0]);
  });

  test('of one workload by two objects ends after one restart for each', async () => {
    const shared = target('Deployment', 'shared');
    await serve('left', [shared]);
    await serve('right', [], [shared]);
    await renew('left', 'one');
    await renew('right', 'one');
    await scene.restart();
    await idle(scene);
    expect(await state(shared)).toEqual({
      restarts: 2,
      annotations: {
        team: 'a',
        'restart.rolevend.dev/left': await digestOf('left'),
        'restart.rolevend.dev/right': await digestOf('right'),
      },
    });
  });

  test('of a workload that does not exist is a condition, and no failure of the credential or the others', async () => {
    const there = target('StatefulSet', 'there');
    await serve('partly', [there], [target('Deployment', 'nowhere')]);
    await renew('partly', 'one');
    expect(await restartsOf(there)).toBe(1);
    const object = await scene.condition('partly', 'RestartImpaired', 'True', 'TargetNotFound');
    expect(conditionsOf(object)).toEqual({
      Ready: 'True/Issued',
      Refreshed: 'True/Issued',
      Granted: 'True/Granted',
      RestartImpaired: 'True/TargetNotFound',
    });
    expect(messageOf(object, 'RestartImpaired')).toBe(
      'Deployment "nowhere" does not exist, so it was not restarted; create it or take it out of spec.rolloutRestart.targets',
    );
    await eventShown(scene, 'partly', 'Warning RestartImpaired');
    await scene.restart();
    await idle(scene);
    expect(conditionsOf(await scene.get('partly'))).toEqual(conditionsOf(object));
    await serve('partly', [there]);
    expect(conditionsOf(await scene.get('partly'))['RestartImpaired']).toBeUndefined();
  });

  test('warns of an interval in which the credential of a running workload may end', async () => {
    const rolloutRestart = { targets: [target('Deployment', 'web')] };
    await scene.apply('hourly', { durationSeconds: 3600, rolloutRestart });
    await scene.ready('hourly');
    const object = await scene.condition('hourly', 'RestartImpaired', 'True', 'IntervalTooLong');
    expect(messageOf(object, 'RestartImpaired')).toContain('minInterval is 1h; set it to 24m or less');
  });
});

describe('rolloutRestart with the rights of the chart', () => {
  /** Gives the operator's ServiceAccount the rights of the chart with these values. */
  async function allow(...values: string[]): Promise<void> {
    const { name } = scene.ns;
    const release = [`rolevend-${name}`, chart, '--namespace', name, '--set', 'serviceAccount.name=rolevend'];
    const scope = ['--set', `rbac.namespaces={${name}}`, '--show-only', 'templates/rbac.yaml'];
    const account = ['--show-only', 'templates/serviceaccount.yaml'];
    const { stdout } = await run([stage.plane.helmPath, 'template', ...release, ...scope, ...account, ...values]);
    const { code, stderr } = await stage.plane.kubectlInput(stdout, 'apply', '--filename', '-');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  }

  afterAll(async () => {
    for (const kind of ['clusterrole', 'clusterrolebinding'])
      await scene.ns.kubectl('delete', kind, `rolevend-${scene.ns.name}`);
  });

  test('is refused with the value that allows it, and made up for within a minute', async () => {
    const web = target('Deployment', 'guarded');
    await serve('guarded', [web]);
    await scene.operator.stop();
    await allow();
    const account = { namespace: scene.ns.name, name: 'rolevend' };
    const kubeconfig = await stage.plane.kubeconfigFor({ serviceAccount: account });
    const { aws, keys, clock } = stage;
    scene.operator = await startOperator({ plane: { kubeconfig }, aws, keys, clock, namespaces: [scene.ns.name] });
    await renew('guarded', 'one');
    const refused = await scene.condition('guarded', 'RestartImpaired', 'True', 'Forbidden');
    expect(messageOf(refused, 'RestartImpaired')).toMatch(
      /^Deployment "guarded" was not restarted: .* cannot patch resource "deployments" .*; allow it with the chart value rolloutRestart.enabled=true, or take it out of spec.rolloutRestart.targets$/,
    );
    expect({ ready: conditionsOf(refused)['Ready'], restarts: await restartsOf(web) }).toEqual({
      ready: 'True/Issued',
      restarts: 0,
    });
    await allow('--set', 'rolloutRestart.enabled=true');
    await eventually('the right is there', async () => {
      stage.clock.skip(MINUTE);
      return (await restartsOf(web)) === 1;
    });
    await eventually('the end of the condition', async () => {
      return conditionsOf(await scene.get('guarded'))['RestartImpaired'] === undefined;
    });
  });
});
