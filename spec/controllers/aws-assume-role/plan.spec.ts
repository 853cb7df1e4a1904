import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { nextAttemptAt } from '../../../lib/controllers/aws-assume-role/backoff.ts';
import {
  inputChanged,
  isSameRequest,
  nextRefreshAt,
  type Plan,
  plan,
  type RefreshRequest,
  type SecretState,
  type Situation,
} from '../../../lib/controllers/aws-assume-role/plan.ts';
import { defaultRefresh, failed, HOUR, MINUTE, SECOND, session, situation, T0 } from './fixtures.ts';

const now = T0 + SECOND;
const due = nextRefreshAt({ uid: 'u-app', refresh: defaultRefresh, isEcr: false }, session());
const wait = (waitUntil: number | undefined): Plan => ({ issue: undefined, waitUntil });
const request = (change: Partial<RefreshRequest> = {}): Partial<Situation> => ({
  refreshRequest: { wanted: 'now', handled: undefined, tried: undefined, lastAt: undefined, ...change },
});

describe('what is issued, and why', () => {
  it.each<[string, Partial<Situation>, Plan]>([
    ['a good Secret is left alone until its due time', {}, wait(due)],
    ['just before the due time', { now: due - 1 }, wait(due)],
    ['at the due time', { now: due }, { issue: 'Due' }],
    ['long after the end', { now: T0 + 9 * HOUR }, { issue: 'Due' }],
    ['a first Secret', { secret: 'absent', record: undefined }, { issue: 'Missing' }],
    ['a deleted Secret', { secret: 'absent', record: undefined }, { issue: 'Missing' }],
    ['edited data', { secret: 'edited' }, { issue: 'Drift' }],
    ['edited data and annotations', { secret: 'edited', record: undefined }, { issue: 'Drift' }],
    ['a Secret without an owner', { secret: 'unowned', record: undefined }, { issue: 'Adopted' }],
    ["an earlier object's Secret", { secret: 'stale', record: undefined }, { issue: 'Restored' }],
    ['a Secret that does not tell its session', { record: undefined }, { issue: 'Restored' }],
    ['a Secret that was emptied, while nothing failed', { scrubbed: true }, { issue: 'Due' }],
    ['another request', { inputHash: 'v1:two' }, { issue: 'InputChanged' }],
    ['a session without a hash', { record: session({ inputHash: undefined }) }, wait(due)],
    ['a session with a hash of another version', { record: session({ inputHash: 'v2:one' }) }, wait(due)],
    ['a request that cannot be made', { inputHash: undefined }, wait(due)],
    ['a suspended object', { suspended: true }, wait(T0 + HOUR)],
    ['a suspended object past its due time', { suspended: true, now: due + 1 }, wait(T0 + HOUR)],
    ['a suspended object whose credential ended', { suspended: true, now: T0 + HOUR }, wait(undefined)],
    ['a suspended object without a Secret', { suspended: true, secret: 'absent', record: undefined }, wait(undefined)],
    ['a suspended object with edited data', { suspended: true, secret: 'edited' }, wait(T0 + HOUR)],
    ['a suspended object that is asked to refresh', { suspended: true, ...request() }, wait(T0 + HOUR)],
    ['a suspended object with another request', { suspended: true, inputHash: 'v1:two' }, wait(T0 + HOUR)],
  ])('%s', (_what, change, expected) => {
    expect(plan(situation(change))).toEqual(expected);
  });

  it('makes a registry token due before it is six hours old', () => {
    const record = session({ expiresAt: T0 + 12 * HOUR });
    const at = nextRefreshAt({ uid: 'u-app', refresh: { ...defaultRefresh, percent: 80 }, isEcr: true }, record);
    expect(at).toBeLessThanOrEqual(T0 + 6 * HOUR);
    expect(plan(situation({ isEcr: true, record, now: T0 + 6 * HOUR }))).toEqual({ issue: 'Due' });
    expect(plan(situation({ isEcr: false, record, now: T0 + 6 * HOUR - 1 })).issue).toBeUndefined();
  });
});

