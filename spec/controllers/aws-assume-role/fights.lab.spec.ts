import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { AWSAssumeRoleSpec } from '../../../lib/api/aws-assume-role.ts';
import { annotations, legacyLabel } from '../../../lib/api/names.ts';
import type { Secret } from '../../../lib/controllers/aws-assume-role/secret.ts';
import { digest } from '../../../lib/secrets/render.ts';
import { eventually } from '../../support/eventually.ts';
import { assumptions, eventShown, patch, requestRefresh } from './observe.ts';
import { idle, openTimeApp, type TimeStage } from './probes.ts';
import { type Scene, tripleOf } from './support.ts';

const SECOND = 1000;
const WRONG_HASH = `v1:${'0'.repeat(64)}`;
/** Of a session that has ended. */
const ENDED = {
  [annotations.issuedAt]: '2026-01-01T00:00:00Z',
  [annotations.expiresAt]: '2026-01-01T01:00:00Z',
};
const STALE_UID = randomUUID();

let stage: TimeStage;
let scene: Scene;
/** The Secret `older` as it was before its last refresh. */
let older: Secret | undefined;

const change = (name: string, change: object) => patch(scene, `secret/${name}`, change);
const note = (name: string, own: object) => change(name, { metadata: { annotations: own } });
const remove = (name: string) => scene.ns.kubectl('delete', 'secret', name);
interface Fight {
  spec: Partial<AWSAssumeRoleSpec>;
  /** What a tool does to the Secret again and again. */
  meddle(name: string): Promise<unknown>;
  /** Sessions that a repair costs, and how it is counted. */
  sessions: 0 | 1;
  what: string;
}

const fights: Record<string, Fight> = {
  data: {
    spec: {},
    meddle: (name) => change(name, { data: { awsAccessKeyId: 'ZWRpdGVk' } }),
    sessions: 1,
    what: 'data',
  },
  gone: { spec: {}, meddle: remove, sessions: 1, what: 'missing' },
  // The garbage collector would remove one whose owner reference names nothing.
  stale: {
    spec: { deletionPolicy: 'Retain' },
    meddle: (name) => note(name, { [annotations.ownerUid]: STALE_UID }),
    sessions: 1,
    what: 'owner',
  },
  hash: {
    spec: {},
    meddle: (name) => note(name, { [annotations.inputHash]: WRONG_HASH }),
    sessions: 1,
    what: 'session',
  },
  older: {
    spec: {},
    meddle: (name) =>
      change(name, { data: older?.data, metadata: { annotations: { ...older?.metadata.annotations, ...ENDED } } }),
    sessions: 1,
    what: 'session',
  },
  emptied: {
    spec: {},
    meddle: (name) => change(name, { data: null, metadata: { annotations: { [annotations.dataSha256]: digest({}) } } }),
    sessions: 1,
    what: 'session',
  },
  label: {
    spec: {},
    meddle: (name) => change(name, { metadata: { labels: { [legacyLabel]: 'no' } } }),
    sessions: 0,
    what: 'metadata',
  },
  owner: {
    spec: {},
    meddle: (name) => change(name, { metadata: { ownerReferences: null } }),
    sessions: 0,
    what: 'metadata',
  },
  copied: {
    spec: { metadata: { labels: { team: 'a' } } },
    meddle: (name) => change(name, { metadata: { labels: { team: 'b' } } }),
    sessions: 0,
    what: 'metadata',
  },
};
const names = Object.keys(fights);

beforeAll(async () => {
  ({ stage, scene } = await openTimeApp());
  const all = [...names, 'marker'];
  for (const name of all) await scene.apply(name, { durationSeconds: 3_600, ...fights[name]?.spec });
  for (const name of all) await scene.ready(name);
  older = await scene.secret('older');
  await requestRefresh(scene, 'older', 'now');
  await eventually('the next session', () => calls('older') === 2);
  await idle(scene);
});

afterAll(async () => {
  await scene?.close();
  await stage?.stop();
});

const calls = (name: string) => assumptions(stage, scene, name).length;
const versionOf = async (name: string) => (await scene.secret(name))?.metadata.resourceVersion;
const counts = () => Object.fromEntries(names.map((name) => [name, calls(name)]));

const versions = async () =>
  Object.fromEntries(await Promise.all(names.map(async (name) => [name, await versionOf(name)])));
const meddle = () => Promise.all(names.map((name) => fights[name]?.meddle(name)));
const wholeAll = () => Promise.all(names.map(whole));

/** Waits until the operator has seen all that happened to Secrets so far. */
async function seen(): Promise<void> {
  await remove('marker');
  await whole('marker');
  await idle(scene);
}

/** Waits until the Secret is as the operator wrote it last and holds one session. */
async function whole(name: string): Promise<void> {
  await eventually(`Secret ${name} is whole`, async () => {
    const secret = await scene.secret(name);
    const isOurs = secret?.metadata.resourceVersion === (await scene.status(name)).secretRef?.resourceVersion;
    return isOurs && isGood(name, secret) && stage.aws.gateway.isOneSession(tripleOf(secret?.text ?? {}));
  });
}

/** Whether nothing of what the tools write is in it. */
function isGood(name: string, secret: Secret | undefined): boolean {
  const { labels = {}, annotations: own = {}, ownerReferences = [] } = secret?.metadata ?? {};
  const isHeld = labels[legacyLabel] === 'true' && labels['team'] !== 'b' && own[annotations.inputHash] !== WRONG_HASH;
  return isHeld && (name === 'stale' ? own[annotations.ownerUid] !== STALE_UID : ownerReferences.length === 1);
}

async function drifts(): Promise<Record<string, number>> {
  const values = (await scene.operator.metrics.getSingleMetric('rolevend_drift_total')?.get())?.values ?? [];
  return Object.fromEntries(values.map(({ labels, value }) => [labels['what'], value]));
}

test('whatever a tool does to a Secret again and again is put right with growing waits, counted and told', async () => {
  const before = counts();
  const after = (repairs: number) =>
    Object.fromEntries(names.map((name) => [name, (before[name] ?? 0) + repairs * (fights[name]?.sessions ?? 0)]));
  for (const waitMs of [0, 10, 20, 40].map((seconds) => seconds * SECOND)) {
    await meddle();
    stage.clock.skip(waitMs);
    await wholeAll();
  }
  await meddle();
  const left = await versions();
  await seen();
  expect({ sessions: counts(), versions: await versions() }).toEqual({ sessions: after(4), versions: left });
  stage.clock.skip(80 * SECOND);
  await wholeAll();
  await idle(scene);
  expect(counts()).toEqual(after(5));
  expect(await drifts()).toEqual({ data: 5, missing: 6, owner: 5, session: 15, metadata: 15 });
  for (const name of names) await eventShown(scene, name, 'Normal DriftRepaired');
});
