import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { certificatesProblem } from '../net/pem.ts';

/** A client certificate, with those that lead to its authority behind it, and its key; both PEM. */
export interface KeyPair {
  certificate: string;
  key: string;
}

/** Why a pair cannot be used, as the end of a sentence that names no content; undefined where it can. */
export function keyPairProblem({ certificate, key }: KeyPair): string | undefined {
  const [certificateProblem, parsed] = [certificatesProblem(certificate), parseKey(key)];
  if (certificateProblem) return `the certificate ${certificateProblem}`;
  if (typeof parsed === 'string') return `the key ${parsed}`;
  if (!new X509Certificate(certificate).checkPrivateKey(parsed)) return 'the key is that of another certificate';
  return undefined;
}

const keyBlock = /-----BEGIN ((?:[A-Z0-9]+ )?PRIVATE KEY)-----[\s\S]*?(?:-----END \1-----|$)/;

/** The key, which may stand among certificates and parameters, or why there is none. */
function parseKey(pem: string): KeyObject | string {
  if (pem.trim() === '') return 'is empty';
  const block = keyBlock.exec(pem)?.[0];
  if (block === undefined) return 'is no PEM private key';
  if (block.includes('ENCRYPTED')) return 'is protected with a password, for which nobody can be asked here';
  try {
    return createPrivateKey(block);
  } catch {
    return 'is cut off or damaged';
  }
}
