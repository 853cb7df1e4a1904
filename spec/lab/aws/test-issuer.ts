import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { systemClock } from '../../../lib/clock.ts';
import type { Answer } from './call.ts';
import { serveLoopback } from './server.ts';

/** An issuer of ServiceAccount tokens for tests that need no API server. */
export interface TestIssuer {
  /** The `iss` of its tokens; its keys are published below. */
  issuer: string;
  /** A token for `system:serviceaccount:shop:api` and the audience `sts.amazonaws.com` that ends in an hour; `claims` change that. */
  token(claims?: JWTPayload): Promise<string>;
  /** A token that names the published key but is signed with another one. */
  forged(claims?: JWTPayload): Promise<string>;
  /** From now on the keys cannot be fetched. */
  breakDown(): void;
  stop(): Promise<void>;
}

/** Starts an issuer that publishes its keys the way Kubernetes does, over plain HTTP. */
export async function startTestIssuer(): Promise<TestIssuer> {
  const [real, other] = await Promise.all([generateKeyPair('RS256'), generateKeyPair('RS256')]);
  const keys = { keys: [{ ...(await exportJWK(real.publicKey)), kid: 'key-1', alg: 'RS256', use: 'sig' }] };
  let broken = false;
  const server = await serveLoopback(
    async (request) => page(broken ? 503 : request.url === '/openid/v1/jwks' ? 200 : 404, keys),
    () => systemClock.now(),
  );
  const sign = (key: typeof real.privateKey, claims: JWTPayload) => {
    const now = Math.floor(systemClock.now() / 1000);
    const usual = { iss: server.url, sub: 'system:serviceaccount:shop:api', aud: ['sts.amazonaws.com'] };
    const payload = { ...usual, iat: now, nbf: now, exp: now + 3600, ...claims };
    return new SignJWT(payload).setProtectedHeader({ alg: 'RS256', kid: 'key-1' }).sign(key);
  };
  return {
    issuer: server.url,
    token: (claims = {}) => sign(real.privateKey, claims),
    forged: (claims = {}) => sign(other.privateKey, claims),
    breakDown() {
      broken = true;
    },
    stop: () => server.close(),
  };
}

function page(status: number, content: object): Answer {
  return { status, headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(content)) };
}
