import { parse } from 'ini';
import type { Secret } from '../../../lib/controllers/aws-assume-role/secret.ts';
import type { GatewayControl, Triple } from '../aws/index.ts';

/** What one revision of a Secret holds. */
export interface Held {
  /** The part of it that is not secret. */
  accessKeyId: string;
  /** Milliseconds since 1970, as AWS recorded it. */
  expiresAt: number;
}

/**
 * Reads a Secret of any type and compares it with what AWS issued.
 *
 * @throws Error that names the Secret when it is empty, or holds anything but one whole credential
 */
export function heldBy(secret: Secret, gateway: GatewayControl): Held {
  const text = textOf(secret);
  const registry = text['.dockerconfigjson'];
  if (registry !== undefined) return heldToken(secret, registry, gateway);
  const triple = text['credentials'] === undefined ? tripleOfMap(text) : tripleOfFile(text['credentials']);
  const session = gateway.issued().find(({ accessKeyId }) => accessKeyId === triple.accessKeyId);
  if (session === undefined || !gateway.isOneSession(triple)) {
    throw new Error(`Secret ${secret.metadata.name} does not hold one session that AWS issued`);
  }
  return { accessKeyId: session.accessKeyId, expiresAt: session.expiresAt };
}

/** The session of a Secret of type Map, as a client takes it. */
export function sessionOf(secret: Secret): Triple {
  return tripleOfMap(textOf(secret));
}

function tripleOfMap(text: Record<string, string>): Triple {
  const { awsAccessKeyId = '', awsSecretAccessKey = '', awsSessionToken = '' } = text;
  return { accessKeyId: awsAccessKeyId, secretAccessKey: awsSecretAccessKey, sessionToken: awsSessionToken };
}

function tripleOfFile(file: string): Triple {
  const profile = (parse(file)['default'] ?? {}) as Record<string, string>;
  return {
    accessKeyId: profile['aws_access_key_id'] ?? '',
    secretAccessKey: profile['aws_secret_access_key'] ?? '',
    sessionToken: profile['aws_session_token'] ?? '',
  };
}

/** AWS's record of the token tells with which session it was got. */
function heldToken(secret: Secret, json: string, gateway: GatewayControl): Held {
  const { auths } = JSON.parse(json) as { auths: Record<string, { password: string }> };
  const passwords = Object.values(auths).map(({ password }) => password);
  const token = gateway.ecrTokens().find(({ password }) => passwords.includes(password));
  if (token === undefined) throw new Error(`Secret ${secret.metadata.name} holds no registry token that AWS issued`);
  return { accessKeyId: token.accessKeyId, expiresAt: token.expiresAt };
}

function textOf(secret: Secret): Record<string, string> {
  const entries = Object.entries(secret.data ?? {});
  return Object.fromEntries(entries.map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]));
}
