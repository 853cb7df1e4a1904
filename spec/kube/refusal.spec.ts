import { describe, expect, it } from '@jest/globals';
import { errorOfStatus, type KubeStatus } from '../../lib/kube/errors.ts';
import { secrets } from '../../lib/kube/objects.ts';
import { refuserAdvice, refuserIn } from '../../lib/kube/refusal.ts';

/** Stands for whatever a message quotes of a Secret. */
const QUOTED = 'hunter2-s3cret';
const context = { verb: 'create', resource: secrets, ref: { namespace: 'team', name: 'one' } };

const told = (code: number, status: KubeStatus) => {
  const error = errorOfStatus(context, status, code);
  const { message, refuser } = error;
  expect(JSON.stringify([message, refuser, refuser && refuserAdvice(refuser)])).not.toContain(QUOTED);
  return message.replace('create secrets team/one: ', '');
};

it('takes no reason but those of an API server itself, since a webhook may give any text as one', () => {
  const message = 'admission webhook "a.b" denied the request';
  const error = errorOfStatus(context, { reason: QUOTED, message, details: { causes: [{ reason: QUOTED }] } }, 403);
  expect([error.code, error.message]).toEqual([
    'Forbidden',
    'create secrets team/one: 403 Forbidden by admission webhook a.b',
  ]);
  const codes = [418, 500, 504, 405].map((code) => errorOfStatus(context, { reason: QUOTED }, code).code);
  expect(codes).toEqual(['Http418', 'InternalError', 'Timeout', 'Http405']);
  expect(errorOfStatus(context, { reason: 'MethodNotAllowed' }, 405).code).toBe('MethodNotAllowed');
});

describe('who refused to take a Secret is told by name, and nothing of what was said of it', () => {
  const forbidden = 'secrets "one" is forbidden:';
  it.each([
    [
      403,
      'Forbidden',
      `admission webhook "vault.example.com" denied the request: ${QUOTED}`,
      'by admission webhook vault.example.com',
    ],
    [
      500,
      'InternalError',
      `Internal error occurred: failed calling webhook "a.b": failed to call webhook: ${QUOTED}`,
      'because admission webhook a.b gives no answer',
    ],
    [
      422,
      'Invalid',
      `${forbidden} ValidatingAdmissionPolicy 'no-keys' with binding 'all' denied request: ${QUOTED}`,
      'by ValidatingAdmissionPolicy no-keys (binding all)',
    ],
    [
      403,
      'Forbidden',
      `${forbidden} exceeded quota: compute-resources, requested: secrets=1, used: secrets=10, limited: secrets=10`,
      'by ResourceQuota compute-resources',
    ],
    [
      403,
      'Forbidden',
      `${forbidden} failed quota: small: must specify limits.cpu for: ${QUOTED}`,
      'by ResourceQuota small',
    ],
    [
      403,
      'Forbidden',
      `secrets is forbidden: User "system:serviceaccount:ops:rolevend" cannot create resource "secrets" in API group "" in the namespace "team": ${QUOTED}`,
      'by the authorization (RBAC): system:serviceaccount:ops:rolevend may not create secrets',
    ],
    [
      403,
      'Forbidden',
      `secrets "one" is forbidden: User "me@example.com" cannot update resource "secrets" in API group ""`,
      'by the authorization (RBAC): me@example.com may not update secrets',
    ],
    [
      403,
      'Forbidden',
      `pods "x" is forbidden: violates PodSecurity "restricted:latest": ${QUOTED}`,
      'by PodSecurity restricted:latest',
    ],
    [
      403,
      'Forbidden',
      `${forbidden} cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: , <nil>`,
      'by the admission plugin OwnerReferencesPermissionEnforcement',
    ],
    [
      403,
      'Forbidden',
      `${forbidden} cannot set an ownerRef on a resource you can't delete: , <nil>`,
      'by the admission plugin OwnerReferencesPermissionEnforcement',
    ],
  ])('%i %s: %s', (code, reason, message, who) => {
    expect(told(code, { reason, message })).toBe(`${code} ${reason} ${who}`);
  });

  it.each([
    [[{ field: 'data', reason: 'FieldValueTooLong', message: QUOTED }], ' for data (FieldValueTooLong)'],
    [
      [
        {
          field: 'data',
          reason: 'FieldValueForbidden',
          message: 'Forbidden: field is immutable when `immutable` is set',
        },
        { field: 'data[key.one]', reason: 'FieldValueInvalid', message: `Invalid value: "${QUOTED}"` },
      ],
      ' for data (immutable), data[key.one] (FieldValueInvalid)',
    ],
    [[{ field: `data[${QUOTED} x]`, reason: 'FieldValueInvalid' }], ' for data (FieldValueInvalid)'],
    [
      ['a b', 'c d'].map((key) => ({ field: `data[${key}]`, reason: 'FieldValueInvalid' })),
      ' for data (FieldValueInvalid)',
    ],
    [[{ field: `${QUOTED} x`, reason: 'FieldValueInvalid' }], ''],
    [[{ field: 'data', reason: QUOTED }], ''],
    [[{ message: QUOTED }], ''],
  ])('by the fields that it names: %j', (causes, who) => {
    expect(told(422, { reason: 'Invalid', message: QUOTED, details: { causes } })).toBe(`422 Invalid${who}`);
  });

  it.each([
    [`admission webhook "${QUOTED} x" denied the request`],
    [`it said: admission webhook "${QUOTED}" denied the request`],
    [`it said: Internal error occurred: failed calling webhook "${QUOTED}"`],
    [`it said: secrets "one" is forbidden: exceeded quota: ${QUOTED}, requested`],
    [`secrets "one" is forbidden: it said: exceeded quota: ${QUOTED}, requested`],
    [`secrets "one" is forbidden: ValidatingAdmissionPolicy '${QUOTED}' said no`],
    [QUOTED],
  ])('or is not told, where it does not stand where the API server writes it: %s', (message) => {
    expect(told(403, { reason: 'Forbidden', message })).toBe('403 Forbidden');
    expect(refuserIn({ message })).toBeUndefined();
  });
});

it.each([
  ['text/html', '502 Http502 (text/html, not from the API server)'],
  ['text/plain', '502 Http502 (text/plain)'],
  [undefined, '502 Http502'],
])('an answer that holds no status is told with its media type: %s', (media, says) => {
  expect(errorOfStatus(context, {}, 502, { media }).message).toBe(`create secrets team/one: ${says}`);
});
