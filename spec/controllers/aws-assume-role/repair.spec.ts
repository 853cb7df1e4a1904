import { describe, expect, it } from '@jest/globals';
import { legacyLabel } from '../../../lib/api/names.ts';
import { Announcer } from '../../../lib/controllers/aws-assume-role/events.ts';
import type { Pass, VendingContext } from '../../../lib/controllers/aws-assume-role/pass.ts';
import { repairMetadata } from '../../../lib/controllers/aws-assume-role/repair.ts';
import type { Secret } from '../../../lib/controllers/aws-assume-role/secret.ts';
import { desiredMetadata } from '../../../lib/controllers/aws-assume-role/secret-metadata.ts';
import { sessionAnnotations } from '../../../lib/controllers/aws-assume-role/session-record.ts';
import { secretStore } from '../../../lib/controllers/aws-assume-role/watch.ts';
import { specHash } from '../../../lib/credentials/input-hash.ts';
import { KubeError } from '../../../lib/kube/errors.ts';
import type { EventRecorder } from '../../../lib/kube/events.ts';
import { type ObjectMeta, secrets as resource } from '../../../lib/kube/objects.ts';
import { createLogger } from '../../../lib/log.ts';
import { loadWords } from '../../../lib/words.ts';
import { ManualClock } from '../../support/clock.ts';
import { passOf, role, secretMeta, session, T0 } from './fixtures.ts';

const words = await loadWords();

const secretRef = { name: 'creds', uid: 's-1', resourceVersion: '7' };
const object = role({ status: { secretRef, observedGeneration: 2 } });
const record = session({ specSha256: specHash(object.spec) });
const good = desiredMetadata(object, secretMeta(), sessionAnnotations(record, 'sha'));
const edited = { ...good, labels: { ...good.labels, [legacyLabel]: 'no' } };
const refused = new KubeError({ verb: 'update', resource, ref: { name: 'creds' } }, { status: 403, code: 'Forbidden' });

/** A pass over a Secret whose cache holds `kept`, and the API server `live`. */
function sceneOf(live: ObjectMeta, kept = live, answers: (KubeError | undefined)[] = []) {
  const clock = new ManualClock(T0);
  const replaced: ObjectMeta[] = [];
  const told: string[] = [];
  const client = {
    get: async () => ({ apiVersion: 'v1', kind: 'Secret', metadata: live }),
    replace: async (_: unknown, secret: Secret) => {
      const answer = answers[replaced.length];
      replaced.push(secret.metadata);
      if (answer) throw answer;
      return { ...secret, metadata: { ...secret.metadata, resourceVersion: '8' } };
    },
  };
  const record_: EventRecorder['record'] = (_, _type, reason) => void told.push(reason);
  const context = {
    client,
    clock,
    secrets: secretStore(),
    announcer: new Announcer({ record: record_ } as EventRecorder, words),
    metrics: { drifted: (what: string) => told.push(what) },
    log: createLogger({ level: 'error' }),
    skewMs: () => 0,
  } as unknown as VendingContext;
  const pass = passOf({ object, seen: { state: 'intact', meta: kept, record } });
  return { pass, context, clock, replaced, told };
}

/** A later pass that finds the same again. */
const again = (pass: Pass, meta: ObjectMeta): Pass => ({ ...pass, seen: { state: 'intact', meta, record } });

describe('labels, annotations and owner of a good Secret', () => {
  it('are left alone where they are right', async () => {
    const { pass, context, replaced } = sceneOf(good);
    expect(await repairMetadata(pass, context)).toBeUndefined();
    expect({ replaced, isDrifted: pass.seen.isDrifted }).toEqual({ replaced: [], isDrifted: undefined });
  });

  it('are put right at once, counted and told', async () => {
    const { pass, context, replaced, told } = sceneOf(edited);
    expect(await repairMetadata(pass, context)).toBeUndefined();
    expect(replaced.map(({ labels }) => labels)).toEqual([good.labels]);
    expect(told).toEqual(['metadata', 'DriftRepaired']);
    expect(pass.seen).toMatchObject({ state: 'intact', meta: { resourceVersion: '8' } });
  });

  it('are put right with growing waits where somebody changes them again and again', async () => {
    const { pass, context, clock, replaced } = sceneOf(edited);
    const waits: (number | undefined)[] = [];
    for (const waitMs of [0, 10_000, 20_000]) {
      await clock.advance(waitMs);
      const next = again(pass, edited);
      waits.push(await repairMetadata(next, context), await repairMetadata(again(pass, edited), context));
    }
    expect(waits).toEqual([undefined, 10_000, undefined, 20_000, undefined, 40_000]);
    expect(replaced).toHaveLength(3);
    const waiting = again(pass, edited);
    await repairMetadata(waiting, context);
    expect(waiting.seen.isDrifted).toBe(true);
  });

  it('keep what others have put there, of which the cache knows nothing', async () => {
    const theirs = { labels: { team: 'a' }, annotations: { note: 'x' } };
    const live = {
      ...edited,
      labels: { ...edited.labels, ...theirs.labels },
      annotations: { ...edited.annotations, ...theirs.annotations },
    };
    const { pass, context, replaced } = sceneOf(live, edited);
    await repairMetadata(pass, context);
    expect(replaced).toMatchObject([{ ...theirs, resourceVersion: '7' }]);
  });

  it('cost no write where only the cache lacks something', async () => {
    const { pass, context, replaced, told } = sceneOf(good, edited);
    expect(await repairMetadata(pass, context)).toBeUndefined();
    expect({ replaced, told }).toEqual({ replaced: [], told: [] });
  });

  it('that the API server refuses to change are told and tried again, and the pass goes on', async () => {
    const { pass, context, clock, replaced, told } = sceneOf(edited, edited, [refused]);
    expect(await repairMetadata(pass, context)).toBe(10_000);
    expect({ told, isDrifted: pass.seen.isDrifted }).toEqual({ told: ['RepairFailed'], isDrifted: true });
    expect(await repairMetadata(again(pass, edited), context)).toBe(10_000);
    await clock.advance(10_000);
    expect(await repairMetadata(again(pass, edited), context)).toBeUndefined();
    expect(replaced).toHaveLength(2);
  });
});
