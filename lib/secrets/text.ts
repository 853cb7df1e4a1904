import { RolevendError } from '../errors.ts';

/** Control characters and the line and paragraph separators that some readers take for line ends. */
const FORBIDDEN = /[\p{Cc}\p{Zl}\p{Zp}]/u;

/** A time as RFC 3339 in UTC with whole seconds, rounded down, so that nothing is taken to live longer than it does. */
export function rfc3339(ms: number): string {
  return `${new Date(Math.floor(ms / 1000) * 1000).toISOString().slice(0, 19)}Z`;
}

/**
 * A value that is written among other text, as it is.
 * @throws RolevendError `InvalidCredentials` (stop) where it holds a control character; the message has the name alone
 */
export function oneLine(name: string, value: string): string {
  if (!FORBIDDEN.test(value)) return value;
  throw new RolevendError(`${name} holds a control character, which would break the text around it.`, {
    code: 'InvalidCredentials',
    consequence: 'stop',
  });
}
