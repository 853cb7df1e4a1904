import type { FaultRule } from './faults.ts';
import type { Gateway } from './gateway.ts';
import type { PodIdentityAgent, PodIdentityAssociation } from './pod-identity.ts';
import {
  type CallFilter,
  type CallRecord,
  type IssuedEcrToken,
  type IssuedTriple,
  matches,
  type Triple,
} from './records.ts';
import type { TrustedIssuer } from './web-identity.ts';

/** The variables that make an AWS SDK ask the Pod Identity agent. */
export interface PodIdentityEnvironment {
  AWS_CONTAINER_CREDENTIALS_FULL_URI: string;
  AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: string;
}

/** The hand of a test on the lab's AWS: what went through it, and what it shall do. */
export class GatewayControl {
  readonly #gateway: Gateway;
  readonly #agent: PodIdentityAgent;
  readonly #agentUri: string;

  constructor(gateway: Gateway, agent: PodIdentityAgent, agentUri: string) {
    this.#gateway = gateway;
    this.#agent = agent;
    this.#agentUri = agentUri;
  }

  /** Every session issued so far, oldest first. */
  issued(): IssuedTriple[] {
    return [...this.#gateway.records.sessions.values()];
  }

  /** Whether the three fields are one session, not a mixture of two. */
  isOneSession(triple: Triple): boolean {
    return this.#gateway.records.isOneSession(triple);
  }

  /** Every registry token issued so far, oldest first. */
  ecrTokens(): IssuedEcrToken[] {
    return [...this.#gateway.records.ecrTokens];
  }

  /** Every token that was sent for AssumeRoleWithWebIdentity so far, oldest first. */
  webIdentityTokens(): string[] {
    return [...this.#gateway.records.webIdentityTokens];
  }

  /** The calls that match, oldest first, refused ones and those with faults included. */
  calls(filter: CallFilter = {}): CallRecord[] {
    return this.#gateway.records.calls.filter((record) => matches(record, filter));
  }

  count(action: string, filter: CallFilter = {}): number {
    return this.calls({ ...filter, action }).length;
  }

  /** Forgets the calls so far; sessions stay known. */
  forgetCalls(): void {
    this.#gateway.records.calls.length = 0;
  }

  /**
   * New sessions live this long at most; the latest rule that matches counts, for so many `times` (default all).
   * Undefined: as asked again.
   */
  sessionSeconds(seconds: number | undefined, filter: CallFilter = {}, times?: number): void {
    this.#gateway.lifetimes.setSessions(seconds, filter, times);
  }

  /** New registry tokens live this long; undefined: 12 hours. */
  ecrTokenSeconds(seconds: number | undefined): void {
    this.#gateway.lifetimes.ecrTokenSeconds = seconds;
  }

  /** Adds a fault. Earlier rules go first. */
  fail(rule: FaultRule): void {
    this.#gateway.faults.add(rule);
  }

  /** Takes back all faults, lifetimes and the clock skew. Connections that stall stay so until their client gives up. */
  clear(): void {
    this.#gateway.faults.clear();
    this.#gateway.lifetimes.setSessions(undefined, {});
    this.#gateway.lifetimes.ecrTokenSeconds = undefined;
    this.#gateway.skewMs = 0;
  }

  /** AWS's clock goes ahead (or behind) by so many milliseconds: Date header, ends of sessions, age of signatures. */
  clockSkew(ms: number): void {
    this.#gateway.skewMs = ms;
  }

  /** How the keys of an issuer are fetched. Needed for issuers with a certificate authority of their own, and by Pod Identity. */
  trustIssuer(issuer: TrustedIssuer): void {
    this.#gateway.identities.trust(issuer);
  }

  /**
   * Associates a role with a ServiceAccount and gives what its Pod gets.
   * @param tokenFile a token of that ServiceAccount for the audience `pods.eks.amazonaws.com`
   */
  podIdentity(association: PodIdentityAssociation & { tokenFile: string }): PodIdentityEnvironment {
    const { tokenFile, ...rest } = association;
    this.#agent.associate(rest);
    return {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: this.#agentUri,
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: tokenFile,
    };
  }
}
