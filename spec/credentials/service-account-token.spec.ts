import { describe, expect, it } from '@jest/globals';
import { serviceAccountToken } from '../../lib/credentials/service-account-token.ts';
import { KubeError } from '../../lib/kube/errors.ts';
import { serviceAccounts } from '../../lib/kube/objects.ts';

const account = { namespace: 'team-a', name: 'app', audience: 'sts.amazonaws.com' };
const refusal = (status: number, causes: string[] = []) => {
  const context = { verb: 'create', resource: serviceAccounts, subresource: 'token', ref: account };
  return new KubeError(context, { status, code: `Http${status}`, causes });
};
const asked = (error: unknown) => serviceAccountToken({ createToken: () => Promise.reject(error) }, account);

describe('a token of a ServiceAccount', () => {
  it('cannot print itself', async () => {
    const createToken = async () => ({ token: 'jwt', expiresAt: 0 });
    const token = await serviceAccountToken({ createToken }, account);
    expect([String(token), token.reveal()]).toEqual(['[redacted]', 'jwt']);
  });

  it('of a ServiceAccount that is missing is asked for again', async () => {
    await expect(asked(refusal(404))).rejects.toMatchObject({
      code: 'ServiceAccountNotFound',
      consequence: 'retry',
      message: expect.stringMatching(/no ServiceAccount app in namespace team-a: create it, or correct spec\.auth/),
    });
  });

  it('that the operator may not have names the value of the chart', async () => {
    await expect(asked(refusal(403))).rejects.toMatchObject({
      code: 'TokenRequestForbidden',
      consequence: 'retry',
      message: expect.stringContaining("--set 'serviceAccountAuth.namespaces={team-a}'"),
    });
  });

  it('that an admission policy refuses names that instead', async () => {
    const refuser = { by: 'policy', name: 'tokens.example', binding: 'all' } as const;
    const context = { verb: 'create', resource: serviceAccounts, subresource: 'token', ref: account };
    await expect(asked(new KubeError(context, { status: 422, code: 'Invalid', refuser }))).rejects.toMatchObject({
      code: 'TokenRequestForbidden',
      consequence: 'retry',
      message:
        'The request for a token of ServiceAccount team-a/app is refused by ValidatingAdmissionPolicy tokens.example (binding all). Change that policy or its binding, so that it lets what the operator writes through. It is tried again.',
    });
  });

  it.each([
    ['a namespace that goes away', refusal(403, ['NamespaceTerminating'])],
    ['an API server in trouble', refusal(503)],
    ['a signal', new DOMException('ended', 'AbortError')],
  ])('is not explained by us for %s', async (_what, error) => {
    await expect(asked(error)).rejects.toBe(error);
  });
});
