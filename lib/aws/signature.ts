import { createHmac, createSecretKey, hash, type KeyObject } from 'node:crypto';
import type { BaseCredentials } from './options.ts';

/** A POST that is to be signed. */
export interface Unsigned {
  url: URL;
  contentType: string;
  body: string;
}

/** What a signature is good for. */
export interface Scope {
  region: string;
  /** The name under which the service signs, as `sts`. */
  service: string;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';
const END = 'aws4_request';

/**
 * Signs requests with AWS Signature Version 4
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html). The key of a day is
 * derived once for each credential and scope.
 */
export class RequestSigner {
  readonly #keys = new WeakMap<BaseCredentials, { scope: string; key: KeyObject }>();

  /** The headers to send with the request. `now` is the time of AWS, milliseconds since 1970. */
  headers(request: Unsigned, credentials: BaseCredentials, scope: Scope, now: number): Record<string, string> {
    const time = `${new Date(now).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
    const headers = {
      'content-type': request.contentType,
      host: request.url.host,
      'x-amz-date': time,
      ...(credentials.sessionToken !== undefined && { 'x-amz-security-token': credentials.sessionToken }),
    };
    const names = Object.keys(headers).join(';');
    const fullScope = [time.slice(0, 8), scope.region, scope.service, END].join('/');
    const text = [ALGORITHM, time, fullScope, hash('sha256', canonicalRequest(request, headers, names))].join('\n');
    const signature = hmac(this.#key(credentials, fullScope), text).toString('hex');
    const credential = `${credentials.accessKeyId}/${fullScope}`;
    const authorization = `${ALGORITHM} Credential=${credential}, SignedHeaders=${names}, Signature=${signature}`;
    return { ...headers, authorization };
  }

  #key(credentials: BaseCredentials, scope: string): KeyObject {
    const known = this.#keys.get(credentials);
    if (known?.scope === scope) return known.key;
    const first = Buffer.from(`AWS4${credentials.secretAccessKey}`);
    // As a KeyObject it is used at once; a buffer would be looked at and copied for each signature.
    const key = createSecretKey(scope.split('/').reduce<Buffer>(hmac, first));
    this.#keys.set(credentials, { scope, key });
    return key;
  }
}

/** `headers` are in the order of their names, and so are `names`. */
function canonicalRequest({ url, body }: Unsigned, headers: Readonly<Record<string, string>>, names: string): string {
  const path = url.pathname.split('/').map(encode).join('/').replaceAll(/\/+/g, '/');
  const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}`);
  return ['POST', path, '', ...lines, '', names, hash('sha256', body)].join('\n');
}

/** Percent-encoding of all but letters, digits and `-._~`. */
function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

function hmac(key: Buffer | KeyObject, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
