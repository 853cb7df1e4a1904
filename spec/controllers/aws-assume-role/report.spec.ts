import { describe, expect, it } from '@jest/globals';
import type { AWSAssumeRole } from '../../../lib/api/aws-assume-role.ts';
import { nextAttemptAt } from '../../../lib/controllers/aws-assume-role/backoff.ts';
import { dueOf, type Pass, type VendingContext } from '../../../lib/controllers/aws-assume-role/pass.ts';
import { report, viewOf } from '../../../lib/controllers/aws-assume-role/report.ts';
import { clampTo } from '../../../lib/credentials/duration.ts';
import { ManualClock } from '../../support/clock.ts';
import {
  at,
  denied,
  failed,
  granted,
  HOUR,
  lost,
  MINUTE,
  type PassChange,
  passOf,
  ROLE,
  role,
  SECOND,
  secretMeta,
  session,
  T0,
  written,
} from './fixtures.ts';

const now = T0 + MINUTE;
const view = (change: PassChange = {}) => viewOf(passOf(change), now);
const due = dueOf(passOf(), session());

describe('what the status follows from', () => {
  it('is all that the pass knows of a good Secret', () => {
    expect(view()).toEqual({
      record: session(),
      current: true,
      secretRef: { name: 'creds', uid: 's-1', resourceVersion: '7' },
      roleArn: ROLE,
      nextRefreshAt: due,
      failure: undefined,
      blocked: undefined,
      scrubbed: false,
      suspended: false,
      granted,
      clamp: undefined,
      effectiveDurationSeconds: 900,
      handledRefreshRequest: undefined,
      restart: undefined,
      restartProblem: undefined,
      registryProblem: undefined,
    });
  });

  it('is the trouble of a host that it waits for, as long as nothing of its own has failed', () => {
    const silence = { code: 'StsUnreachable', message: 'STS in x gives no answer' };
    const told = { ...silence, permanent: false, count: 0, generation: 2 };
    expect(viewOf({ ...passOf(), silence }, now).failure).toEqual(told);
    const own = failed();
    const pass = passOf();
    expect(viewOf({ ...pass, memory: { ...pass.memory, failure: own }, silence }, now).failure).toEqual(own);
  });

  it('is no session of an earlier object', () => {
    expect(view({ seen: { state: 'stale', meta: written(), record: session() } })).toMatchObject({
      record: undefined,
      current: false,
      nextRefreshAt: undefined,
    });
  });

  it('is a session that does not count where its data were edited', () => {
    const object = role({ status: { secretRef: { name: 'creds', uid: 's-1', resourceVersion: '5' } } });
    const seen: Pass['seen'] = { state: 'edited', meta: written(), record: session() };
    expect(view({ object, seen })).toMatchObject({ current: false, secretRef: { resourceVersion: '5' } });
    expect(view({ seen })).toMatchObject({ current: false, secretRef: undefined });
  });

  it('is no version of a Secret that has still to be taken over', () => {
    expect(view({ seen: { state: 'intact', meta: secretMeta(), record: session() } }).secretRef).toBeUndefined();
  });

  it('is the version of our last write while labels, annotations or owner are still to be put right', () => {
    const object = role({ status: { secretRef: { name: 'creds', uid: 's-1', resourceVersion: '5' } } });
    const seen = { state: 'intact', meta: written(), record: session(), isDrifted: true } as const;
    expect(view({ object, seen }).secretRef).toEqual({ name: 'creds', uid: 's-1', resourceVersion: '5' });
  });

  it('is no reference to a Secret that is not there, not known in full or not ours', () => {
    const { uid: _, ...withoutUid } = written();
    const { resourceVersion: __, ...withoutVersion } = written();
    const blocked = { reason: 'AdoptionRefused', message: 'not ours' } as const;
    const seen: Pass['seen'][] = [
      { state: 'absent' },
      { state: 'intact', meta: withoutUid },
      { state: 'intact', meta: withoutVersion },
      { state: 'absent', meta: written(), blocked },
    ];
    expect(seen.map((one) => view({ seen: one }).secretRef)).toEqual([undefined, undefined, undefined, undefined]);
  });

  it('is the role of the status where it cannot be told now', () => {
    expect(view({ object: role({ status: { roleArn: 'arn:old' } }), asked: lost }).roleArn).toBe('arn:old');
  });

  it('is what is wrong with the registries that an older version took', () => {
    const told = (ecrRepositoryUrl: string, change: PassChange = {}) =>
      view({ ...change, object: role({ spec: { secretType: 'EcrDockerConfigJson', ecrRepositoryUrl } }) })
        .registryProblem;
    expect(told('oci://host.example.org')).toMatch(/^spec\.ecrRepositoryUrl: .* neither kubelet nor helm finds it/);
    expect(told('host.example.org')).toBeUndefined();
    const wrong = { obstacle: { code: 'InvalidSpec', message: 'wrong', permanent: true } } as const;
    expect(told('oci://host.example.org', { asked: wrong })).toBeUndefined();
  });

  it('is the tightest clamp', () => {
    expect(view({ clamps: [clampTo('RoleMaximum', 3600)] }).clamp).toMatchObject({ reason: 'RoleMaximum' });
  });
});