describe('repairs', () => {
  const repaired = (count: number, lastAt: number) => ({ repairs: { count, lastAt } });

  it.each<[string, Partial<Situation>, Plan]>([
    ['wait 10 s after the first', { secret: 'edited', ...repaired(1, now - 9999) }, wait(now + 1)],
    ['come 10 s after the first', { secret: 'edited', ...repaired(1, now - 10_000) }, { issue: 'Drift' }],
    ['wait 20 s after the second', { secret: 'edited', ...repaired(2, now - 19_999) }, wait(now + 1)],
    ['of a deleted Secret wait, too', { secret: 'absent', ...repaired(1, now) }, wait(now + 10_000)],
    ['of one that comes back without an owner, too', { secret: 'unowned', ...repaired(1, now) }, wait(now + 10_000)],
    ['of one that an earlier object made, too', { secret: 'stale', ...repaired(1, now) }, wait(now + 10_000)],
    ['of one that tells no session, too', { record: undefined, ...repaired(1, now) }, wait(now + 10_000)],
    ['do not hold a changed request back', { inputHash: 'v1:two', ...repaired(5, now) }, { issue: 'InputChanged' }],
    [
      'do not hold a deleted Secret back for which something else is asked now',
      { secret: 'absent', ...repaired(5, now), settled: { until: due, request: { generation: 1 } } },
      { issue: 'Missing' },
    ],
    [
      'do not hold a requested refresh back',
      { secret: 'edited', ...repaired(5, now), ...request() },
      { issue: 'RefreshRequested' },
    ],
  ])('%s', (_what, change, expected) => {
    expect(plan(situation(change))).toEqual(expected);
  });
});

describe('a Secret that was good for this request, and whose session is not due', () => {
  const settled = { until: due, request: { generation: 2, inputHash: 'v1:one' } };
  const again = { settled, repairs: { count: 1, lastAt: now } };
  const old = session({ issuedAt: T0 - 2 * HOUR, expiresAt: T0 - HOUR });

  it.each<[string, Partial<Situation>, Plan]>([
    ['another hash', { record: session({ inputHash: 'v1:zero' }) }, wait(now + 10_000)],
    ['an older session', { record: old }, wait(now + 10_000)],
    ['no data', { scrubbed: true }, wait(now + 10_000)],
  ])('is not put right at once again where it tells %s', (_what, change, expected) => {
    expect(plan(situation({ ...change, ...again }))).toEqual(expected);
    expect(plan(situation({ ...change, settled })).issue).toBeDefined();
  });

  it('is replaced at once where something else is asked for, or the time has come', () => {
    expect(plan(situation({ ...again, inputHash: 'v1:two' }))).toEqual({ issue: 'InputChanged' });
    expect(plan(situation({ ...again, now: due, repairs: { count: 9, lastAt: due } }))).toEqual({ issue: 'Due' });
  });
});

describe('a requested refresh', () => {
  it.each<[string, Partial<Situation>, Plan]>([
    ['comes at once', request(), { issue: 'RefreshRequested' }],
    ['comes once for each value', request({ handled: 'now' }), wait(due)],
    ['comes again for another value', request({ handled: 'before' }), { issue: 'RefreshRequested' }],
    ['waits 30 s after the last', request({ handled: 'before', lastAt: now - 29_999 }), wait(now + 1)],
    ['comes 30 s after the last', request({ handled: 'before', lastAt: now - 30_000 }), { issue: 'RefreshRequested' }],
    ['of an empty text counts', request({ wanted: '' }), { issue: 'RefreshRequested' }],
    [
      'beats every back-off',
      { ...request(), failure: failed({ permanent: true, code: 'AccessDenied', count: 9, lastAttemptAt: now }) },
      { issue: 'RefreshRequested' },
    ],
    [
      'beats the wait between repairs',
      { ...request(), secret: 'absent', repairs: { count: 9, lastAt: now } },
      { issue: 'RefreshRequested' },
    ],
    [
      'that failed follows the back-off',
      { ...request({ tried: 'now', lastAt: now }), failure: failed({ retryAfterMs: 5000, lastAttemptAt: now }) },
      wait(now + 5000),
    ],
    [
      'that failed is tried again when the back-off ends',
      {
        ...request({ tried: 'now', lastAt: now - 5000 }),
        failure: failed({ retryAfterMs: 5000, lastAttemptAt: now - 5000 }),
      },
      { issue: 'RefreshRequested' },
    ],
    [
      'that waits for its 30 s is not later than the due time',
      { ...request({ handled: 'before', lastAt: due - 10 }), now: due - 5 },
      wait(due),
    ],
  ])('%s', (_what, change, expected) => {
    expect(plan(situation(change))).toEqual(expected);
  });
});

