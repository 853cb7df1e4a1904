import { describe, expect, it } from '@jest/globals';
import type { AWSAssumeRole } from '../../../lib/api/aws-assume-role.ts';
import { annotations } from '../../../lib/api/names.ts';
import {
  handledRefresh,
  isCurrent,
  requestDigest,
  serverNow,
  situationOf,
} from '../../../lib/controllers/aws-assume-role/pass.ts';
import { specHash } from '../../../lib/credentials/input-hash.ts';
import { ManualClock } from '../../support/clock.ts';
import { denied, failed, lost, type PassChange, passOf, role, session, situation, T0 } from './fixtures.ts';

const asking = (wanted: string, status: AWSAssumeRole['status'] = {}) =>
  role({ metadata: { annotations: { [annotations.refreshRequestedAt]: wanted } }, status });

describe('a requested refresh', () => {
  const fulfilled = session({ refreshSha256: requestDigest('x') });

  it.each<[string, PassChange, string | undefined]>([
    ['was not handled by being tried', { object: asking('x'), memory: { triedRequest: 'x' } }, undefined],
    ['stays handled', { object: role({ status: { lastHandledRefreshRequest: 'y' } }) }, 'y'],
    [
      'was handled where the Secret tells so',
      { object: asking('x'), seen: { state: 'intact', record: fulfilled } },
      'x',
    ],
    [
      'was not where the Secret tells of another',
      { object: asking('z'), seen: { state: 'intact', record: fulfilled } },
      undefined,
    ],
  ])('%s', (_what, change, expected) => {
    expect(handledRefresh(passOf(change))).toBe(expected);
  });

  it('that was never asked for is not handled by any Secret', () => {
    expect(handledRefresh({ object: role(), seen: { state: 'intact', record: fulfilled } })).toBeUndefined();
  });
});

describe('a session of the spec as it is', () => {
  const current = (record: Parameters<typeof session>[0], change: PassChange = {}) =>
    isCurrent(passOf(change), session(record));

  it.each<[string, boolean, boolean]>([
    ['has the hash of the request', current({ generation: 1 }), true],
    ['has the generation, where only grants or the base identity changed', current({ inputHash: 'v1:two' }), true],
    ['has neither: it is of a former spec', current({ inputHash: 'v1:two', generation: 1 }), false],
    ['has no hash', current({ inputHash: undefined, generation: 1 }), true],
    ['has no hash, whatever is denied now', current({ inputHash: undefined, generation: 1 }, { asked: denied }), true],
    ['cannot be compared while the identity is unknown', current({ generation: 1 }, { asked: lost }), true],
    [
      'has the hash of the spec, whatever request grants and identity would make of it now',
      current({ specSha256: specHash(role().spec), inputHash: 'v1:two', generation: 1 }, { asked: denied }),
      true,
    ],
    [
      'has another hash of the spec, while the identity is unknown',
      current({ specSha256: 'x' }, { asked: lost }),
      false,
    ],
  ])('%s: %p', (_what, found, expected) => {
    expect(found).toBe(expected);
  });
});

describe('the situation of a pass', () => {
  it('of a good Secret is that nothing is to be done', () => {
    expect(situationOf(passOf(), T0 + 1000)).toEqual(situation());
  });

  it('is all that the decision depends on', () => {
    const object = role({
      metadata: { annotations: { [annotations.refreshRequestedAt]: 'x' } },
      spec: { suspend: true, secretType: 'EcrDockerConfigJson', ecrRepositoryUrl: 'r', refresh: { percent: 70 } },
      status: { lastHandledRefreshRequest: 'w' },
    });
    const memory = {
      failure: failed(),
      triedRequest: 'v',
      triedRequestAt: T0,
      repairs: { count: 2, lastAt: T0 },
    };
    expect(situationOf(passOf({ object, memory, asked: lost, seen: { state: 'absent' } }), T0)).toEqual({
      uid: 'u-app',
      generation: 2,
      now: T0,
      suspended: true,
      secret: 'absent',
      scrubbed: false,
      record: undefined,
      inputHash: undefined,
      refresh: { percent: 70, jitterPercent: 10, minRemainingSeconds: 420 },
      isEcr: true,
      failure: failed(),
      refreshRequest: { wanted: 'x', handled: 'w', tried: 'v', lastAt: T0 },
      repairs: { count: 2, lastAt: T0 },
    });
  });

  it('of an object without a generation is that of generation 0', () => {
    const object = { ...role(), metadata: { name: 'app', uid: 'u-app' } };
    expect(situationOf(passOf({ object }), T0).generation).toBe(0);
  });

  it('is at the time of the server', () => {
    expect(serverNow({ clock: new ManualClock(T0), skewMs: () => -5000 })).toBe(T0 - 5000);
  });
});
