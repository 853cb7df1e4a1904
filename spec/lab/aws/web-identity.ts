import { readFile } from 'node:fs/promises';
import { createLocalJWKSet, decodeJwt, errors, type JSONWebKeySet, type JWTPayload, jwtVerify } from 'jose';
import { Agent, request } from 'undici';
import type { Clock } from '../../../lib/clock.ts';
import { HANG_LIMIT_MS } from '../../support/eventually.ts';
import { Refusal } from './refusal.ts';

/** Where the keys of an issuer are published. */
export interface TrustedIssuer {
  /** The `iss` of its tokens. */
  issuer: string;
  /** Certificate authority of its address, a PEM file. Default: the machine's. */
  caFile?: string;
  /** Default: what `/.well-known/openid-configuration` names, else `/openid/v1/jwks`, both below the issuer. */
  jwksUri?: string;
}

/** Verifies tokens as AWS does: against the keys that their issuer publishes, kept until a token names an unknown one. */
export class WebIdentities {
  readonly #clock: Clock;
  readonly #issuers = new Map<string, TrustedIssuer>();
  readonly #keys = new Map<string, JSONWebKeySet>();

  /** @param clock the time that tokens are judged by; their issuers are real servers, so normally the machine's */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Sets how this issuer is reached, and forgets its keys. */
  trust(issuer: TrustedIssuer): void {
    this.#issuers.set(issuer.issuer, issuer);
    this.#keys.delete(issuer.issuer);
  }

  isTrusted(issuer: string): boolean {
    return this.#issuers.has(issuer);
  }

  /**
   * The claims of a token that is well signed, current and meant for one of the audiences.
   * Throws `Refusal`: InvalidIdentityToken, ExpiredTokenException, IDPCommunicationError.
   */
  async verify(token: string, audiences: string[]): Promise<JWTPayload> {
    const issuer = issuerOf(token);
    try {
      return await this.#verifyWithKeys(token, issuer, audiences, await this.#keysOf(issuer, false));
    } catch (error) {
      if (!isKeyProblem(error)) throw this.#asRefusal(error, token);
    }
    try {
      return await this.#verifyWithKeys(token, issuer, audiences, await this.#keysOf(issuer, true));
    } catch (error) {
      throw this.#asRefusal(error, token);
    }
  }

  async #verifyWithKeys(token: string, issuer: string, audience: string[], keys: JSONWebKeySet): Promise<JWTPayload> {
    const verified = await jwtVerify(token, createLocalJWKSet(keys), {
      issuer,
      audience,
      algorithms: ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512'],
      requiredClaims: ['sub', 'exp', 'iat'],
      currentDate: new Date(this.#clock.now()),
    });
    return verified.payload;
  }

  async #keysOf(issuer: string, again: boolean): Promise<JSONWebKeySet> {
    const known = this.#keys.get(issuer);
    if (known !== undefined && !again) return known;
    const keys = await fetchKeys(this.#issuers.get(issuer) ?? { issuer });
    this.#keys.set(issuer, keys);
    return keys;
  }

  #asRefusal(error: unknown, token: string): unknown {
    if (error instanceof errors.JWTExpired) {
      const now = Math.floor(this.#clock.now() / 1000);
      const text = `Token expired: current date/time ${now} must be before the expiration date/time ${decodeJwt(token).exp}`;
      return new Refusal('ExpiredTokenException', text);
    }
    if (isKeyProblem(error)) return new Refusal('InvalidIdentityToken', noKey);
    if (!(error instanceof errors.JWTClaimValidationFailed)) return error;
    const text = error.claim === 'aud' ? 'Incorrect token audience' : `Token claim is not acceptable: ${error.claim}`;
    return new Refusal('InvalidIdentityToken', text);
  }
}

const noKey =
  "Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements";

function isKeyProblem(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWSSignatureVerificationFailed ||
    error instanceof errors.JOSEAlgNotAllowed
  );
}

/** The `iss` of a token that nobody has verified yet. */
export function issuerOf(token: string): string {
  try {
    const { iss } = decodeJwt(token);
    if (typeof iss === 'string') return iss;
  } catch {
    // Falls through: whatever is wrong with it, AWS says the same.
  }
  throw new Refusal('InvalidIdentityToken', 'The ID Token provided is not a valid JWT.');
}

async function fetchKeys(issuer: TrustedIssuer): Promise<JSONWebKeySet> {
  const base = issuer.issuer.replace(/\/$/, '');
  try {
    const ca = issuer.caFile === undefined ? undefined : await readFile(issuer.caFile, 'utf8');
    const agent = new Agent({ connect: ca === undefined ? {} : { ca } });
    try {
      const uri = issuer.jwksUri ?? (await discovered(base, agent)) ?? `${base}/openid/v1/jwks`;
      return (await fetchJson(uri, agent)) as JSONWebKeySet;
    } finally {
      await agent.destroy();
    }
  } catch {
    throw new Refusal('IDPCommunicationError', `Error communicating with the identity provider at ${base}`);
  }
}

async function discovered(base: string, agent: Agent): Promise<string | undefined> {
  try {
    const document = (await fetchJson(`${base}/.well-known/openid-configuration`, agent)) as { jwks_uri?: string };
    return document.jwks_uri;
  } catch {
    return undefined;
  }
}

async function fetchJson(uri: string, dispatcher: Agent): Promise<unknown> {
  const response = await request(uri, { dispatcher, headersTimeout: HANG_LIMIT_MS, bodyTimeout: HANG_LIMIT_MS });
  if (response.statusCode !== 200) throw new Error(`HTTP ${response.statusCode}`);
  return response.body.json();
}