describe('a failure', () => {
  const failure = failed({ lastAttemptAt: due, count: 5 });
  const next = nextAttemptAt('u-app', failure, T0 + HOUR);

  it.each<[string, Partial<Situation>, Plan]>([
    ['holds the next attempt back', { failure, now: due + 1 }, wait(next)],
    ['is over at the end of its wait', { failure, now: next }, { issue: 'Due' }],
    ['does not bring a refresh forward', { failure: failed({ lastAttemptAt: T0 }), now: T0 + MINUTE }, wait(due)],
    ['of the former spec holds nothing back', { failure, now: due + 1, generation: 3 }, { issue: 'Due' }],
    [
      'of another request holds nothing back',
      { failure: { ...failure, inputHash: 'v1:zero' }, now: due + 1 },
      { issue: 'Due' },
    ],
    ['of this request does', { failure: { ...failure, inputHash: 'v1:one' }, now: due + 1 }, wait(next)],
    [
      'lets the status tell when the old credential ends',
      { failure: failed({ lastAttemptAt: T0 + HOUR - 1, retryAfterMs: HOUR }), now: T0 + HOUR - 1 },
      wait(T0 + HOUR),
    ],
    [
      'of a changed request lets the good Secret be',
      { failure: failed({ inputHash: 'v1:two', retryAfterMs: 9000 }), inputHash: 'v1:two' },
      wait(T0 + 9000),
    ],
  ])('%s', (_what, change, expected) => {
    expect(plan(situation(change))).toEqual(expected);
  });
});

describe('inputChanged', () => {
  it.each([
    ['v1:one', 'v1:one', false],
    ['v1:one', 'v1:two', true],
    ['v1:one', undefined, false],
    [undefined, 'v1:two', false],
    ['v2:one', 'v1:two', false],
    ['', 'v1:two', false],
  ])('held %p, now %p: %p', (held, inputHash, expected) => {
    expect(inputChanged({ record: session({ inputHash: held }), inputHash })).toBe(expected);
  });

  it('says no where there is no session', () => {
    expect(inputChanged({ record: undefined, inputHash: 'v1:two' })).toBe(false);
  });
});

describe('isSameRequest', () => {
  it.each([
    ['the same generation, no hash known', failed(), 2, 'v1:one', true],
    ['the same generation, no request now', failed({ inputHash: 'v1:one' }), 2, undefined, true],
    ['the same generation and hash', failed({ inputHash: 'v1:one' }), 2, 'v1:one', true],
    ['another hash', failed({ inputHash: 'v1:one' }), 2, 'v1:two', false],
    ['another generation', failed({ inputHash: 'v1:one' }), 3, 'v1:one', false],
  ])('%s', (_what, failure, generation, inputHash, expected) => {
    expect(isSameRequest(failure, { generation, inputHash })).toBe(expected);
  });

  it.each([
    ['the same grants', 'team@1', true],
    ['a changed grant', 'team@2', false],
    ['grants that are not known', undefined, true],
  ])('%s', (_what, grantsKey, expected) => {
    expect(isSameRequest(failed({ grantsKey: 'team@1' }), { generation: 2, grantsKey })).toBe(expected);
  });

  it('ends the wait after a permanent failure when a grant changes', () => {
    const failure = failed({ code: 'AccessDenied', permanent: true, grantsKey: 'team@1' });
    const due = { secret: 'absent', record: undefined, failure } as const;
    expect(plan(situation({ ...due, grantsKey: 'team@1' }))).toMatchObject({ issue: undefined });
    expect(plan(situation({ ...due, grantsKey: 'team@2' }))).toEqual({ issue: 'Missing' });
  });
});

