import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { trustPrincipals } from '../../lab/index.ts';
import { eventually } from '../../support/eventually.ts';
import { requestRefresh } from './observe.ts';
import { idle, openTimeScene, openTimeStage, type TimeStage } from './probes.ts';
import type { Scene } from './support.ts';

/** Series that exist once per object. */
const perObject = [
  'rolevend_credential_expiry_timestamp_seconds',
  'rolevend_credential_issued_timestamp_seconds',
  'rolevend_refresh_overdue_seconds',
];

/** Labels of each metric that an operator has which issued, failed, was throttled and repaired. */
const promised: Record<string, string[]> = {
  rolevend_credential_expiry_timestamp_seconds: ['name', 'namespace'],
  rolevend_credential_issued_timestamp_seconds: ['name', 'namespace'],
  rolevend_refresh_overdue_seconds: ['name', 'namespace'],
  rolevend_refresh_total: ['reason', 'result'],
  rolevend_refresh_duration_seconds_count: [],
  rolevend_sts_requests_total: ['code', 'op', 'region'],
  rolevend_sts_bucket_tokens: ['identity', 'op', 'region'],
  rolevend_drift_total: ['what'],
  rolevend_clock_skew_seconds: [],
  rolevend_watch_last_event_age_seconds: ['watch'],
  controller_runtime_reconcile_total: ['controller', 'result'],
  controller_runtime_reconcile_errors_total: ['controller'],
  controller_runtime_reconcile_time_seconds_count: ['controller'],
  controller_runtime_active_workers: ['controller'],
  controller_runtime_max_concurrent_reconciles: ['controller'],
  workqueue_depth: ['name'],
  workqueue_adds_total: ['name'],
  workqueue_retries_total: ['name'],
  workqueue_queue_duration_seconds_count: ['name'],
  workqueue_work_duration_seconds_count: ['name'],
  workqueue_unfinished_work_seconds: ['name'],
  workqueue_longest_running_processor_seconds: ['name'],
  rest_client_requests_total: ['code', 'host', 'method'],
};

describe('metrics', () => {
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
  });

  afterAll(() => stage?.stop());

  interface Series {
    name: string;
    labels: Record<string, string>;
    value: number;
  }

  async function series({ operator }: Scene): Promise<Series[]> {
    const lines = (await operator.metrics.metrics()).split('\n').filter((line) => /^[a-z]/.test(line));
    return lines.map((line) => {
      const [, name = '', labels = '', value = ''] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
      const pairs = [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = '', text = '']) => [key, text]);
      return { name, labels: Object.fromEntries(pairs) as Record<string, string>, value: Number(value) };
    });
  }

  /** One object that was issued, refreshed, repaired and throttled. */
  async function work(at: Scene): Promise<void> {
    await at.apply('app', {});
    await at.ready('app');
    await at.ns.kubectl('delete', 'secret', 'app');
    await eventually('the repair', async () => (await at.secret('app')) !== undefined);
    stage.aws.gateway.fail({ action: 'AssumeRole', with: 'Throttling', times: 1 });
    await requestRefresh(at, 'app', 'now');
    await at.condition('app', 'Refreshed', 'False', 'Throttling');
    await idle(at);
  }

  test('have the promised names and labels, and say what happened', async () => {
    scene = await openTimeScene(stage);
    await work(scene);
    const all = await series(scene);
    const labelsOf = (name: string) =>
      Object.keys(all.find((one) => one.name === name)?.labels ?? { missing: '' }).sort();
    expect(Object.fromEntries(Object.keys(promised).map((name) => [name, labelsOf(name)]))).toEqual(promised);
    const { expiresAt = '', issuedAt = '' } = await scene.status('app');
    const labels = { namespace: scene.ns.name, name: 'app' };
    const own = all.filter((one) => one.labels['namespace'] === labels.namespace);
    expect(own.map(({ name, value }) => [name, value])).toEqual([
      [perObject[0], Date.parse(expiresAt) / 1000],
      [perObject[1], Date.parse(issuedAt) / 1000],
      [perObject[2], 0],
    ]);
    const counts = (name: string) => all.filter((one) => one.name === name).map((one) => [one.labels, one.value]);
    expect(counts('rolevend_refresh_total')).toEqual([
      [{ result: 'success', reason: 'Missing' }, 2],
      [{ result: 'failure', reason: 'Throttling' }, 1],
    ]);
    expect(counts('rolevend_drift_total')).toEqual([[{ what: 'missing' }, 1]]);
    expect(counts('rolevend_sts_requests_total')).toEqual([
      [{ op: 'GetCallerIdentity', code: 'OK', region: 'eu-central-1' }, 1],
      [{ op: 'AssumeRole', code: 'OK', region: 'eu-central-1' }, 2],
      [{ op: 'AssumeRole', code: 'Throttling', region: 'eu-central-1' }, 1],
    ]);
    const identities = all.filter(({ name }) => name === 'rolevend_sts_bucket_tokens').map((one) => one.labels);
    expect(identities).toEqual([{ identity: '111122223333/rolevend', region: 'eu-central-1', op: 'AssumeRole' }]);
  });

  test('of an object go with it', async () => {
    scene = await openTimeScene(stage);
    const at = scene;
    await at.apply('first', {});
    await at.apply('second', {});
    await at.ready('first');
    await at.ready('second');
    await at.ns.kubectl('delete', 'awsassumeroles.pincette.net', 'first');
    const names = async () =>
      (await series(at)).filter(({ name }) => name === perObject[0]).map(({ labels }) => labels['name']);
    await eventually('the series to be gone', async () => (await names()).length === 1);
    const left = (await series(at)).filter(({ labels }) => labels['namespace'] === at.ns.name);
    expect(left.map(({ name, labels }) => [name, labels['name']])).toEqual(perObject.map((name) => [name, 'second']));
  });

  test('of single objects can be switched off', async () => {
    scene = await openTimeScene(stage, { operator: { config: { objectMetrics: false } } });
    await scene.apply('app', {});
    await scene.ready('app');
    await idle(scene);
    const all = await series(scene);
    expect(all.filter(({ labels }) => labels['namespace'] !== undefined || labels['name'] === 'app')).toEqual([]);
    expect(all.find(({ name }) => name === 'rolevend_refresh_total')?.value).toBe(1);
  });
});
