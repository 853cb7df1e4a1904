import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { findCondition } from '../../lib/api/conditions.ts';
import { annotations } from '../../lib/api/names.ts';
import { workload } from '../controllers/aws-assume-role/workloads.ts';
import { eventually } from '../support/eventually.ts';
import { type CrashSite, openCrashSite } from './crash-site.ts';
import { holdsWhatWasIssued, type Moment, openWorkshop, type Workshop } from './support.ts';

let shop: Workshop;
let site: CrashSite;

beforeAll(async () => {
  shop = await openWorkshop();
});
afterAll(() => shop?.stop());

beforeEach(async () => {
  site = await openCrashSite(shop);
});
afterEach(() => site?.close());

/** The keys of every Secret, by its name. */
const keys = async () =>
  Object.fromEntries((await site.secrets()).map(({ metadata, data = {} }) => [metadata.name, Object.keys(data)]));

/** Waits until the object is ready and all is done. Gives the end state, and what it took to get there. */
async function settled() {
  await site.ready('app');
  await site.operator.idle();
  const { status, metadata } = await site.object('app');
  const secrets = await site.secrets();
  const [secret] = secrets;
  return {
    secrets: secrets.map((one) => `${one.metadata.name} of ${one.metadata.ownerReferences?.[0]?.uid}`),
    isOneSession: holdsWhatWasIssued(secret, shop.aws.gateway),
    isTold: status?.secretRef?.resourceVersion === secret?.metadata.resourceVersion,
    sessions: site.sessions().length,
    secretWrites: site.secretWrites(),
    uid: metadata.uid,
  };
}

const good = (uid?: string) => ({ secrets: [`app of ${uid}`], isOneSession: true, isTold: true });
const mapKeys = ['awsAccessKeyId', 'awsSecretAccessKey', 'awsSessionToken'];
const status = { verb: 'patch', resource: 'awsassumeroles/status', name: 'app' } as const;
const put = { verb: 'update', resource: 'secrets', name: 'app' } as const;

describe('an operator that is killed while it takes a Secret over', () => {
  test.each<[string, object, Moment, object, object]>([
    [
      'at point 2 of issue.ts, before the Secret is changed: it is as it was until then',
      {},
      { ...put, fault: 'kill-before' },
      { app: ['mine'] },
      { sessions: 2, secretWrites: ['update secrets app'] },
    ],
    [
      'at point 3, the Secret is changed and the answer lost: it is the own one',
      {},
      { ...put, fault: 'kill-applied' },
      { app: mapKeys },
      { sessions: 1, secretWrites: [] },
    ],
    [
      'at point 4, after the answer: it is the own one',
      {},
      { ...put, fault: 'kill-after' },
      { app: mapKeys },
      { sessions: 1, secretWrites: [] },
    ],
    [
      'at point 5, an immutable one is deleted: it is made anew',
      { immutable: true },
      { verb: 'delete', resource: 'secrets', name: 'app', fault: 'kill-applied' },
      {},
      { sessions: 2, secretWrites: ['create secrets'] },
    ],
  ])('%s', async (_, change, moment, meanwhile, expected) => {
    const stringData = { mine: 'a password' };
    await site.ns.apply({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'app' }, stringData, ...change });
    const death = site.killed(moment);
    await site.apply('app', { adoption: 'IfUnowned' });
    await death();
    expect(await keys()).toEqual(meanwhile);
    await site.resume();
    const { uid, ...end } = await settled();
    expect(end).toEqual({ ...good(uid), ...expected });
  });
});