const anyText = fc.constantFrom(undefined, 'a', 'b');
const anyTime = fc.integer({ min: T0 - 2 * HOUR, max: T0 + 2 * HOUR });
const anySituation: fc.Arbitrary<Situation> = fc.record({
  uid: fc.string(),
  generation: fc.constantFrom(1, 2),
  now: anyTime,
  suspended: fc.boolean(),
  secret: fc.constantFrom<SecretState>('absent', 'intact', 'edited', 'stale', 'unowned'),
  scrubbed: fc.boolean(),
  record: fc.option(
    fc
      .record({
        inputHash: fc.constantFrom(undefined, 'v1:one', 'v1:two', 'v9:x'),
        life: fc.integer({ min: 1, max: 3600 }),
      })
      .map(({ inputHash, life }) => session({ inputHash, expiresAt: T0 + life * SECOND })),
    { nil: undefined },
  ),
  inputHash: fc.constantFrom(undefined, 'v1:one', 'v1:two'),
  refresh: fc.constant(defaultRefresh),
  isEcr: fc.boolean(),
  failure: fc.option(
    fc
      .record({ count: fc.integer({ min: 1, max: 30 }), permanent: fc.boolean(), lastAttemptAt: anyTime })
      .map((change) => failed(change)),
    { nil: undefined },
  ),
  refreshRequest: fc.record({
    wanted: anyText,
    handled: anyText,
    tried: anyText,
    lastAt: fc.option(anyTime, { nil: undefined }),
  }),
  repairs: fc.record({ count: fc.integer({ min: 0, max: 9 }), lastAt: fc.option(anyTime, { nil: undefined }) }),
  settled: fc.option(
    fc
      .record({ until: anyTime, inputHash: fc.constantFrom(undefined, 'v1:one', 'v1:two') })
      .map(({ until, inputHash }) => ({ until, request: { generation: 2, inputHash } })),
    { nil: undefined },
  ),
});

describe('any situation', () => {
  it('is either worth an issue or waits for a time ahead', () => {
    fc.assert(
      fc.property(anySituation, (given) => {
        const decided = plan(given);
        if (decided.issue !== undefined) return;
        expect(decided.waitUntil ?? Number.POSITIVE_INFINITY).toBeGreaterThan(given.now);
        expect(decided.waitUntil !== undefined || given.suspended).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('is worth no issue while suspended', () => {
    fc.assert(
      fc.property(anySituation, (given) => {
        expect(plan({ ...given, suspended: true }).issue).toBeUndefined();
      }),
    );
  });

  it('is judged again at the time that the plan names, and then leads to an issue or a later time', () => {
    fc.assert(
      fc.property(anySituation, (given) => {
        let current = given;
        for (let looks = 0; looks < 6; looks += 1) {
          const decided = plan(current);
          if (decided.issue !== undefined || decided.waitUntil === undefined) return;
          current = { ...current, now: decided.waitUntil };
        }
        throw new Error('looked six times without an issue');
      }),
      { numRuns: 2000 },
    );
  });

  it('is refreshed by annotation at most once in 30 s', () => {
    fc.assert(
      fc.property(anySituation, (given) => {
        const { wanted, tried, lastAt } = given.refreshRequest;
        if (plan(given).issue !== 'RefreshRequested' || wanted === tried) return;
        expect(given.now - (lastAt ?? Number.NEGATIVE_INFINITY)).toBeGreaterThanOrEqual(30 * SECOND);
      }),
      { numRuns: 2000 },
    );
  });
});
