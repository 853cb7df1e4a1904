/** Whom requests are made as instead of the user who logs in. */
export interface Impersonation {
  user: string;
  uid?: string;
  groups: readonly string[];
  /** What the authenticator tells of the user beyond that. */
  extra: Readonly<Record<string, readonly string[]>>;
}

/** What stands in the name of a header as it is (RFC 9110, section 5.6.2), but the percent sign that begins what does not. */
const plainName = /[A-Za-z0-9!#$&'*+.^_`|~-]/;

/** The headers by which an API server is asked to take a request for somebody else's. */
export function impersonationHeaders(as: Impersonation | undefined): Record<string, string | string[]> {
  if (as === undefined) return {};
  const extra = Object.entries(as.extra).map(([key, values]) => [
    `impersonate-extra-${escaped(key)}`,
    values.map(headerBytes),
  ]);
  return {
    'impersonate-user': headerBytes(as.user),
    ...(as.uid !== undefined && { 'impersonate-uid': headerBytes(as.uid) }),
    ...(as.groups.length > 0 && { 'impersonate-group': as.groups.map(headerBytes) }),
    ...Object.fromEntries(extra),
  };
}

/** Whether a text can be the value of a header. */
export function isHeaderValue(text: string): boolean {
  return !/[^\t\P{Cc}]/u.test(text);
}

/** Headers are bytes, which undici takes from the lower half of each unit; the server reads UTF-8. */
function headerBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

function escaped(key: string): string {
  const bytes = Array.from(Buffer.from(key, 'utf8'), (byte) => [String.fromCharCode(byte), byte] as const);
  const percent = (byte: number) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  return bytes.map(([char, byte]) => (plainName.test(char) ? char : percent(byte))).join('');
}
