import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { SecretValue } from '../../lib/api/credentials.ts';
import { tokenClaims } from '../../lib/aws/token-claims.ts';

const tokenOf = (claims: unknown) =>
  new SecretValue(`head.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.signature`);
const claims = { iss: 'https://idp.example.com', sub: 'system:serviceaccount:team-a:app' };

describe('the claims of a token', () => {
  it.each([['sts.amazonaws.com'], [['sts.amazonaws.com', 'other']]])('are read with the audience %j', (aud) => {
    expect(tokenClaims(tokenOf({ ...claims, aud }))).toEqual({
      issuer: claims.iss,
      subject: claims.sub,
      audience: 'sts.amazonaws.com',
    });
  });

  it.each([[{}], [{ ...claims }], [{ ...claims, aud: [] }], [{ ...claims, aud: 7 }], [{ aud: 'x' }], [null], ['x']])(
    'are unknown where something is missing: %j',
    (given) => {
      expect(tokenClaims(tokenOf(given))).toBeUndefined();
    },
  );

  it('are unknown for whatever is no token', () => {
    fc.assert(fc.property(fc.string(), (text) => expect(tokenClaims(new SecretValue(text))).toBeUndefined()));
  });
});
