import { describe, expect, it } from '@jest/globals';
import type { AWSAssumeRoleStatus } from '../../../lib/api/aws-assume-role.ts';
import type { Condition } from '../../../lib/api/conditions.ts';
import { statusOf, statusPatch, type View } from '../../../lib/controllers/aws-assume-role/status.ts';
import { at, failed, HOUR, MINUTE, role, SECOND, session, T0 } from './fixtures.ts';

const now = T0 + MINUTE;
const secretRef = { name: 'creds', uid: 's-1', resourceVersion: '7' };
const held: View = { record: session(), current: true, suspended: false, secretRef, nextRefreshAt: T0 + HOUR / 2 };
const status = (view: View, before?: AWSAssumeRoleStatus, time = now) =>
  statusOf(role(before && { status: before }), view, time);
const failing = (count: number, lastAttemptAt: number, message = 'STS gives no answer') =>
  status({ ...held, failure: failed({ count, lastAttemptAt, message, requestId: `request-${count}` }) }, status(held));

describe('the status', () => {
  it('of an issued credential tells all that a restart needs', () => {
    const view = {
      ...held,
      roleArn: 'arn:aws:iam::1:role/reader',
      effectiveDurationSeconds: 3600,
      handledRefreshRequest: 'x',
    };
    const record = session({ packedPolicySizePercent: 7 });
    expect(status({ ...view, record })).toEqual({
      observedGeneration: 2,
      health: { status: 'Healthy' },
      phase: 'Ready',
      roleArn: 'arn:aws:iam::1:role/reader',
      assumedRoleArn: 'arn:aws:sts::111122223333:assumed-role/reader/rolevend-team.app',
      accessKeyId: 'ASIAONE',
      issuedAt: at(0),
      expiresAt: at(HOUR),
      nextRefreshAt: at(HOUR / 2),
      effectiveDurationSeconds: 3600,
      packedPolicySizePercent: 7,
      secretRef,
      consecutiveFailures: 0,
      lastAttemptAt: at(0),
      lastRequestId: 'request-ok',
      lastHandledRefreshRequest: 'x',
      conditions: [
        expect.objectContaining({ type: 'Ready', lastTransitionTime: at(MINUTE) }),
        expect.objectContaining({ type: 'Refreshed', message: `issued at ${at(0)}` }),
      ],
    });
  });

  it('of a failure tells its code, count, time and request', () => {
    expect(failing(3, now)).toMatchObject({
      consecutiveFailures: 3,
      lastAttemptAt: at(MINUTE),
      lastErrorCode: 'StsUnreachable',
      lastRequestId: 'request-3',
    });
  });

  it('of a failure without a request id shows none, although the session had one', () => {
    expect(status({ ...held, failure: failed() })).not.toHaveProperty('lastRequestId');
  });

  it('of a legacy Secret claims no attempt', () => {
    const record = { issuedAt: T0, expiresAt: T0 + HOUR, assumed: true };
    expect(status({ ...held, record })).not.toHaveProperty('lastAttemptAt');
  });

  it('of nothing has no session fields and works without a generation', () => {
    const view = { current: false, suspended: false };
    const { conditions, ...rest } = statusOf({ ...role(), metadata: { name: 'app' } }, view, now);
    expect(rest).toEqual({
      observedGeneration: 0,
      health: { status: 'Unknown' },
      phase: 'Pending',
      consecutiveFailures: 0,
    });
    expect(conditions).toHaveLength(2);
  });

  it("turns a legacy list with a history into one of unique types and keeps others' conditions", () => {
    const entry = (type: string, state: Condition['status'], ms: number): Condition => ({
      type,
      status: state,
      reason: 'Legacy',
      message: '',
      lastTransitionTime: at(ms),
    });
    const history = [
      entry('Ready', 'False', 0),
      entry('Ready', 'True', 2000),
      entry('Ready', 'True', 1000),
      entry('Theirs', 'True', 0),
    ];
    const { conditions } = status(held, { conditions: history });
    expect(conditions?.map(({ type, lastTransitionTime }) => [type, lastTransitionTime])).toEqual([
      ['Ready', at(2000)],
      ['Refreshed', at(MINUTE)],
      ['Theirs', at(0)],
    ]);
    expect(statusPatch({ conditions: history }, status(held, { conditions: history }))).toMatchObject({ conditions });
  });

  it('keeps the transition times while the conditions stay', () => {
    const first = status(held);
    expect(status(held, first, now + HOUR / 4)).toEqual(first);
  });
});

