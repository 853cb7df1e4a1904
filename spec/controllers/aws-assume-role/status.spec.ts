import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Condition } from '../../../lib/api/conditions.ts';
import { conditionsOf, type Said, statusOf, type View } from '../../../lib/controllers/aws-assume-role/status.ts';
import { at, failed, HOUR, MINUTE, role, session, T0 } from './fixtures.ts';

const now = T0 + MINUTE;
const ROLE = 'arn:aws:iam::111122223333:role/reader';
const expired = session({ issuedAt: T0 - HOUR, expiresAt: T0 });
const denied = failed({ code: 'AccessDenied', message: 'denied', permanent: true, count: 4 });
const conflicting = { reason: 'ConflictingSecret', message: 'another owns it' } as const;
const refused = { reason: 'AdoptionRefused', message: 'not ours' } as const;

const view = (change: Partial<View> = {}): View => ({ current: false, suspended: false, ...change });
const held = { record: session(), current: true };
const ended = { record: expired, current: true };
/** A valid credential of the spec as it was. */
const former = { record: session(), current: false };

/** `Type=Status/Reason` of each condition. */
const short = (conditions: readonly Said[]) => conditions.map((c) => `${c.type}=${c.status}/${c.reason}`).sort();
const readyBefore = (status: Condition['status'], reason: string): Condition => ({
  type: 'Ready',
  status,
  reason,
  message: 'as it was',
  lastTransitionTime: at(0),
});

/** The conditions that an object ends up with whose `Ready` was `ready`. */
function said(change: Partial<View>, ready?: Condition): string[] {
  const object = role(ready && { status: { conditions: [ready] } });
  return short((statusOf(object, view(change), now).conditions ?? []) as Said[]);
}

