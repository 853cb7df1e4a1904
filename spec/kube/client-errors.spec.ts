import { describe, expect, it } from '@jest/globals';
import {
  errorOfStatus,
  isAlreadyExists,
  isConflict,
  isExpired,
  isNamespaceTerminating,
  isNotFound,
  isUidMismatch,
  type KubeStatus,
  type RequestContext,
} from '../../lib/kube/errors.ts';
import { leases, secrets, serviceAccounts } from '../../lib/kube/objects.ts';
import { pathOf } from '../../lib/kube/requests.ts';

const ref = { namespace: 'team', name: 'one' };
const about = { verb: 'update', resource: leases, ref };
const error = (code: number, status: KubeStatus = {}, context: RequestContext = about, retryAfter?: string) =>
  errorOfStatus(context, status, code, { retryAfter, now: Date.parse('2026-10-21T07:27:30Z') });

describe('the error for an answer of the API server', () => {
  it('names verb, resource, object, status, reason and what the server said', () => {
    expect(error(403, { reason: 'Forbidden', message: 'user "x" cannot update' }).message).toBe(
      'update leases team/one: 403 Forbidden: user "x" cannot update',
    );
  });

  it.each([
    ['a Secret', { verb: 'create', resource: secrets, ref }, 'create secrets team/one: 422 Invalid'],
    [
      'a token',
      { verb: 'create', resource: serviceAccounts, subresource: 'token', ref },
      'create serviceaccounts/token team/one: 422 Invalid',
    ],
  ])('keeps nothing that the server wrote about %s', (_, context, message) => {
    const got = error(422, { reason: 'Invalid', message: 'data "hunter2" is wrong' }, context);
    expect(got.message).toBe(message);
    expect(JSON.stringify({ ...got, cause: got.cause })).not.toContain('hunter2');
  });

  it.each([
    [400, 'BadRequest', 'stop'],
    [401, 'Unauthorized', 'retry'],
    [403, 'Forbidden', 'retry'],
    [404, 'NotFound', 'retry'],
    [409, 'Conflict', 'retry'],
    [410, 'Expired', 'retry'],
    [413, 'RequestEntityTooLarge', 'stop'],
    [415, 'Http415', 'stop'],
    [422, 'Invalid', 'stop'],
    [429, 'TooManyRequests', 'retry'],
    [502, 'Http502', 'retry'],
    [503, 'ServiceUnavailable', 'retry'],
  ])('%i without a reason is %s, and its consequence %s', (status, code, consequence) => {
    const got = error(status);
    expect({ status: got.status, code: got.code, consequence: got.consequence }).toEqual({ status, code, consequence });
  });

  it('waits for a namespace that is being deleted', () => {
    const got = error(403, { reason: 'Forbidden', details: { causes: [{ reason: 'NamespaceTerminating' }] } });
    expect([got.consequence, isNamespaceTerminating(got)]).toEqual(['wait', true]);
  });

  it('comes back to an object that is another one by now, although the patch was invalid', () => {
    const got = error(422, { reason: 'Invalid', details: { causes: [{ field: 'metadata.uid' }] } });
    expect([got.consequence, got.uidMismatch]).toEqual(['retry', true]);
  });

  it.each([
    ['the header', { header: '7', body: {} }],
    ['the body', { header: undefined, body: { details: { retryAfterSeconds: 7 } } }],
  ])('keeps the time to wait of %s', (_, { header, body }) => {
    expect(error(429, body, about, header).retryAfterMs).toBe(7_000);
  });

  it.each([
    ['Wed, 21 Oct 2026 07:28:00 GMT', 30_000],
    ['Wed, 21 Oct 2026 07:27:30 GMT', undefined],
    ['Wed, 21 Oct 2026 06:00:00 GMT', undefined],
    ['1.5', 1_500],
    ['0', undefined],
    ['-7', undefined],
    ['soon', undefined],
    ['', undefined],
    ['3600', 60_000],
    ['Thu, 22 Oct 2026 07:28:00 GMT', 60_000],
  ])('takes Retry-After %p for %p ms, by the time of the server', (header, ms) => {
    expect(error(503, {}, about, header).retryAfterMs).toBe(ms);
  });

  it('tells the kinds of refusal apart', () => {
    const kinds = { isAlreadyExists, isConflict, isExpired, isNotFound, isUidMismatch };
    const of = (got: unknown) => Object.entries(kinds).flatMap(([name, is]) => (is(got) ? [name] : []));
    expect({
      exists: of(error(409, { reason: 'AlreadyExists' })),
      conflict: of(error(409, { reason: 'Conflict' })),
      replaced: of(error(409, { reason: 'Conflict', message: 'Precondition failed: UID in precondition: a, …' })),
      patched: of(error(422, { reason: 'Invalid', details: { causes: [{ field: 'metadata.uid' }] } })),
      invalid: of(error(422, { reason: 'Invalid', details: { causes: [{ field: 'spec' }] } })),
      gone: of(error(410)),
      missing: of(error(404)),
      other: of(new Error('404')),
    }).toEqual({
      exists: ['isAlreadyExists'],
      conflict: ['isConflict'],
      replaced: ['isConflict', 'isUidMismatch'],
      patched: ['isUidMismatch'],
      invalid: [],
      gone: ['isExpired'],
      missing: ['isNotFound'],
      other: [],
    });
  });
});

describe('the path of a request', () => {
  const cluster = { ...leases, namespaced: false };
  it.each([
    ['/api/v1/namespaces/team/secrets/one', { verb: 'get', resource: secrets, ref }],
    ['/api/v1/namespaces/team/secrets', { verb: 'create', resource: secrets, ref }],
    ['/api/v1/secrets?limit=5', { verb: 'list', resource: secrets, query: { limit: '5', continue: undefined } }],
    [
      '/apis/coordination.k8s.io/v1/leases/one/status',
      { verb: 'patch', resource: cluster, ref, subresource: 'status' },
    ],
    [
      '/api/v1/namespaces/team/serviceaccounts/one/token',
      { verb: 'create', resource: serviceAccounts, ref, subresource: 'token' },
    ],
    [
      '/api/v1/namespaces/..%2Fx/secrets/a%3Fb?labelSelector=a%3Db%2Cc',
      { verb: 'get', resource: secrets, ref: { namespace: '../x', name: 'a?b' }, query: { labelSelector: 'a=b,c' } },
    ],
  ] as const)('%s', (path, call) => {
    expect(pathOf(call)).toBe(path);
  });
});
