import { createSecureContext, type SecureContext } from 'node:tls';
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../clock.ts';
import { RolevendError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { FileCopy } from '../net/file-copy.ts';
import { certificatesOf } from '../net/pem.ts';
import { keyPairProblem } from './key-pair.ts';
import { type ClusterConfig, invalidConfig, type Material } from './kubeconfig.ts';

/** What connections to an API server are opened with. */
export interface Tls {
  ca?: string;
  cert?: string;
  key?: string;
  servername?: string;
  rejectUnauthorized: boolean;
}

/** A text that may change. */
export interface Source {
  readonly value: string;
  look(): void;
}

/**
 * Certificates and keys of a connection, those in files read again when they change. A file that is broken or half-written,
 * and a key that does not belong to its certificate yet, change nothing.
 */
export class TlsFiles {
  readonly #log: Logger;
  readonly #fixed: Pick<Tls, 'servername' | 'rejectUnauthorized'>;
  readonly #sources: Partial<Record<'ca' | 'cert' | 'key', Source>>;
  #current: Tls;
  #refused: Tls | undefined;

  /** Throws `InvalidConfig`, with the path, for what cannot be used at the start. */
  constructor(config: ClusterConfig, by: { clock: Clock; log: Logger }) {
    const { ca, clientCertificate: own, insecure, serverName } = config;
    this.#log = by.log;
    this.#fixed = { rejectUnauthorized: !insecure, ...(serverName && { servername: serverName }) };
    this.#sources = {
      ...(ca && { ca: source('certificate-authority-data', ca, certificatesOf, by) }),
      ...(own && {
        cert: source('client-certificate-data', own.certificate, certificatesOf, by),
        key: source('client-key-data', own.key, keyOf, by),
      }),
    };
    this.#current = this.#read();
    const problem = pairProblem(this.#current);
    if (problem) throw invalidConfig(`the client certificate for the API server cannot be used: ${problem}`);
  }

  /** What holds now. The same object until something changes. */
  get current(): Tls {
    const next = this.#read();
    if (isDeepStrictEqual(next, this.#current) || isDeepStrictEqual(next, this.#refused)) return this.#current;
    const problem = pairProblem(next);
    this.#refused = problem ? next : undefined;
    if (problem) this.#log.warn({ problem }, 'client certificate not usable, going on with the one before');
    else this.#current = next;
    return this.#current;
  }

  /** Looks at the files at once. */
  look(): void {
    for (const one of Object.values(this.#sources)) one.look();
  }

  #read(): Tls {
    const texts = Object.entries(this.#sources).map(([name, { value }]) => [name, value]);
    return { ...this.#fixed, ...Object.fromEntries(texts) };
  }
}

/**
 * One context for all connections that are opened with this: each of its own takes half of a connection's memory. Throws
 * what OpenSSL says of a key that does not belong to its certificate.
 */
export function contextOf({ ca, cert, key }: Tls): SecureContext {
  return createSecureContext({ ...(ca !== undefined && { ca }), ...(cert !== undefined && { cert, key }) });
}

/** A text itself, or a copy of its file. Throws `InvalidConfig`, with the path, where `parse` refuses it at the start. */
export function source(
  name: string,
  from: Material,
  parse: (text: string) => string,
  by: { clock: Clock; log: Logger },
): Source {
  const subject = 'file' in from ? from.file : `${name} of the kubeconfig`;
  try {
    if ('file' in from) return new FileCopy({ ...by, path: from.file, parse });
    return { value: parse(from.text), look() {} };
  } catch (error) {
    const why =
      error instanceof RolevendError ? error.message : `cannot be read (${(error as NodeJS.ErrnoException).code})`;
    throw invalidConfig(`${subject}, which the connection to the API server needs, ${why}`, error);
  }
}

/** The key is judged together with its certificate. */
function keyOf(text: string): string {
  if (text.trim() !== '') return text;
  throw invalidConfig('is empty');
}

function pairProblem({ cert, key = '' }: Tls): string | undefined {
  return cert === undefined ? undefined : keyPairProblem({ certificate: cert, key });
}
