import type { Session } from '../api/credentials.ts';
import { RolevendError } from '../errors.ts';

/** Control characters and the line and paragraph separators that some readers take for line ends. */
const FORBIDDEN = /[\p{Cc}\p{Zl}\p{Zp}]/u;

/**
 * Secret type `File`: an AWS shared credentials file under the key `credentials`. Lines are joined by one `\n`, with no
 * line end after the last one, no blanks around `=` and no quotes ever: readers take quotes for part of the value.
 * @throws RolevendError `InvalidCredentials` (stop) for a value with a control character; it names the field alone
 */
export function fileData(session: Session): Record<string, string> {
  const lines = [
    '[default]',
    iniLine('aws_access_key_id', session.accessKeyId),
    iniLine('aws_secret_access_key', session.secretAccessKey.reveal()),
    iniLine('aws_session_token', session.sessionToken.reveal()),
  ];
  return { credentials: lines.join('\n') };
}

function iniLine(key: string, value: string): string {
  if (!FORBIDDEN.test(value)) return `${key}=${value}`;
  throw new RolevendError(`${key} holds a control character, which a credentials file cannot carry.`, {
    code: 'InvalidCredentials',
    consequence: 'stop',
  });
}
