import { inspect } from 'node:util';

/** A value that cannot print itself: every way of turning it into text gives `[redacted]`. Only `reveal` gives it. */
export class SecretValue {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself, for signing a request or writing a Secret; never for a log, Event, status, metric or error. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return '[redacted]';
  }

  toJSON(): string {
    return '[redacted]';
  }

  [inspect.custom](): string {
    return '[redacted]';
  }
}

/** One session as STS issued it. Its three fields belong together and are never mixed with another session's. */
export interface Session {
  accessKeyId: string;
  secretAccessKey: SecretValue;
  sessionToken: SecretValue;
  /** Server time of the issue, milliseconds since 1970. */
  issuedAt: number;
  /** End as granted, milliseconds since 1970. */
  expiresAt: number;
  assumedRoleArn: string;
  packedPolicySizePercent?: number;
  requestId?: string;
}

/** An authorization token of a container registry, made with a vended session. */
export interface EcrToken {
  /** Always `AWS`. */
  username: string;
  password: SecretValue;
  issuedAt: number;
  expiresAt: number;
}

/** A registry or repository, as it is written into a docker config, and the token for it. */
export interface RegistryLogin {
  url: string;
  token: EcrToken;
}

/** A token that templates call by a name, and the host of the registry that it is for. */
export interface NamedToken {
  name: string;
  registry: string;
  token: EcrToken;
}

/** All that one issue gave; what a Secret is rendered from. */
export interface Issued {
  session: Session;
  /** The entries of an image pull Secret, in their order. */
  logins?: RegistryLogin[];
  /** The tokens that templates name. */
  tokens?: NamedToken[];
  /** Region of the STS endpoint, and the one shown in outputs. */
  region: string;
  /** The role of the session. */
  roleArn: string;
}
