import type { SecretValue } from '../api/credentials.ts';
import { ownerOf } from './options.ts';

/** Who a token of an OIDC provider speaks of. Nothing of it is secret. */
export interface TokenClaims {
  /** URL of the provider. */
  issuer: string;
  /** `system:serviceaccount:<namespace>:<name>` in tokens of Kubernetes. */
  subject: string;
  audience: string;
}

/**
 * Reads the claims of a token for what is told to people. The token is not verified: AWS does that. Undefined where
 * they cannot be read.
 */
export function tokenClaims(token: SecretValue): TokenClaims | undefined {
  const [, payload = ''] = token.reveal().split('.');
  try {
    const { iss, sub, aud } = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as Record<string, unknown>;
    const [audience] = [aud].flat();
    if (typeof iss !== 'string' || typeof sub !== 'string' || typeof audience !== 'string') return undefined;
    return { issuer: iss, subject: sub, audience };
  } catch {
    return undefined;
  }
}

/** The ARN of the IAM OIDC provider that an account needs for the issuer of a token. */
export function providerArn(roleArn: string, { issuer }: TokenClaims): string {
  const { partition, accountId } = ownerOf(roleArn);
  return `arn:${partition}:iam::${accountId}:oidc-provider/${issuerPath(issuer)}`;
}

/** The issuer as IAM names it, in ARNs and in conditions. */
export function issuerPath(issuer: string): string {
  return issuer.replace(/^https?:\/\//, '').replace(/\/$/, '');
}
