import type { IncomingMessage } from 'node:http';

/** How a service reads requests and writes errors. */
export type Protocol = 'query' | 'json' | 's3' | 'rest';

/** One request to AWS, with what the gateway's rules ask about. */
export interface Call {
  readonly method: string;
  /** Path and query exactly as sent; the signature covers them. */
  readonly url: string;
  /** Lower-case names; several lines of one name are joined with a comma. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly protocol: Protocol;
  /** From the signature's scope; `sts` for unsigned calls. */
  readonly service: string;
  readonly region: string;
  /** The operation's name, or `GET /path` where a REST service does not carry it. */
  readonly action: string;
  /** Parameters of the query protocol; empty for the others. */
  readonly params: URLSearchParams;
  /** Undefined for unsigned calls. */
  readonly accessKeyId: string | undefined;
}

/** An answer, whoever gave it. Header names are in lower case. */
export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
  /** `slow`: the body comes in twenty pieces over two seconds; `frozen`: its first half comes, and the rest never. */
  pace?: 'slow' | 'frozen';
  /** Called once the caller has been given it. */
  onAnswered?: () => unknown;
}

/** Reads the whole body and finds out what is asked. */
export async function readCall(request: IncomingMessage, defaultRegion: string): Promise<Call> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const headers = joinedHeaders(request.rawHeaders);
  return parseCall(request.method ?? 'GET', request.url ?? '/', headers, Buffer.concat(chunks), defaultRegion);
}

/** The pure part of `readCall`. */
export function parseCall(
  method: string,
  url: string,
  headers: Record<string, string>,
  body: Buffer,
  defaultRegion: string,
): Call {
  const query = new URL(url, 'http://gateway').searchParams;
  const [accessKeyId, , region, service] = credentialScope(headers, query);
  const form = headers['content-type']?.startsWith('application/x-www-form-urlencoded') ?? false;
  const params = form && method === 'POST' ? new URLSearchParams(body.toString()) : new URLSearchParams();
  for (const [name, value] of query) if (!params.has(name)) params.append(name, value);
  const named = { protocol: 'rest', action: `${method} ${url.split('?')[0]}`, ...operation(headers, params, service) };
  return {
    method,
    url,
    headers,
    body,
    params,
    accessKeyId: accessKeyId || undefined,
    region: region || defaultRegion,
    service: service || 'sts',
    ...(named as { protocol: Protocol; action: string }),
  };
}

function operation(headers: Record<string, string>, params: URLSearchParams, service: string | undefined) {
  const target = headers['x-amz-target'];
  if (target !== undefined) return { protocol: 'json', action: target.slice(target.lastIndexOf('.') + 1) };
  const action = params.get('Action');
  if (action !== null) return { protocol: 'query', action };
  return service === 's3' ? { protocol: 's3' } : {};
}

/** Key id, date, Region and service of a header or a presigned query. */
function credentialScope(headers: Record<string, string>, query: URLSearchParams): string[] {
  const header = /Credential=([^,\s]+)/.exec(headers.authorization ?? '')?.[1];
  const credential = header ?? query.get('X-Amz-Credential') ?? query.get('AWSAccessKeyId') ?? '';
  return credential.split('/');
}

function joinedHeaders(raw: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at]?.toLowerCase() ?? '';
    const value = raw[at + 1] ?? '';
    headers[name] = name in headers ? `${headers[name]},${value}` : value;
  }
  return headers;
}

/** All values of a list parameter, `Tags.member.1.Key` and so on, as one object per member. */
export function members(params: URLSearchParams, list: string): Record<string, string>[] {
  const found: Record<string, string>[] = [];
  for (const [name, value] of params) {
    const match = new RegExp(`^${list}\\.member\\.(\\d+)(?:\\.(\\w+))?$`).exec(name);
    if (match === null) continue;
    const index = Number(match[1]) - 1;
    found[index] = { ...found[index], [match[2] ?? 'value']: value };
  }
  return found.filter((member) => member !== undefined);
}
