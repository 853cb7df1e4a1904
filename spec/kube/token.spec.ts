import { beforeAll, describe, expect, it } from '@jest/globals';
import { generateKeyPair, SignJWT } from 'jose';
import { claimsOf, tokenProblem } from '../../lib/kube/token.ts';

describe('a token', () => {
  let tokens: string[];

  beforeAll(async () => {
    const sign = async (alg: string) => {
      const { privateKey } = await generateKeyPair(alg);
      return await new SignJWT({ sub: 'somebody', exp: 1 }).setProtectedHeader({ alg }).sign(privateKey);
    };
    tokens = await Promise.all(['RS256', 'PS384', 'ES256', 'ES384', 'ES512', 'EdDSA'].map(sign));
  });

  it('may be any word', () => {
    const words = ['x', 'hunter2', 'abcdef.0123456789abcdef', 'k8s-aws-v1.aHR0cHM6Ly8', 'a:b/c+d=='];
    expect(words.map(tokenProblem)).toEqual(words.map(() => undefined));
  });

  it('is no empty text, and none with blanks or other characters that cannot be sent', () => {
    const odd = 'holds blanks or other characters that no token has';
    expect(['', 'a b', 'a\nb', 'a\u0000', 'ä'].map(tokenProblem)).toEqual(['is empty', odd, odd, odd, odd]);
  });

  it('that is a JWT is told from each part of it', () => {
    const lengths = (token: string) => Array.from({ length: token.length }, (_, index) => index + 1);
    const whole = tokens.map((token) =>
      lengths(token).filter((end) => tokenProblem(token.slice(0, end)) === undefined),
    );
    expect(whole).toEqual(tokens.map(({ length }) => [length]));
  });

  it('that is a JWT has a signature as long as its algorithm makes it', () => {
    const signed = (alg: string, bytes: number) =>
      [JSON.stringify({ alg }), JSON.stringify({}), Buffer.alloc(bytes)]
        .map((part) => Buffer.from(part as string).toString('base64url'))
        .join('.');
    const isWhole = (alg: string, sizes: number[]) =>
      sizes.filter((bytes) => tokenProblem(signed(alg, bytes)) === undefined);
    expect({
      rsa: isWhole('RS256', [224, 255, 256, 300, 383, 384, 512]),
      curve: isWhole('ES384', [64, 95, 96, 97]),
      unknown: isWhole('X', [0, 1]),
    }).toEqual({ rsa: [256, 384, 512], curve: [96], unknown: [1] });
  });

  it('has three parts as a JWT, or five where that is encrypted', () => {
    const encrypted = 'eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.a2V5.aXY.dGV4dA.dGFn';
    expect([`${tokens[0]}.c2ln`, encrypted.replace('.dGFn', ''), encrypted].map(tokenProblem)).toEqual([
      'holds only a part of a token',
      'holds only a part of a token',
      undefined,
    ]);
  });

  it('tells its claims, if it has any', () => {
    expect([claimsOf(tokens[0] ?? ''), claimsOf('abc.def'), claimsOf('abc')]).toEqual([
      { sub: 'somebody', exp: 1 },
      undefined,
      undefined,
    ]);
  });
});
