import type { LookupFunction } from 'node:net';
import type { Clock } from '../clock.ts';
import type { OidcConfig } from './kubeconfig.ts';
import { oidcFailed } from './oidc-error.ts';
import type { Expiring } from './renewal.ts';
import { claimsOf } from './token.ts';

/** An id-token, as the API server takes it for a bearer token. */
export interface IdToken extends Expiring {
  token: string;
}

export interface OidcOptions {
  config: OidcConfig;
  clock: Clock;
  /** For the proxy on the way to the provider (`HTTPS_PROXY`, `NO_PROXY`), as kubectl does. */
  environment: Readonly<Record<string, string | undefined>>;
  /** Default: `getaddrinfo`. */
  lookup?: LookupFunction | undefined;
}

/**
 * The id-tokens of a login at an OpenID Connect provider: that of the kubeconfig while it is valid, then one after the other
 * for the refresh token. What the provider gives is kept in memory; the kubeconfig stays as it is.
 */
export class IdTokens {
  readonly #options: OidcOptions;
  #given: IdToken | undefined;
  /** A provider may give a new one with each id-token, and refuse the old one from then on. */
  #refreshToken: string | undefined;

  constructor(options: OidcOptions) {
    const { idToken, refreshToken } = options.config;
    this.#options = options;
    this.#given = idToken === undefined ? undefined : withExpiry(idToken);
    this.#refreshToken = refreshToken;
  }

  /** The next id-token. Throws `OidcLoginFailed`. */
  async next(): Promise<IdToken> {
    const { config, clock, environment, lookup } = this.#options;
    const given = this.#given;
    this.#given = undefined;
    if (given !== undefined && (given.expiresAt ?? 0) > clock.now()) return given;
    if (this.#refreshToken === undefined)
      throw oidcFailed(
        config.issuer,
        'the id-token of the kubeconfig has ended or was refused, and it has no refresh-token',
      );
    const { refresh } = await import('./oidc-refresh.ts');
    const { idToken, refreshToken } = await refresh({
      config,
      refreshToken: this.#refreshToken,
      clock,
      environment,
      lookup,
    });
    this.#refreshToken = refreshToken ?? this.#refreshToken;
    return withExpiry(idToken);
  }
}

function withExpiry(token: string): IdToken {
  const exp = claimsOf(token)?.['exp'];
  return { token, ...(typeof exp === 'number' && { expiresAt: exp * 1000 }) };
}