describe('the conditions, row by row', () => {
  it.each<[string, Partial<View>, string[]]>([
    ['first pass not finished', {}, ['Ready=Unknown/Pending', 'Reconciling=True/Pending']],
    ['first pass for a new spec not finished', former, ['Ready=Unknown/Pending', 'Reconciling=True/Pending']],
    ['issued', held, ['Ready=True/Issued', 'Refreshed=True/Issued']],
    [
      'refresh failing for a passing reason, old credential still valid',
      { ...held, failure: failed() },
      ['Ready=True/Issued', 'Refreshed=False/StsUnreachable'],
    ],
    [
      'refresh denied by IAM for good, old credential still valid',
      { ...held, failure: denied },
      ['Ready=True/Issued', 'Refreshed=False/AccessDenied', 'Stalled=True/AccessDenied'],
    ],
    [
      'refresh denied by the grants, old credential still valid',
      { ...held, failure: { ...denied, code: 'GrantDenied' }, granted: { allowed: false, message: 'no grant' } },
      ['Granted=False/GrantDenied', 'Ready=True/Issued', 'Refreshed=False/GrantDenied', 'Stalled=True/GrantDenied'],
    ],
    [
      'no credential yet, passing reason',
      { failure: failed() },
      ['Ready=False/StsUnreachable', 'Reconciling=True/Retrying', 'Refreshed=False/StsUnreachable'],
    ],
    [
      'no credential for this spec yet, passing reason',
      { ...former, failure: failed() },
      ['Ready=False/StsUnreachable', 'Reconciling=True/Retrying', 'Refreshed=False/StsUnreachable'],
    ],
    [
      'no credential and a permanent reason',
      { failure: denied },
      ['Ready=False/AccessDenied', 'Refreshed=False/AccessDenied', 'Stalled=True/AccessDenied'],
    ],
    [
      'no credential for this spec and a permanent reason',
      { ...former, failure: denied },
      ['Ready=False/AccessDenied', 'Refreshed=False/AccessDenied', 'Stalled=True/AccessDenied'],
    ],
    [
      'credential expired, permanent reason',
      { ...ended, failure: denied },
      ['Ready=False/AccessDenied', 'Refreshed=False/AccessDenied', 'Stalled=True/AccessDenied'],
    ],
    [
      'credential expired, passing reason',
      { ...ended, failure: failed() },
      ['Ready=False/Expired', 'Reconciling=True/Retrying', 'Refreshed=False/StsUnreachable'],
    ],
    [
      'credential of the former spec expired, passing reason: the lower of two rows wins',
      { record: expired, current: false, failure: failed() },
      ['Ready=False/Expired', 'Reconciling=True/Retrying', 'Refreshed=False/StsUnreachable'],
    ],
    [
      'credential expired while the operator was away',
      ended,
      ['Ready=False/Expired', 'Reconciling=True/Retrying', 'Refreshed=True/Issued'],
    ],
    [
      'credential expired and removed, passing reason',
      { ...ended, scrubbed: true, failure: failed() },
      ['Ready=False/Expired', 'Reconciling=True/Retrying', 'Refreshed=False/StsUnreachable', 'Scrubbed=True/Expired'],
    ],
    [
      'credential expired and removed, permanent reason',
      { ...ended, scrubbed: true, failure: denied },
      [
        'Ready=False/AccessDenied',
        'Refreshed=False/AccessDenied',
        'Scrubbed=True/Expired',
        'Stalled=True/AccessDenied',
      ],
    ],
    [
      'credential removed by a clock that was wrong',
      { ...held, scrubbed: true, failure: failed() },
      ['Ready=False/Expired', 'Reconciling=True/Retrying', 'Refreshed=False/StsUnreachable', 'Scrubbed=True/Expired'],
    ],
    [
      'issued, and a workload to restart does not exist',
      { ...held, restartProblem: { reason: 'TargetNotFound', message: 'no web' } },
      ['Ready=True/Issued', 'Refreshed=True/Issued', 'RestartImpaired=True/TargetNotFound'],
    ],
    [
      'issued for a registry that nobody finds',
      { ...held, registryProblem: 'leave oci:// out' },
      ['Ready=True/Issued', 'Refreshed=True/Issued', 'RegistryUnusable=True/InvalidSpec'],
    ],
    [
      'suspended with a valid credential',
      { ...held, suspended: true },
      ['Ready=True/Issued', 'Refreshed=True/Issued', 'Suspended=True/Suspended'],
    ],
    [
      'suspended while the refresh failed for good',
      { ...held, suspended: true, failure: denied },
      ['Ready=True/Issued', 'Refreshed=True/Issued', 'Suspended=True/Suspended'],
    ],
    [
      'suspended after expiry',
      { ...ended, suspended: true },
      ['Ready=False/Expired', 'Refreshed=True/Issued', 'Suspended=True/Suspended'],
    ],
    [
      'suspended after expiry, permanent reason',
      { record: expired, suspended: true, failure: denied },
      ['Ready=False/Expired', 'Suspended=True/Suspended'],
    ],
    ['suspended from the start', { suspended: true }, ['Ready=Unknown/Suspended', 'Suspended=True/Suspended']],
    [
      'another AWSAssumeRole owns the Secret',
      { blocked: conflicting },
      ['Ready=False/ConflictingSecret', 'Stalled=True/ConflictingSecret'],
    ],
    ['foreign Secret', { blocked: refused }, ['Ready=False/AdoptionRefused', 'Stalled=True/AdoptionRefused']],
    [
      'foreign Secret and suspended: the lower of two rows wins',
      { blocked: refused, suspended: true },
      ['Ready=False/AdoptionRefused', 'Stalled=True/AdoptionRefused', 'Suspended=True/Suspended'],
    ],
    [
      'a conflict after an expired credential and a permanent failure',
      { ...ended, blocked: conflicting, failure: denied },
      ['Ready=False/ConflictingSecret', 'Refreshed=False/AccessDenied', 'Stalled=True/ConflictingSecret'],
    ],
    [
      'a clamped and granted issue',
      {
        ...held,
        clamp: { reason: 'RoleMaximum', message: '3600 s' },
        granted: { allowed: true, message: 'RoleGrant a' },
      },
      ['DurationClamped=True/RoleMaximum', 'Granted=True/Granted', 'Ready=True/Issued', 'Refreshed=True/Issued'],
    ],
  ])('%s', (_situation, change, expected) => {
    expect(said(change)).toEqual(expected);
  });

  it.each<[string, Partial<View>, Condition, string]>([
    ['denied before', {}, readyBefore('False', 'AccessDenied'), 'Ready=False/AccessDenied'],
    ['denied for a new spec before', former, readyBefore('False', 'AccessDenied'), 'Ready=False/AccessDenied'],
    ['ready before this spec', former, readyBefore('True', 'Issued'), 'Ready=True/Issued'],
    ['pending before', {}, readyBefore('Unknown', 'Pending'), 'Ready=Unknown/Pending'],
    ['ready before, the Secret is gone', {}, readyBefore('True', 'Issued'), 'Ready=Unknown/Suspended'],
    [
      'denied before, a credential for this spec stands',
      held,
      readyBefore('False', 'AccessDenied'),
      'Ready=True/Issued',
    ],
    ['expired by now', ended, readyBefore('False', 'AccessDenied'), 'Ready=False/Expired'],
  ])('suspended, Ready as before: %s', (_situation, change, ready, expected) => {
    expect(said({ ...change, suspended: true }, ready)).toContain(expected);
  });

  it('says so in sentences', () => {
    const failure = failed();
    expect(conditionsOf(view({ ...ended, failure, granted: { allowed: true, message: 'RoleGrant a' } }), now)).toEqual([
      {
        type: 'Ready',
        status: 'False',
        reason: 'Expired',
        message: `the credential ended at ${at(0)}; STS gives no answer`,
      },
      { type: 'Refreshed', status: 'False', reason: 'StsUnreachable', message: 'STS gives no answer' },
      { type: 'Reconciling', status: 'True', reason: 'Retrying', message: 'STS gives no answer' },
      { type: 'Granted', status: 'True', reason: 'Granted', message: 'RoleGrant a' },
    ]);
  });

  it.each<[string, Partial<View>, string]>([
    ['the session', held, 'rolevend-team.app'],
    [
      'the role, where the session is not known',
      { ...held, record: session({ assumedRoleArn: undefined }), roleArn: ROLE },
      ROLE,
    ],
    ['neither', { ...held, record: session({ assumedRoleArn: undefined }) }, 'the role'],
  ])('names %s in the message of Ready', (_what, change, text) => {
    expect(conditionsOf(view(change), now)[0]?.message).toContain(text);
  });

  it('ends a credential in the very millisecond in which it expires', () => {
    const ready = (time: number) => conditionsOf(view(held), time)[0]?.reason;
    expect([ready(T0 + HOUR - 1), ready(T0 + HOUR)]).toEqual(['Issued', 'Expired']);
  });
});

