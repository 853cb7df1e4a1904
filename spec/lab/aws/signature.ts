import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { Call } from './call.ts';

interface Signed {
  credential: string;
  headers: string[];
  signature: string;
}

/** Clock difference in milliseconds that STS, IAM, ECR and S3 let pass. */
export const SIGNATURE_WINDOW_MS = 15 * 60_000;

/** When the caller signed, milliseconds since 1970 by the caller's clock; undefined without an `X-Amz-Date` header. */
export function signedAt(call: Call): number | undefined {
  const date = call.headers['x-amz-date'];
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date ?? '');
  if (parts === null) return undefined;
  const [, year, month, day, hour, minute, second] = parts;
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

/** Whether the call's Signature Version 4 in the Authorization header was made with this secret key over this very request. */
export function verifySignature(call: Call, secretAccessKey: string): boolean {
  const signed = parseAuthorization(call);
  if (signed === undefined) return false;
  const expected = Buffer.from(signature(call, signed, secretAccessKey));
  const given = Buffer.from(signed.signature);
  return expected.length === given.length && timingSafeEqual(expected, given);
}

/** The same call with another body and date, signed again with the caller's own key. */
export function signAgain(call: Call, secretAccessKey: string, changes: { body?: Buffer; at: number }): Call {
  const body = changes.body ?? call.body;
  const stamp = amzDate(changes.at);
  const headers: Record<string, string> = { ...call.headers, 'x-amz-date': stamp };
  if (headers['content-length'] !== undefined) headers['content-length'] = String(body.length);
  if (/^[0-9a-f]{64}$/.test(headers['x-amz-content-sha256'] ?? '')) headers['x-amz-content-sha256'] = sha256(body);
  const again = { ...call, headers, body };
  const signed = parseAuthorization(call);
  if (signed === undefined) return again;
  const [key, , ...scope] = signed.credential.split('/');
  const fresh = { ...signed, credential: [key, stamp.slice(0, 8), ...scope].join('/') };
  headers.authorization = `AWS4-HMAC-SHA256 Credential=${fresh.credential}, SignedHeaders=${fresh.headers.join(';')}, Signature=${signature(again, fresh, secretAccessKey)}`;
  return again;
}

function parseAuthorization(call: Call): Signed | undefined {
  const text = call.headers.authorization ?? '';
  const match = /^AWS4-HMAC-SHA256 Credential=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=(\w+)$/.exec(text);
  if (match === null) return undefined;
  const [, credential = '', headers = '', signature = ''] = match;
  return { credential, headers: headers.split(';'), signature };
}

function signature(call: Call, signed: Signed, secretAccessKey: string): string {
  const [, day = '', region = '', service = ''] = signed.credential.split('/');
  const scope = `${day}/${region}/${service}/aws4_request`;
  const text = `AWS4-HMAC-SHA256\n${call.headers['x-amz-date']}\n${scope}\n${sha256(canonicalRequest(call, signed.headers))}`;
  let key: Buffer = Buffer.from(`AWS4${secretAccessKey}`);
  for (const part of [day, region, service, 'aws4_request']) key = hmac(key, part);
  return hmac(key, text).toString('hex');
}

function canonicalRequest(call: Call, signedHeaders: string[]): string {
  const [path = '/', query = ''] = call.url.split('?', 2);
  const canonicalPath = call.service === 's3' ? path : path.split('/').map(encode).join('/');
  const headers = signedHeaders.map((name) => `${name}:${(call.headers[name] ?? '').trim().replace(/\s+/g, ' ')}\n`);
  const payload = call.headers['x-amz-content-sha256'] ?? sha256(call.body);
  return [call.method, canonicalPath, canonicalQuery(query), headers.join(''), signedHeaders.join(';'), payload].join(
    '\n',
  );
}

function canonicalQuery(query: string): string {
  const pairs = query.split('&').filter((pair) => pair !== '');
  const encoded = pairs.map((pair) => {
    const [name = '', ...value] = pair.split('=');
    return [encode(decodeURIComponent(name)), encode(decodeURIComponent(value.join('=')))] as const;
  });
  return encoded
    .sort(([a, x], [b, y]) => (a < b ? -1 : a > b ? 1 : x < y ? -1 : x > y ? 1 : 0))
    .map((pair) => pair.join('='))
    .join('&');
}

/** `20260131T235959Z` */
export function amzDate(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
}

function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

function sha256(data: Buffer | string): string {
  return createHash('sha256').update(data).digest('hex');
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