describe('the patch', () => {
  it('is none where nothing changed', () => {
    expect(statusPatch(status(held), status(held))).toBeUndefined();
  });

  it('is the whole status at first', () => {
    expect(statusPatch(undefined, status(held))).toEqual(status(held));
  });

  it("is none for the server's order of keys", () => {
    const reversed = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(reversed);
      if (typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(
        Object.entries(value)
          .reverse()
          .map(([key, inner]) => [key, reversed(inner)]),
      );
    };
    expect(statusPatch(reversed(status(held)) as AWSAssumeRoleStatus, status(held))).toBeUndefined();
  });

  it('holds only what differs', () => {
    const after = status({ ...held, nextRefreshAt: T0 + HOUR / 3 });
    expect(statusPatch(status(held), after)).toEqual({ nextRefreshAt: at(HOUR / 3) });
  });

  it('removes with null what does not hold any more, and nothing of others', () => {
    const before = { ...status({ ...held, roleArn: 'arn' }), lastRestartAt: at(0) };
    const { roleArn: _, secretRef: __, nextRefreshAt: ___, ...after } = status({ ...held, roleArn: 'arn' });
    expect(statusPatch(before, after)).toEqual({ roleArn: null, secretRef: null, nextRefreshAt: null });
  });

  it('takes error code and request id away after a success', () => {
    const patch = statusPatch(failing(3, now), status({ ...held, record: session({ requestId: undefined }) }));
    expect(patch).toMatchObject({ lastErrorCode: null, lastRequestId: null, consecutiveFailures: 0 });
  });

  it('names with null the keys that left an inner object', () => {
    const before = { ...status(held), health: { status: 'Healthy', since: 'ever' } };
    expect(statusPatch(before, status(held))).toEqual({ health: { status: 'Healthy', since: null } });
  });
});

describe('a failure that goes on', () => {
  it('is written when it begins', () => {
    expect(statusPatch(status(held), failing(1, now))).toMatchObject({ lastErrorCode: 'StsUnreachable' });
  });

  it.each<[string, AWSAssumeRoleStatus, boolean]>([
    ['the same within a minute', failing(2, now + 59 * SECOND), false],
    ['the same with another text within a minute', failing(2, now + SECOND, 'request-2 got no answer'), false],
    ['the same without another try, as a denial, with another text', failing(1, now, 'another role is missing'), true],
    ['the same after a minute', failing(5, now + MINUTE), true],
    [
      'another one within a minute',
      status({ ...held, failure: failed({ code: 'Throttling', count: 2, lastAttemptAt: now + SECOND }) }, status(held)),
      true,
    ],
    [
      'one that became final within a minute',
      status({ ...held, failure: failed({ permanent: true, count: 2, lastAttemptAt: now + SECOND }) }, status(held)),
      true,
    ],
    ['the same for another generation', { ...failing(2, now + SECOND), observedGeneration: 3 }, true],
    ['the same with another Secret', { ...failing(2, now + SECOND), secretRef: { ...secretRef, uid: 's-2' } }, true],
  ])('%s: written %p', (_what, after, isWritten) => {
    expect(statusPatch(failing(1, now), after) !== undefined).toBe(isWritten);
  });

  it('is written once more where the time of the last attempt was lost', () => {
    const { lastAttemptAt: _, ...before } = failing(1, now);
    expect(statusPatch(before, failing(2, now + SECOND))).toMatchObject({ consecutiveFailures: 2 });
  });

  it('is written where the status tells an attempt that lies ahead', () => {
    const before = { ...failing(1, now), lastAttemptAt: at(24 * HOUR) };
    expect(statusPatch(before, failing(2, now + SECOND))).toMatchObject({ lastAttemptAt: at(MINUTE + SECOND) });
  });

  it('is written where the old status holds no conditions', () => {
    const { conditions: _, ...before } = failing(1, now);
    expect(statusPatch(before, failing(2, now + SECOND))).toHaveProperty('conditions');
  });
});
