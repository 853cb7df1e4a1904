import 'reflect-metadata';
import { randomBytes, webcrypto } from 'node:crypto';
import { systemClock } from '../../lib/clock.ts';

/** A certificate with its key, both in PEM. */
export interface Issued {
  cert: string;
  key: string;
}

/** A certificate authority that nobody else trusts. */
export interface Authority {
  /** Its own certificate in PEM. */
  cert: string;
  /** A certificate of a server of this DNS name. */
  issue(name: string): Promise<Issued>;
}

const HOUR_MS = 3_600_000;
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** Makes an authority whose certificates are valid for some hours. */
export async function createAuthority(): Promise<Authority> {
  // It needs the polyfill above at the moment of its import.
  const x509 = await import('@peculiar/x509');
  const { X509CertificateGenerator: generator, SubjectAlternativeNameExtension, BasicConstraintsExtension } = x509;
  const keys = await newKeys();
  const subject = 'CN=laboratory authority';
  const extensions = [new BasicConstraintsExtension(true, 0, true)];
  const own = await generator.createSelfSigned({ ...validity(), name: subject, keys, extensions });
  return {
    cert: own.toString('pem'),
    async issue(name) {
      const { publicKey, privateKey } = await newKeys();
      const names = new SubjectAlternativeNameExtension([{ type: 'dns', value: name }]);
      const terms = { ...validity(), subject: 'CN=laboratory', issuer: subject, extensions: [names] };
      const certificate = await generator.create({ ...terms, publicKey, signingKey: keys.privateKey });
      const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', privateKey)).toString('base64');
      return {
        cert: certificate.toString('pem'),
        key: `-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----\n`,
      };
    },
  };
}

async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
}

function validity() {
  const now = systemClock.now();
  return {
    serialNumber: randomBytes(8).toString('hex'),
    notBefore: new Date(now - HOUR_MS),
    notAfter: new Date(now + 24 * HOUR_MS),
    signingAlgorithm: algorithm,
  };
}
