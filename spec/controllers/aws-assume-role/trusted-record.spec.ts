import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { AWSAssumeRoleStatus } from '../../../lib/api/aws-assume-role.ts';
import { annotations } from '../../../lib/api/names.ts';
import { type SessionRecord, sessionAnnotations } from '../../../lib/controllers/aws-assume-role/session-record.ts';
import { statusOf } from '../../../lib/controllers/aws-assume-role/status.ts';
import { trustedRecord } from '../../../lib/controllers/aws-assume-role/trusted-record.ts';
import { at, HOUR, MINUTE, role, SECOND, secretMeta, session, T0 } from './fixtures.ts';

const now = T0 + MINUTE;
const secretRef = { name: 'creds', uid: 's-1', resourceVersion: '7' };
const told = statusOf(role(), { record: session(), current: true, suspended: false, secretRef }, now);
const record = (noted: Partial<SessionRecord>, status: AWSAssumeRoleStatus = {}, change: Record<string, string> = {}) =>
  trustedRecord(
    secretMeta({ annotations: { ...sessionAnnotations(session(noted), 'sha'), ...change } }),
    role({ status }),
    now,
  );
const times = (found: SessionRecord | undefined) =>
  found && [found.accessKeyId, found.issuedAt - T0, found.expiresAt - T0];

const shifted = { issuedAt: T0 + 2 * MINUTE, expiresAt: T0 + 9 * HOUR };
const next = { ...shifted, accessKeyId: 'ASIATWO' };

describe('annotations of the session that the status tells', () => {
  it('have the times of the status and everything else of their own', () => {
    expect(record(shifted, told)).toEqual({ ...session(), assumed: false });
  });

  it.each([
    ['a life that AWS does not grant', { expiresAt: T0 + 99 * HOUR }],
    ['a start that lies ahead', { issuedAt: T0 + 98 * HOUR, expiresAt: T0 + 99 * HOUR }],
  ])('lose %s', (_what, noted) => {
    expect(times(record(noted, told))).toEqual(['ASIAONE', 0, HOUR]);
  });
});

describe('annotations of another session than the status tells', () => {
  it('count, since the operator may have ended before it wrote the status', () => {
    expect(times(record(next, told))).toEqual(['ASIATWO', 2 * MINUTE, 9 * HOUR]);
  });

  it('count without a status', () => {
    expect(times(record(next))).toEqual(['ASIATWO', 2 * MINUTE, 9 * HOUR]);
  });

  it.each<[string, Partial<SessionRecord>, boolean]>([
    ['12 hours', { issuedAt: T0, expiresAt: T0 + 12 * HOUR }, true],
    ['a second more than 12 hours', { issuedAt: T0, expiresAt: T0 + 12 * HOUR + SECOND }, false],
    ['an issue in five minutes', { issuedAt: now + 5 * MINUTE, expiresAt: T0 + HOUR }, true],
    ['an issue in more than five minutes', { issuedAt: now + 5 * MINUTE + SECOND, expiresAt: T0 + HOUR }, false],
    ['no access key', { accessKeyId: undefined }, false],
    ['no access key, as a legacy Secret that was taken over', { accessKeyId: undefined, assumed: true }, true],
  ])('tell %s and are believed: %p', (_what, noted, isBelieved) => {
    const change = { ...next, ...noted };
    const believed = times(record(change));
    expect(believed !== undefined).toBe(isBelieved);
    expect(times(record(change, told))).toEqual(isBelieved ? believed : ['ASIAONE', 0, HOUR]);
  });
});

describe('annotations that tell nothing', () => {
  const nothing = { [annotations.issuedAt]: '' };

  it('leave the session that the status tells of this Secret', () => {
    const { assumed: _, ...rest } = record({}, told, nothing) ?? session();
    expect(rest).toEqual(session());
  });

  it('leave what the status knows of it: after a failure neither request nor generation', () => {
    const failing = statusOf(
      role(),
      {
        record: session(),
        current: true,
        suspended: false,
        secretRef,
        failure: {
          code: 'x',
          message: 'y',
          count: 1,
          lastAttemptAt: now,
          permanent: false,
          generation: 2,
          requestId: 'r',
        },
      },
      now,
    );
    expect(record({}, failing, nothing)).toMatchObject({
      requestId: undefined,
      generation: undefined,
      accessKeyId: 'ASIAONE',
    });
  });

  it.each<[string, AWSAssumeRoleStatus]>([
    ['an end that lies too far ahead', { expiresAt: at(99 * HOUR) }],
    ['a start that lies ahead', { issuedAt: at(24 * HOUR), expiresAt: at(25 * HOUR) }],
    ['a start an hour ahead', { issuedAt: at(HOUR), expiresAt: at(2 * HOUR) }],
    ['a life longer than AWS grants', { issuedAt: at(-9 * HOUR), expiresAt: at(9 * HOUR) }],
    ['an end before its start', { expiresAt: at(-HOUR) }],
  ])('leave nothing where the status tells %s', (_what, change) => {
    expect(record({}, { ...told, ...change }, nothing)).toBeUndefined();
    expect(times(record({}, { ...told, ...change }))).toEqual(['ASIAONE', 0, HOUR]);
    expect(record({ issuedAt: T0 + 24 * HOUR, expiresAt: T0 + 25 * HOUR }, { ...told, ...change })).toBeUndefined();
  });

  it.each([
    ['once more', 'other', true],
    ['no more', 'sha', undefined],
  ])('restart workloads %s where those of %p were the last', (_what, lastRestartDigest, restarts) => {
    expect(record({}, { ...told, lastRestartDigest }, nothing)?.restarts).toBe(restarts);
  });

  it('leave an assumed life where the status knows no access key', () => {
    const { accessKeyId: _, ...legacy } = told;
    expect(record({}, legacy, nothing)).toMatchObject({ assumed: true, accessKeyId: undefined });
  });

  it.each<[string, AWSAssumeRoleStatus]>([
    ['is empty', {}],
    ['speaks of another Secret', { ...told, secretRef: { ...secretRef, uid: 's-0' } }],
    ['names no Secret', { issuedAt: at(0), expiresAt: at(HOUR) }],
    ['has no start', { expiresAt: at(HOUR), secretRef }],
    ['has no end', { issuedAt: at(0), secretRef }],
  ])('leave nothing where the status %s', (_what, status) => {
    expect(record({}, status, nothing)).toBeUndefined();
  });

  it('leave nothing of an object without a status', () => {
    expect(trustedRecord(secretMeta(), role(), now)).toBeUndefined();
  });
});

it('no annotation makes a session of the status live longer, or seem younger', () => {
  const anyTime = fc.integer({ min: -99, max: 99 }).map((hours) => T0 + hours * HOUR);
  fc.assert(
    fc.property(anyTime, anyTime, fc.boolean(), (issuedAt, expiresAt, whole) => {
      const found = record({ issuedAt, expiresAt, ...(!whole && { accessKeyId: undefined }) }, told);
      expect(times(found)).toEqual(['ASIAONE', 0, HOUR]);
    }),
  );
});