describe('an operator that is killed while it removes an ended credential', () => {
  // AWS's clock decides when a session ends, and the API server's has to agree: to AWS's it is long over from the start. The
  // next answer of AWS after its clock was put right tells the operator that the session is over.
  const BEHIND_MS = 840_000;
  const LIFE_SECONDS = 600;

  test.each<[string, object, Moment, object, string[]]>([
    [
      'at point 1 of scrub.ts, before the Secret is changed: it is done later',
      {},
      { ...put, fault: 'kill-before' },
      { app: mapKeys },
      ['update secrets app'],
    ],
    [
      'at point 2, the Secret is changed and the answer lost: it stays as it is',
      {},
      { ...put, fault: 'kill-applied' },
      { app: [] },
      [],
    ],
    [
      'at point 3, before the status is written: the Secret stays as it is',
      {},
      { ...status, fault: 'kill-before', after: 'update' },
      { app: [] },
      [],
    ],
    [
      'at point 4, an immutable one is deleted: it stays missing until something can be issued',
      { immutable: true },
      { verb: 'delete', resource: 'secrets', name: 'app', fault: 'kill-applied' },
      {},
      [],
    ],
  ])('%s', async (_, change, moment, meanwhile, secretWrites) => {
    const { gateway } = shop.aws;
    gateway.clockSkew(-BEHIND_MS);
    gateway.sessionSeconds(LIFE_SECONDS);
    gateway.fail({ action: 'AssumeRole', with: 'none', times: 1 });
    gateway.fail({ action: 'AssumeRole', with: '5xx' });
    const death = site.killed(moment);
    await site.apply('app', { onExpiry: 'Scrub' });
    await eventually('the Secret', async () => (await site.secrets()).length === 1);
    await site.ns.patch({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'app' } }, change);
    gateway.clockSkew(0);
    await site.apply(
      'app',
      { onExpiry: 'Scrub' },
      { annotations: { [annotations.refreshRequestedAt]: 'to see the time' } },
    );
    await death();
    expect(await keys()).toEqual(meanwhile);

    const isKept = Object.keys(meanwhile).length > 0;
    const calls = site.calls().length;
    await site.resume();
    await eventually('new attempts', () => site.calls().length > calls);
    await eventually('the status tells of it', async () => {
      const scrubbed = findCondition((await site.object('app')).status?.conditions, 'Scrubbed');
      return (scrubbed?.status === 'True') === isKept;
    });
    await site.operator.idle();
    expect({ keys: await keys(), secretWrites: site.secretWrites() }).toEqual({
      keys: isKept ? { app: [] } : {},
      secretWrites,
    });

    gateway.clear();
    await site.apply('app', { onExpiry: 'Scrub' }, { annotations: { [annotations.refreshRequestedAt]: 'now' } });
    const { uid, isOneSession, isTold, secrets } = await settled();
    expect({ isOneSession, isTold, secrets }).toEqual(good(uid));
    expect(findCondition((await site.object('app')).status?.conditions, 'Scrubbed')).toBeUndefined();
  });
});

describe('an operator that is killed while it restarts workloads', () => {
  const targets = [
    { kind: 'Deployment', name: 'web' },
    { kind: 'StatefulSet', name: 'db' },
  ] as const;
  const spec = { rolloutRestart: { targets: [...targets], minInterval: '1m' } };
  const web = { verb: 'patch', resource: 'deployments', name: 'web' } as const;
  const db = { verb: 'patch', resource: 'statefulsets', name: 'db' } as const;
  /** How often the Pods of each were started anew. */
  const restarts = async () => {
    const jsonpath = 'jsonpath={.items[*].metadata.generation}';
    const { stdout } = await site.ns.kubectl('get', 'deployment/web', 'statefulset/db', '--output', jsonpath);
    return stdout.split(' ').map((generation) => Number(generation) - 1);
  };

  test.each<[string, Moment, number[]]>([
    ['at point 1 of restart.ts, before the first is patched', { ...web, fault: 'kill-before' }, [0, 0]],
    ['at point 2, the first is patched and the answer lost', { ...web, fault: 'kill-applied' }, [1, 0]],
    ['at point 2, before the next one', { ...db, fault: 'kill-before' }, [1, 0]],
    ['at point 3, before the status is written', { ...status, fault: 'kill-before' }, [1, 1]],
  ])('%s: each is restarted once', async (_, moment, meanwhile) => {
    await site.ns.apply(...targets.map(workload));
    await site.apply('app', spec);
    await site.ready('app');
    const death = site.killed(moment);
    await site.apply('app', spec, { annotations: { [annotations.refreshRequestedAt]: 'now' } });
    await death();
    expect(await restarts()).toEqual(meanwhile);
    await site.resume();
    const { uid, ...end } = await settled();
    expect(end).toEqual({ ...good(uid), sessions: 2, secretWrites: [] });
    expect(await restarts()).toEqual([1, 1]);
    const [secret] = await site.secrets();
    const { lastRestartDigest } = (await site.object('app')).status ?? {};
    expect(lastRestartDigest).toBe(secret?.metadata.annotations?.[annotations.dataSha256]);
  });
});
