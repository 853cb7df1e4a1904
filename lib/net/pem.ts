import { X509Certificate } from 'node:crypto';
import { RolevendError } from '../errors.ts';

/** Gives the text back if it holds certificates. Throws `InvalidConfig` with `certificatesProblem`. */
export function certificatesOf(text: string): string {
  const problem = certificatesProblem(text);
  if (problem === undefined) return text;
  throw new RolevendError(problem, { code: 'InvalidConfig', consequence: 'stop' });
}

const block = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]*(?:-----END (?:X509 |TRUSTED )?CERTIFICATE-----)?/g;

/**
 * Why a text is no row of whole PEM certificates, as what is told of it; undefined where it is. OpenSSL passes over what it
 * cannot read, so that a file that is being written would shut out whatever stands at its end.
 */
export function certificatesProblem(pem: string): string | undefined {
  if (pem.trim() === '') return 'is empty';
  const blocks = pem.match(block) ?? [];
  if (blocks.length === 0) return 'holds no PEM certificate';
  return blocks.every(isCertificate) ? undefined : 'is cut off or damaged';
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem) !== undefined;
  } catch {
    return false;
  }
}
