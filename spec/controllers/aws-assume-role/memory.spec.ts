import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { AWSAssumeRoleStatus } from '../../../lib/api/aws-assume-role.ts';
import type { Condition } from '../../../lib/api/conditions.ts';
import { type Failure, repairDelay } from '../../../lib/controllers/aws-assume-role/backoff.ts';
import { keepPast, recall, repaired } from '../../../lib/controllers/aws-assume-role/memory.ts';
import { statusOf } from '../../../lib/controllers/aws-assume-role/status.ts';
import { at, failed, HOUR, MINUTE, role, SECOND, session, T0 } from './fixtures.ts';

const condition = (type: string, reason: string, message = 'because'): Condition => ({
  type,
  status: 'True',
  reason,
  message,
  lastTransitionTime: at(0),
});
/** After all times of these tests. */
const NOW = T0 + 9999 * SECOND;
const recalled = (status: AWSAssumeRoleStatus) => recall(role({ status }), NOW).failure;
const broken = { lastAttemptAt: at(MINUTE), lastErrorCode: 'ValidationError', observedGeneration: 2 };

describe('what a fresh process knows of an object', () => {
  it('is nothing where the status tells of no failure', () => {
    expect(recall(role(), NOW)).toEqual({
      uid: 'u-app',
      failure: undefined,
      repairs: { count: 0, lastAt: undefined },
      triedRequest: undefined,
      triedRequestAt: undefined,
      waitingSince: undefined,
      wasLookedAt: false,
      former: { removed: new Set() },
    });
  });

  it('is the back-off that the status tells', () => {
    const status = {
      ...broken,
      consecutiveFailures: 4,
      lastRequestId: 'r-4',
      conditions: [condition('Refreshed', 'ValidationError')],
    };
    expect(recalled(status)).toEqual({
      code: 'ValidationError',
      message: 'because',
      requestId: 'r-4',
      count: 4,
      lastAttemptAt: T0 + MINUTE,
      permanent: false,
      generation: 2,
    });
  });

  it('counts one failure of generation 0, with its code as message, where the status says no more', () => {
    const { observedGeneration: _, ...less } = broken;
    expect(recalled(less)).toMatchObject({ count: 1, generation: 0, message: 'ValidationError', permanent: false });
    expect(recalled({ ...less, consecutiveFailures: 0 })).toMatchObject({ count: 1 });
  });

  it.each<[string, AWSAssumeRoleStatus]>([
    ['no time', { lastErrorCode: 'ValidationError' }],
    ['a time that cannot be read', { ...broken, lastAttemptAt: 'once' }],
    ['no code', { lastAttemptAt: at(0) }],
    [
      'a wait for a host that others asked in vain',
      { ...broken, lastErrorCode: 'EcrUnreachable', consecutiveFailures: 0 },
    ],
    ['a denial by the grants', { ...broken, lastErrorCode: 'GrantDenied' }],
    ['a namespace that was not known', { ...broken, lastErrorCode: 'NamespaceUnknown' }],
    ['a missing identity', { ...broken, lastErrorCode: 'NoIdentity' }],
    ['a bad spec', { ...broken, lastErrorCode: 'InvalidSpec' }],
  ])('is no failure with %s', (_what, status) => {
    expect(recalled(status)).toBeUndefined();
  });

  it('takes a failure as final only where Stalled speaks of it', () => {
    expect(recalled({ ...broken, conditions: [condition('Stalled', 'ValidationError')] })?.permanent).toBe(true);
    expect(recalled({ ...broken, conditions: [condition('Stalled', 'ConflictingSecret')] })?.permanent).toBe(false);
  });

  it('keeps two refreshes by annotation 30 s apart over a restart', () => {
    const status = { lastAttemptAt: at(MINUTE), lastHandledRefreshRequest: 'x' };
    expect(recall(role({ status }), NOW).triedRequestAt).toBe(T0 + MINUTE);
    expect(recall(role({ status: { lastAttemptAt: at(MINUTE) } }), NOW).triedRequestAt).toBeUndefined();
  });

  it('is the failure that the earlier process wrote', () => {
    const anyFailure: fc.Arbitrary<Failure> = fc
      .record({
        code: fc.constantFrom('AccessDenied', 'Throttling', 'StsUnreachable'),
        count: fc.integer({ min: 1, max: 99 }),
        permanent: fc.boolean(),
        lastAttemptAt: fc.integer({ min: 0, max: 9999 }).map((seconds) => T0 + seconds * SECOND),
        requestId: fc.constantFrom(undefined, 'r-1'),
      })
      .map((change) => failed(change));
    fc.assert(
      fc.property(anyFailure, fc.boolean(), (failure, current) => {
        const status = statusOf(role(), { record: session(), current, suspended: false, failure }, T0 + SECOND);
        expect(recalled(status)).toEqual(failure);
      }),
    );
  });
});

describe('times that lie ahead', () => {
  it.each<[string, AWSAssumeRoleStatus]>([
    ['of the last attempt', { ...broken, lastAttemptAt: at(24 * HOUR) }],
    ['of the last attempt, after a request', { lastAttemptAt: at(24 * HOUR), lastHandledRefreshRequest: 'x' }],
  ])('%s in the status count for nothing', (_what, status) => {
    expect(recall(role({ status }), T0)).toMatchObject({ failure: undefined, triedRequestAt: undefined });
  });

  it('are moved to now, once, when a clock was set back', () => {
    const memory = recall(role(), T0);
    const times = { count: 3, lastAt: T0 + HOUR };
    const restart = { digest: 'd', generation: 2, done: [], at: T0 + HOUR, retryAt: T0 + HOUR + MINUTE, failures: 1 };
    Object.assign(memory, {
      failure: failed({ lastAttemptAt: T0 + HOUR }),
      repairs: times,
      triedRequestAt: T0 + HOUR,
      restart,
    });
    keepPast(memory, T0);
    const moved = {
      failure: failed({ lastAttemptAt: T0 }),
      repairs: { count: 3, lastAt: T0 },
      triedRequestAt: T0,
      restart: { ...restart, at: T0, retryAt: T0 },
    };
    expect(memory).toMatchObject(moved);
    keepPast(memory, T0 + SECOND);
    expect(memory).toMatchObject(moved);
  });
});

describe('the count of repairs', () => {
  it.each<[string, number, number | undefined, number]>([
    ['the first', 0, undefined, 1],
    ['one right after another', 1, T0 - 10 * SECOND, 2],
    ['one within twice the wait', 3, T0 - 80 * SECOND, 4],
    ['one after twice the wait', 3, T0 - 80 * SECOND - 1, 1],
    ['one long after', 9, T0 - 601 * SECOND, 1],
  ])('%s', (_what, count, lastAt, expected) => {
    expect(repaired({ count, lastAt }, T0)).toEqual({ count: expected, lastAt: T0 });
  });

  it('lets an editor who never rests cost one session in five minutes in the end', () => {
    let repairs: ReturnType<typeof repaired> = { count: 0, lastAt: undefined };
    const times: number[] = [];
    for (let now = T0; now < T0 + 60 * MINUTE; now += SECOND) {
      if (now < (repairs.lastAt ?? 0) + repairDelay(repairs.count)) continue;
      repairs = repaired(repairs, now);
      times.push((now - T0) / SECOND);
    }
    expect(times.slice(0, 8)).toEqual([0, 10, 30, 70, 150, 310, 610, 910]);
    expect(times).toHaveLength(16);
  });
});
