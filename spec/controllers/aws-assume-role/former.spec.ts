import { describe, expect, it } from '@jest/globals';
import { Announcer } from '../../../lib/controllers/aws-assume-role/events.ts';
import { removeFormer } from '../../../lib/controllers/aws-assume-role/former.ts';
import type { Pass, VendingContext } from '../../../lib/controllers/aws-assume-role/pass.ts';
import { objectStore, secretStore } from '../../../lib/controllers/aws-assume-role/watch.ts';
import { KubeError } from '../../../lib/kube/errors.ts';
import type { EventRecorder } from '../../../lib/kube/events.ts';
import { type ObjectMeta, type ObjectRef, type Resource, secrets as resource } from '../../../lib/kube/objects.ts';
import { createLogger } from '../../../lib/log.ts';
import { loadWords } from '../../../lib/words.ts';
import { ManualClock } from '../../support/clock.ts';
import { passOf, role, secretMeta } from './fixtures.ts';

const words = await loadWords();

const refused = new KubeError(
  { verb: 'delete', resource, ref: { name: 'former' } },
  { status: 403, code: 'Forbidden' },
);

interface Scene {
  cached?: Partial<ObjectMeta>[];
  /** What the API server holds under the name that is read. */
  live?: ObjectMeta;
  /** What it answers to the first, second, … DELETE. */
  answers?: (KubeError | undefined)[];
}

/** A context with a scripted API server, and what was asked of it and told. */
function sceneOf({ cached = [], live, answers = [] }: Scene) {
  const secrets = secretStore();
  const items = cached.map((change) => ({ apiVersion: 'v1', kind: 'Secret', metadata: secretMeta(change) }));
  secrets.replace(undefined, items, '9');
  const deleted: unknown[] = [];
  const events: string[] = [];
  const client = {
    delete: async (_: Resource, ref: ObjectRef, { uid }: { uid: string }) => {
      const answer = answers[deleted.length];
      deleted.push(`${ref.namespace}/${ref.name} ${uid}`);
      if (answer) throw answer;
    },
    get: async () => {
      if (live === undefined) throw new KubeError({ verb: 'get', resource }, { status: 404, code: 'NotFound' });
      return { metadata: live };
    },
  };
  const record: EventRecorder['record'] = (_, type, reason, message) =>
    void events.push(`${type} ${reason}: ${message}`);
  const clock = new ManualClock(0);
  const context = {
    client,
    secrets,
    objects: objectStore(),
    clock,
    announcer: new Announcer({ record } as EventRecorder, words),
    log: createLogger({ level: 'error' }),
  } as unknown as VendingContext;
  return { context, clock, deleted, events };
}

const former = { name: 'former', uid: 's-0' };

describe('the Secret of a former name', () => {
  it('is removed once, also while the watch still shows it', async () => {
    const { context, deleted } = sceneOf({ cached: [former] });
    const pass = passOf();
    await removeFormer(pass, context);
    await removeFormer(pass, context);
    expect(deleted).toEqual(['team/former s-0']);
  });

  it.each<[string, Partial<ObjectMeta>]>([
    ['is a copy in another namespace', { ...former, namespace: 'elsewhere' }],
    ['is a copy that somebody else wrote', { ...former, managedFields: [] }],
    ['has the present name', {}],
    ['is going away', { ...former, deletionTimestamp: '2026-01-01T00:00:00Z' }],
    ['names another living owner', { ...former, annotations: {}, ownerReferences: [] }],
  ])('costs no request where it %s', async (_what, change) => {
    const { context, deleted } = sceneOf({ cached: [change] });
    expect(await removeFormer(passOf(), context)).toBeUndefined();
    expect(deleted).toEqual([]);
  });

  it('that is refused is told, and tried again with growing waits', async () => {
    const { context, clock, deleted, events } = sceneOf({ cached: [former], answers: [refused, refused] });
    const pass = passOf();
    expect(await removeFormer(pass, context)).toBe(10_000);
    expect(await removeFormer(pass, context)).toBe(10_000);
    await clock.advance(10_000);
    expect(await removeFormer(pass, context)).toBe(20_000);
    await clock.advance(20_000);
    expect(await removeFormer(pass, context)).toBeUndefined();
    expect(deleted).toHaveLength(3);
    const message = `the Secret of a former spec.secretName could not be removed: ${refused.message}`;
    expect(events).toEqual([`Warning FormerSecretKept: ${message}`, `Warning FormerSecretKept: ${message}`]);
  });

  it('that finalizers keep is told, and asked for once', async () => {
    const { context, deleted, events } = sceneOf({ cached: [{ ...former, finalizers: ['example.org/keep'] }] });
    const pass = passOf();
    await removeFormer(pass, context);
    await removeFormer(pass, context);
    expect(deleted).toEqual(['team/former s-0']);
    expect(events).toEqual([expect.stringContaining('finalizers keep Secret "former"')]);
  });

  it('that only the status tells of is still known after a refusal, when the status has moved on', async () => {
    const live = secretMeta({ ...former, labels: {} });
    const { context, clock, deleted } = sceneOf({ live, answers: [refused] });
    const secretRef = { name: 'former', uid: 's-0', resourceVersion: '7' };
    const pass = passOf({ object: role({ status: { secretRef } }) });
    await removeFormer(pass, context);
    const later: Pass = { ...pass, object: role() };
    await clock.advance(10_000);
    await removeFormer(later, context);
    await removeFormer(later, context);
    expect(deleted).toEqual(['team/former s-0', 'team/former s-0']);
  });

  it('is removed with no more than twenty at once', async () => {
    const cached = Array.from({ length: 30 }, (_, index) => ({ name: `former-${index}`, uid: `s-${index}-0` }));
    const { context, deleted } = sceneOf({ cached });
    const pass = passOf();
    expect(await removeFormer(pass, context)).toBe(1_000);
    expect(deleted).toHaveLength(20);
    expect(await removeFormer(pass, context)).toBeUndefined();
    expect(deleted).toHaveLength(30);
  });
});
