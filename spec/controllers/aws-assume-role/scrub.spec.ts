import { describe, expect, it } from '@jest/globals';
import { annotations } from '../../../lib/api/names.ts';
import { isToScrub } from '../../../lib/controllers/aws-assume-role/scrub.ts';
import { isScrubbed } from '../../../lib/controllers/aws-assume-role/scrub-state.ts';
import { sessionAnnotations } from '../../../lib/controllers/aws-assume-role/session-record.ts';
import { digest } from '../../../lib/secrets/render.ts';
import {
  denied,
  failed,
  HOUR,
  lost,
  type PassChange,
  passOf,
  role,
  secretMeta,
  session,
  T0,
  written,
} from './fixtures.ts';

const object = role({ spec: { onExpiry: 'Scrub' } });
const emptied = secretMeta({ annotations: sessionAnnotations(session(), digest({})) });
const good = { state: 'intact', meta: written(), record: session() } as const;
const isMeant = (change: PassChange = {}, record = session(), now = T0 + HOUR) =>
  isToScrub(passOf({ object, ...change }), record, now);

it('the data of a Secret stay while its namespace is not known', () => {
  const unknown = { obstacle: { code: 'NamespaceUnknown', message: 'not known', permanent: false } } as const;
  expect(isMeant({ asked: unknown, object: { ...object, status: { lastErrorCode: 'NamespaceUnknown' } } })).toBe(false);
});

describe('the data of a Secret are removed', () => {
  it.each<[string, boolean]>([
    ['when its credential has ended', isMeant()],
    ['whatever keeps it from being replaced', isMeant({ asked: denied })],
    ['after a failure', isMeant({ memory: { failure: failed() } })],
    [
      'while there is no identity, if the status told so before',
      isMeant({ asked: lost, object: { ...object, status: { lastErrorCode: 'NoIdentity' } } }),
    ],
  ])('%s', (_what, meant) => {
    expect(meant).toBe(true);
  });
});

describe('the data of a Secret stay', () => {
  it.each<[string, boolean]>([
    ['until the very millisecond of its end', isMeant({}, session(), T0 + HOUR - 1)],
    ['by default', isMeant({ object: role() })],
    ['while the object is suspended', isMeant({ object: role({ spec: { onExpiry: 'Scrub', suspend: true } }) })],
    ['where the end is only assumed', isMeant({}, session({ assumed: true }))],
    ['where somebody edited them', isMeant({ seen: { ...good, state: 'edited' } })],
    ['where they were removed before', isMeant({ seen: { ...good, meta: emptied } })],
    ['of another owner', isMeant({ seen: { ...good, blocked: { reason: 'ConflictingSecret', message: '' } } })],
    ['while the operator starts and does not know its identity yet', isMeant({ asked: lost })],
  ])('%s', (_what, meant) => {
    expect(meant).toBe(false);
  });
});

it('a Secret is known as emptied by its annotation, as long as nobody edits it', () => {
  expect([isScrubbed({ state: 'intact', meta: emptied }), isScrubbed({ state: 'edited', meta: emptied })]).toEqual([
    true,
    false,
  ]);
  expect([isScrubbed(good), isScrubbed({ state: 'absent' })]).toEqual([false, false]);
  expect(isScrubbed({ state: 'intact', meta: secretMeta({ annotations: { [annotations.owner]: 'app' } }) })).toBe(
    false,
  );
});
