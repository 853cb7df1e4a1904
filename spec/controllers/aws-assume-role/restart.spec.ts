import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { RestartPace } from '../../../lib/controllers/aws-assume-role/restart-pace.ts';
import { isToRetry, isTrouble, problemOf } from '../../../lib/controllers/aws-assume-role/restart-problem.ts';
import { restartAnnotation, workloads } from '../../../lib/controllers/aws-assume-role/restart-target.ts';
import { KubeError } from '../../../lib/kube/errors.ts';

const web = { kind: 'Deployment', name: 'web' } as const;
const db = { kind: 'StatefulSet', name: 'db' } as const;
const refused = (status: number, code: string) => {
  const context = { verb: 'patch', resource: workloads('Deployment'), ref: { namespace: 'team', name: 'web' } };
  return new KubeError(context, { status, code });
};
const missing = { target: web, error: refused(404, 'NotFound') };
const forbidden = { target: db, error: refused(403, 'Forbidden') };

describe('the annotation of a Pod template', () => {
  it('names the object, so that each has its own', () => {
    expect(restartAnnotation('reports')).toBe('restart.rolevend.dev/reports');
  });

  it('of any name is one that Kubernetes accepts, and another one for another name', () => {
    const name = fc.stringMatching(/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/);
    fc.assert(
      fc.property(name, name, (one, other) => {
        expect(restartAnnotation(one)).toMatch(/^restart\.rolevend\.dev\/[a-z0-9]([-a-z0-9._]{0,61}[a-z0-9])?$/);
        expect(restartAnnotation(one) === restartAnnotation(other)).toBe(one === other);
      }),
    );
  });

  it('of long names that begin alike differs', () => {
    const [one, other] = ['x', 'y'].map((end) => restartAnnotation('a'.repeat(200) + end));
    expect(one).toHaveLength('restart.rolevend.dev/'.length + 63);
    expect(one).not.toBe(other);
  });
});

describe('what keeps workloads from being restarted', () => {
  it('is told with a way out for each, what is tried again first', () => {
    expect(problemOf([missing, forbidden])).toEqual({
      reason: 'Forbidden',
      message:
        'StatefulSet "db" was not restarted: patch deployments team/web: 403 Forbidden; allow it with the chart value rolloutRestart.enabled=true, or take it out of spec.rolloutRestart.targets; ' +
        'Deployment "web" does not exist, so it was not restarted; create it or take it out of spec.rolloutRestart.targets',
    });
    expect(problemOf([missing])?.reason).toBe('TargetNotFound');
    expect(problemOf([])).toBeUndefined();
  });

  it('names no value of the chart where something else than a missing right refuses', () => {
    const context = { verb: 'patch', resource: workloads('Deployment'), ref: { namespace: 'team', name: 'web' } };
    const refuser = { by: 'webhook', name: 'deny.example' } as const;
    const error = new KubeError(context, { status: 403, code: 'Forbidden', refuser });
    expect(problemOf([{ target: web, error }])?.message).toBe(
      'Deployment "web" was not restarted: patch deployments team/web: 403 Forbidden by admission webhook deny.example; Whoever runs that webhook has to let what the operator writes through.',
    );
  });

  it('says nothing of an error that is not known', () => {
    expect(problemOf([{ target: web, error: new Error('holds a body') }])).toEqual({
      reason: 'InternalError',
      message: 'Deployment "web" was not restarted: Error',
    });
  });

  it.each([
    ['a missing workload', refused(404, 'NotFound'), [false, false]],
    ['a missing right', refused(403, 'Forbidden'), [true, false]],
    ['an API server that is silent', refused(0, 'Unreachable'), [true, true]],
    ['one that has trouble', refused(503, 'ServiceUnavailable'), [true, true]],
    ['one that asks for patience', refused(429, 'TooManyRequests'), [true, true]],
    ['anything else', new Error('?'), [true, true]],
  ])('is tried again, and ends the round, as it is %s', (_what, error, expected) => {
    const failed = { target: web, error };
    expect([isToRetry(failed), isTrouble(failed)]).toEqual(expected);
  });
});

describe('the pace of all restarts', () => {
  it('lets twenty come at once and then five a second', () => {
    const pace = new RestartPace();
    const starts = Array.from({ length: 30 }, () => pace.reserve(1, 1000) - 1000);
    expect(starts.slice(0, 21)).toEqual(Array(21).fill(0));
    expect(starts.slice(21)).toEqual([200, 400, 600, 800, 1000, 1200, 1400, 1600, 1800]);
  });

  it('counts every workload of an object', () => {
    const pace = new RestartPace();
    expect([pace.reserve(16, 0), pace.reserve(16, 0), pace.reserve(1, 0)]).toEqual([0, 0, 2400]);
  });

  it('forgets nothing but what a quiet time pays back', () => {
    const pace = new RestartPace();
    pace.reserve(40, 0);
    expect([pace.reserve(1, 4000), pace.reserve(1, 60_000)]).toEqual([4000, 60_000]);
  });
});
