import { invalidConfig } from './material.ts';

/**
 * The token in a text. Throws `InvalidConfig` where there is none or only a part of one; the message begins with a verb and
 * stands behind the name of the file.
 */
export function tokenIn(text: string): string {
  const token = text.trim();
  const problem = tokenProblem(token);
  if (problem !== undefined) throw invalidConfig(problem);
  return token;
}

/** Whether a text can stand in an `Authorization` header as a token. */
export function isToken(text: string): boolean {
  return /^[\x21-\x7e]+$/.test(text);
}

/** Why a text is no whole token, as what is told of its file; undefined where it may be one. */
export function tokenProblem(text: string): string | undefined {
  if (text === '') return 'is empty';
  if (!isToken(text)) return 'holds blanks or other characters that no token has';
  return isCutOff(text) ? 'holds only a part of a token' : undefined;
}

/** The payload of a JWT that is there as a whole; nobody has looked at its signature. */
export function claimsOf(token: string): Record<string, unknown> | undefined {
  return jsonOf(token.split('.')[1] ?? '');
}

/** How every JWT begins: `{"` in base64. */
const jwtStart = 'eyJ';
/** Bytes of a signature (RFC 7518, section 3). Keys of RSA have 2,048 bits at least, and come in whole steps. */
const signatureBytes: Record<string, readonly number[]> = {
  HS256: [32],
  HS384: [48],
  HS512: [64],
  ES256: [64],
  ES384: [96],
  ES512: [132],
  EdDSA: [64, 114],
};
const rsa = { least: 256, step: 32 };
/** Parts of a JWT that is encrypted, whose length tells nothing. */
const encryptedParts = 5;

/** Only JWTs tell where they end: those of ServiceAccounts and of OpenID Connect. */
function isCutOff(text: string): boolean {
  if (jwtStart.startsWith(text)) return true;
  const parts = text.split('.');
  if (!text.startsWith(jwtStart) || parts.length === encryptedParts) return false;
  const [header, payload] = parts.map(jsonOf);
  if (parts.length !== 3 || header === undefined || payload === undefined) return true;
  const bytes = Buffer.from(parts[2] ?? '', 'base64url').length;
  const alg = String(header['alg']);
  if (/^[RP]S/.test(alg)) return bytes < rsa.least || bytes % rsa.step !== 0;
  return !(signatureBytes[alg]?.includes(bytes) ?? bytes > 0);
}

function jsonOf(part: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
