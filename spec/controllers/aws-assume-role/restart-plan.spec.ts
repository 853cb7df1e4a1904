import { describe, expect, it } from '@jest/globals';
import type { AWSAssumeRoleSpec, AWSAssumeRoleStatus } from '../../../lib/api/aws-assume-role.ts';
import type { RestartResult } from '../../../lib/controllers/aws-assume-role/restart.ts';
import {
  intervalProblem,
  leftRetryAt,
  restartAt,
  restartDigest,
  restartProblem,
} from '../../../lib/controllers/aws-assume-role/restart-plan.ts';
import { sessionAnnotations } from '../../../lib/controllers/aws-assume-role/session-record.ts';
import { digest } from '../../../lib/secrets/render.ts';
import { at, HOUR, MINUTE, type PassChange, passOf, role, secretMeta, session, T0 } from './fixtures.ts';

const web = { kind: 'Deployment', name: 'web' } as const;
const restarting = (minInterval?: string, spec: Partial<AWSAssumeRoleSpec> = {}, status: AWSAssumeRoleStatus = {}) =>
  role({ spec: { rolloutRestart: { targets: [web], ...(minInterval && { minInterval }) }, ...spec }, status });
const record = session({ restarts: true });
const meta = (sha: string) => secretMeta({ annotations: sessionAnnotations(record, sha) });
const seen = { state: 'intact', meta: meta('sha'), record } as const;
const now = T0 + MINUTE;

describe('workloads are to hold the data of a Secret', () => {
  const wanted = (change: PassChange = {}, time = now) =>
    restartDigest(passOf({ object: restarting(), seen, ...change }), time);

  it('that replaced others', () => {
    expect(wanted()).toBe('sha');
  });

  it.each<[string, string | undefined]>([
    ['are the first under this name', wanted({ seen: { ...seen, record: session() } })],
    ['nobody is to be restarted for', wanted({ object: role() })],
    ['have ended', wanted({}, T0 + HOUR)],
    ['were removed after their end', wanted({ seen: { ...seen, meta: meta(digest({})) } })],
    ['somebody edited', wanted({ seen: { ...seen, state: 'edited' } })],
    ['belong to another one', wanted({ seen: { ...seen, blocked: { reason: 'ConflictingSecret', message: '' } } })],
    ['are of a suspended object', wanted({ object: restarting('1h', { suspend: true }) })],
    [
      'are of an object whose spec is refused',
      wanted({ asked: { obstacle: { code: 'InvalidSpec', message: '', permanent: true } } }),
    ],
  ])('but not where they %s', (_what, found) => {
    expect(found).toBeUndefined();
  });
});

describe('the time of a restart', () => {
  const time = (status: AWSAssumeRoleStatus, retryAt?: number) =>
    restartAt(passOf({ object: restarting('20m', {}, status) }), 'sha', T0 + MINUTE, retryAt);

  it('is at once for the first one', () => {
    expect(time({})).toBe(Number.NEGATIVE_INFINITY);
  });

  it('is the interval after the last one', () => {
    expect(time({ lastRestartAt: at(0), lastRestartDigest: 'old' })).toBe(T0 + 20 * MINUTE);
  });

  it('is none where it was for the same data', () => {
    expect(time({ lastRestartAt: at(0), lastRestartDigest: 'sha' })).toBeUndefined();
  });

  it('is at once where the status tells of one that lies ahead', () => {
    expect(time({ lastRestartAt: at(24 * HOUR), lastRestartDigest: 'old' })).toBe(Number.NEGATIVE_INFINITY);
  });

  it('is that of the next try where some of it failed', () => {
    expect(time({ lastRestartAt: at(0), lastRestartDigest: 'sha' }, T0 + 1)).toBe(T0 + 1);
  });

  it('by default is an hour after the last one', () => {
    const object = restarting(undefined, {}, { lastRestartAt: at(0) });
    expect(restartAt(passOf({ object }), 'sha', T0)).toBe(T0 + HOUR);
  });
});

const condition = (reason: string) => ({
  type: 'RestartImpaired',
  status: 'True' as const,
  reason,
  message: 'as told',
  lastTransitionTime: at(0),
});
const told = (reason: string, observedGeneration = 2): AWSAssumeRoleStatus => ({
  observedGeneration,
  conditions: [condition(reason)],
});

describe('what an earlier process left undone', () => {
  it.each<[string, AWSAssumeRoleStatus, number | undefined]>([
    ['is done at once', told('Forbidden'), now],
    ['is nothing where all went well', {}, undefined],
    ['is nothing where a target does not exist', told('TargetNotFound'), undefined],
    ['is done at once where the target was missing in another spec', told('TargetNotFound', 1), now],
    ['is nothing where only the interval is long', told('IntervalTooLong', 1), undefined],
  ])('%s', (_what, status, expected) => {
    expect(leftRetryAt({ object: restarting('1h', {}, status) }, now)).toBe(expected);
  });
});

describe('the problem that the status tells', () => {
  const found = (change: PassChange) => restartProblem(passOf({ seen, ...change }), record);
  const result = (problem?: RestartResult['problem']): RestartResult => ({
    digest: 'sha',
    at: now,
    restarted: [],
    problem,
  });
  const forbidden = { reason: 'Forbidden', message: 'no' };

  it.each<[string, PassChange, string | undefined]>([
    ['is that of this pass', { object: restarting('20m'), restart: result(forbidden) }, 'Forbidden'],
    ['is over with a restart', { object: restarting('20m', {}, told('Forbidden')), restart: result() }, undefined],
    ['stays until then', { object: restarting('20m', {}, told('TargetNotFound')) }, 'TargetNotFound'],
    ['ends with its spec', { object: restarting('20m', {}, told('TargetNotFound', 1)) }, undefined],
    ['is gone without targets', { object: role({ status: told('TargetNotFound') }) }, undefined],
    ['may be the interval', { object: restarting('1h') }, 'IntervalTooLong'],
    ['is the interval only as long as it is', { object: restarting('20m', {}, told('IntervalTooLong')) }, undefined],
  ])('%s', (_what, change, expected) => {
    expect(found(change)?.reason).toBe(expected);
  });
});

describe('an interval is too long', () => {
  const said = (minInterval: string, spec: Partial<AWSAssumeRoleSpec>, lifeMs: number) =>
    intervalProblem(passOf({ object: restarting(minInterval, spec) }), session({ expiresAt: T0 + lifeMs }))?.message;

  it.each([
    ['24m', {}, HOUR],
    ['7m', {}, 15 * MINUTE],
    ['1h', { secretType: 'EcrDockerConfigJson' as const }, 12 * HOUR],
  ])('but not %s for what lives %j %d ms', (minInterval, spec, lifeMs) => {
    expect(said(minInterval, spec, lifeMs)).toBeUndefined();
  });

  it('where a credential may end before the next restart; it says how long it may be', () => {
    expect(said('1h', {}, HOUR)).toBe(
      'workloads may hold a credential that has ended before they are restarted: spec.rolloutRestart.minInterval is 1h; set it to 24m or less, or raise durationSeconds',
    );
    expect(said('25m', {}, HOUR)).toContain('set it to 24m or less');
    expect(said('8m', {}, 15 * MINUTE)).toContain('set it to 7m or less');
  });
});