describe('the time of the next refresh', () => {
  const failure = failed({ lastAttemptAt: due, count: 9 });

  it.each<[string, PassChange, number | undefined]>([
    ['is the due time', {}, due],
    ['is the due time while a failure is over before', { memory: { failure: failed() } }, due],
    ['is the end of the back-off', { memory: { failure } }, nextAttemptAt('u-app', failure, T0 + HOUR)],
    ['is unknown without a session', { seen: { state: 'absent' } }, undefined],
    ['is none while suspended', { object: role({ spec: { suspend: true } }) }, undefined],
    [
      'is none of a Secret that is not ours',
      { seen: { state: 'intact', record: session(), blocked: { reason: 'ConflictingSecret', message: '' } } },
      undefined,
    ],
  ])('%s', (_what, change, expected) => {
    expect(view(change).nextRefreshAt).toBe(expected);
  });

  it('of a registry token is the one of its shorter window', () => {
    const record = session({ expiresAt: T0 + 12 * HOUR });
    const spec = { secretType: 'EcrDockerConfigJson', ecrRepositoryUrl: 'x', refresh: { percent: 80 } } as const;
    const due = view({ object: role({ spec }), seen: { state: 'intact', record } }).nextRefreshAt;
    expect(due).toBeLessThanOrEqual(T0 + 6 * HOUR);
  });
});

describe('an obstacle', () => {
  const telling = (code: string, message: string, ms: number) =>
    role({
      status: {
        lastErrorCode: code,
        lastAttemptAt: at(ms),
        conditions: [{ type: 'Refreshed', status: 'False', reason: code, message, lastTransitionTime: at(ms) }],
      },
    });
  const asFailure = (obstacle: object, lastAttemptAt = now) => ({
    ...obstacle,
    count: 1,
    lastAttemptAt,
    generation: 2,
  });

  it.each<[string, PassChange, object | undefined]>([
    ['that is permanent shows at once', { asked: denied }, asFailure(denied.obstacle)],
    ['that may pass does not, while nothing is to be done', { asked: lost }, undefined],
    ['that may pass does where something is', { asked: lost, seen: { state: 'absent' } }, asFailure(lost.obstacle)],
    ['does not matter while suspended', { asked: denied, object: role({ spec: { suspend: true } }) }, undefined],
    [
      'does not matter where the Secret is not ours',
      { asked: denied, seen: { state: 'absent', blocked: { reason: 'AdoptionRefused', message: '' } } },
      undefined,
    ],
    [
      'keeps the time since when it stands',
      { asked: denied, object: telling('GrantDenied', 'no grant', -HOUR) },
      asFailure(denied.obstacle, T0 - HOUR),
    ],
    [
      'keeps no time that lies ahead',
      { asked: denied, object: telling('GrantDenied', 'no grant', 24 * HOUR) },
      asFailure(denied.obstacle),
    ],
    [
      'that is permanent has the text and time of now where its text changed',
      { asked: denied, object: telling('GrantDenied', 'no grant at all', now - T0 - SECOND) },
      asFailure(denied.obstacle),
    ],
    [
      'that may pass keeps its text for a minute, since it may name a request',
      { asked: lost, seen: { state: 'absent' }, object: telling('NoIdentity', 'request 1', now - T0 - 59 * SECOND) },
      asFailure({ ...lost.obstacle, message: 'request 1' }, now - 59 * SECOND),
    ],
    [
      'that may pass has the text of now after a minute',
      { asked: lost, seen: { state: 'absent' }, object: telling('NoIdentity', 'request 1', now - T0 - MINUTE) },
      asFailure(lost.obstacle),
    ],
    [
      'does not take the time of another failure',
      { asked: denied, object: role({ status: { lastErrorCode: 'Throttling', lastAttemptAt: at(-HOUR) } }) },
      asFailure(denied.obstacle),
    ],
    ['goes before what was remembered', { asked: denied, memory: { failure: failed() } }, asFailure(denied.obstacle)],
    ['that is none leaves what was remembered', { memory: { failure: failed() } }, failed()],
  ])('%s', (_what, change, expected) => {
    expect(view(change).failure).toEqual(expected);
  });

  it('counts for generation 0 where the object has none', () => {
    const object = { ...role(), metadata: { name: 'app', uid: 'u-app' } };
    expect(view({ object, asked: denied }).failure?.generation).toBe(0);
  });
});