const anyFailure = fc.constantFrom(undefined, failed(), denied);
const anyView: fc.Arbitrary<View> = fc.record({
  record: fc.constantFrom(undefined, session(), expired),
  current: fc.boolean(),
  failure: anyFailure,
  blocked: fc.constantFrom(undefined, conflicting, refused),
  scrubbed: fc.boolean(),
  suspended: fc.boolean(),
  granted: fc.constantFrom(undefined, { allowed: true, message: 'yes' }, { allowed: false, message: 'no' }),
});
const anyReady = fc.constantFrom(
  undefined,
  readyBefore('True', 'Issued'),
  readyBefore('False', 'Expired'),
  readyBefore('Unknown', 'Pending'),
);

describe('any state', () => {
  const state = fc.tuple(anyView, anyReady).map(([given, ready]) => {
    const status = statusOf(role(ready && { status: { conditions: [ready] } }), given, now);
    const find = (type: string) => status.conditions?.find((condition) => condition.type === type);
    return { given, ready, status, find };
  });

  it('has each type once, Ready first, and all keys with the generation', () => {
    fc.assert(
      fc.property(state, ({ status }) => {
        const types = (status.conditions ?? []).map(({ type }) => type);
        expect([types[0], new Set(types).size]).toEqual(['Ready', types.length]);
        for (const condition of status.conditions ?? []) {
          expect(Object.keys(condition)).toEqual([
            'type',
            'status',
            'reason',
            'message',
            'lastTransitionTime',
            'observedGeneration',
          ]);
          expect(condition).toMatchObject({ observedGeneration: 2 });
          expect(condition.reason).toMatch(/^[A-Za-z]+$/);
        }
      }),
    );
  });

  it('is never stalled and reconciling at once, and abnormal conditions are only ever True', () => {
    fc.assert(
      fc.property(state, ({ find }) => {
        expect(find('Stalled') !== undefined && find('Reconciling') !== undefined).toBe(false);
        for (const type of ['Stalled', 'Reconciling', 'Suspended', 'Scrubbed'])
          expect(find(type)?.status ?? 'True').toBe('True');
      }),
    );
  });

  it('shows health and phase as Ready says', () => {
    const legacy = {
      True: { health: { status: 'Healthy' }, phase: 'Ready' },
      Unknown: { health: { status: 'Unknown' }, phase: 'Pending' },
      False: { health: { status: 'Unhealthy' }, phase: 'Pending' },
    };
    fc.assert(
      fc.property(state, ({ status, find }) => {
        const { health, phase } = status;
        expect({ health, phase }).toEqual(legacy[find('Ready')?.status ?? 'Unknown']);
      }),
    );
  });

  it('is Ready only with a credential that is valid', () => {
    fc.assert(
      fc.property(state, ({ given, find }) => {
        if (find('Ready')?.status !== 'True') return;
        expect(given.record?.expiresAt).toBeGreaterThan(now);
        expect(given.scrubbed).toBe(false);
        expect(given.blocked).toBeUndefined();
      }),
    );
  });

  it('stays Ready as long as a valid credential of the spec stands and the Secret may be touched', () => {
    fc.assert(
      fc.property(state, ({ given, find }) => {
        if (given.blocked || given.scrubbed || !given.current || (given.record?.expiresAt ?? 0) <= now) return;
        expect(find('Ready')).toMatchObject({ status: 'True', reason: 'Issued' });
      }),
    );
  });

  it('does not change by being computed again later', () => {
    fc.assert(
      fc.property(state, ({ given, status }) => {
        expect(statusOf(role({ status }), given, now + 1000)).toEqual(status);
      }),
    );
  });
});
