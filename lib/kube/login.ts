import type { LookupFunction } from 'node:net';
import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import { ExecCredentials } from './exec-credentials.ts';
import type { KeyPair } from './key-pair.ts';
import type { ClusterConfig } from './kubeconfig.ts';
import { type IdToken, IdTokens } from './oidc.ts';
import { Renewal } from './renewal.ts';
import { type Source, source } from './tls.ts';
import { tokenIn } from './token.ts';

/** What requests carry to say who sends them. */
export interface Credential {
  /** Value of the header. */
  authorization?: string;
  /** In place of that of the connection. */
  clientCertificate?: KeyPair;
}

/** Where the login of requests comes from. */
export interface Login {
  /** The one of now. It waits only where there is none that is valid. */
  current(): Promise<Credential>;
  /** Gets a new one after the server refused the one at hand. */
  renew(): Promise<void>;
  /** Ends what runs for it. */
  close(): void;
}

export interface LoginOptions {
  clock: Clock;
  log: Logger;
  /** What credential plugins start with, and the proxies on the way to an OpenID Connect provider. Default: empty. */
  environment?: Readonly<Record<string, string | undefined>>;
  /** Looks up the names of an OpenID Connect provider and its proxy. Default: `getaddrinfo`. */
  lookup?: LookupFunction | undefined;
}

/** The login that a configuration asks for. Throws `InvalidConfig` where a token cannot be read. */
export function openLogin({ token, basic, exec, oidc }: ClusterConfig, options: LoginOptions): Login {
  if (token) return new TokenLogin(source('token', token, tokenIn, options));
  if (basic) return always(`Basic ${Buffer.from(`${basic.username}:${basic.password}`).toString('base64')}`);
  const { clock, log, environment = {}, lookup } = options;
  if (exec) return new PluginLogin(new ExecCredentials({ exec, clock, log, environment }));
  if (!oidc) return always(undefined);
  const tokens = new IdTokens({ config: oidc, clock, environment, lookup });
  return new OidcLogin(new Renewal({ fetch: () => tokens.next(), clock, log, name: oidc.issuer }));
}

function always(authorization: string | undefined): Login {
  return {
    current: async () => (authorization === undefined ? {} : { authorization }),
    renew: async () => {},
    close() {},
  };
}

class TokenLogin implements Login {
  readonly #token: Source;

  constructor(token: Source) {
    this.#token = token;
  }

  async current(): Promise<Credential> {
    return { authorization: `Bearer ${this.#token.value}` };
  }

  async renew(): Promise<void> {
    this.#token.look();
  }

  close(): void {}
}

class PluginLogin implements Login {
  readonly #plugin: ExecCredentials;

  constructor(plugin: ExecCredentials) {
    this.#plugin = plugin;
  }

  async current(): Promise<Credential> {
    const { token, clientCertificate } = await this.#plugin.current();
    return { ...(token && { authorization: `Bearer ${token}` }), ...(clientCertificate && { clientCertificate }) };
  }

  renew(): Promise<void> {
    return this.#plugin.renew();
  }

  close(): void {
    this.#plugin.close();
  }
}

class OidcLogin implements Login {
  readonly #tokens: Renewal<IdToken>;

  constructor(tokens: Renewal<IdToken>) {
    this.#tokens = tokens;
  }

  async current(): Promise<Credential> {
    return { authorization: `Bearer ${(await this.#tokens.current()).token}` };
  }

  renew(): Promise<void> {
    return this.#tokens.renew();
  }

  close(): void {}
}