describe('while the identity is not known', () => {
  const condition = (type: string, status: 'True' | 'False', reason: string) => ({
    type,
    status,
    reason,
    message: 'as told',
    lastTransitionTime: at(0),
  });
  const conditions = [condition('Granted', 'True', 'Granted'), condition('DurationClamped', 'True', 'RoleChaining')];
  const told = (status: AWSAssumeRole['status'], asked: Pass['asked'] = lost) => {
    const { granted, clamp } = view({ object: role({ status: status ?? {} }), asked });
    return [granted, clamp?.reason];
  };

  it.each<[string, AWSAssumeRole['status'], unknown[]]>([
    ['grant and clamp', { observedGeneration: 2, conditions }, [{ allowed: true, message: 'as told' }, 'RoleChaining']],
    [
      'a denial',
      { observedGeneration: 2, conditions: [condition('Granted', 'False', 'GrantDenied')] },
      [{ allowed: false, message: 'as told' }, undefined],
    ],
    ['nothing, where nothing was told', { observedGeneration: 2 }, [undefined, undefined]],
    ['nothing of a former spec', { observedGeneration: 1, conditions }, [undefined, undefined]],
  ])('the status keeps telling %s', (_what, status, expected) => {
    expect(told(status)).toEqual(expected);
  });

  it('no longer than that', () => {
    expect(told({ observedGeneration: 2, conditions }, denied)).toEqual([
      { allowed: false, message: 'no grant' },
      undefined,
    ]);
  });
});

it('the view a second later is the same', () => {
  expect(viewOf(passOf(), now + SECOND)).toEqual(view());
});

describe('a written status', () => {
  /** A pass over generation 1, and an API server (a stub) that answers its status write with `answer`. */
  async function reported(answer: AWSAssumeRole) {
    const pass = passOf({ object: role({ metadata: { generation: 1, resourceVersion: '10' } }) });
    const observed: AWSAssumeRole[] = [];
    await report(pass, {
      client: { patchStatus: async () => answer },
      objects: { observe: (object: AWSAssumeRole) => observed.push(object) },
      clock: new ManualClock(T0),
      skewMs: () => 0,
    } as unknown as VendingContext);
    return { pass, observed };
  }

  it('is known to the next pass at once', async () => {
    const answer = role({ metadata: { generation: 1, resourceVersion: '20' }, status: { conditions: [] } });
    const { pass, observed } = await reported(answer);
    expect({ observed, object: pass.object }).toEqual({ observed: [answer], object: answer });
  });

  it('leaves a change of the object that came with the answer to the watch, which would wake nobody for a known version', async () => {
    const { pass, observed } = await reported(role({ metadata: { generation: 2, resourceVersion: '20' } }));
    const { generation, resourceVersion } = pass.object.metadata;
    expect({ observed, generation, resourceVersion }).toEqual({ observed: [], generation: 1, resourceVersion: '20' });
  });
});
