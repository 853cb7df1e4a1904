import type { Issued } from '../api/credentials.ts';
import type { OutputSettings } from '../api/output.ts';
import { iniSection } from './ini.ts';

/**
 * Secret type `File`: an AWS shared credentials file under the key `credentials`.
 * @throws RolevendError `InvalidCredentials` (stop) for a value with a control character; it names the field alone
 */
export function fileData({ session }: Issued, { profile }: OutputSettings): Record<string, string> {
  return {
    credentials: iniSection(profile, {
      aws_access_key_id: session.accessKeyId,
      aws_secret_access_key: session.secretAccessKey.reveal(),
      aws_session_token: session.sessionToken.reveal(),
    }),
  };
}

/** An AWS config file. Its sections are called otherwise than those of a credentials file. */
export function configFile(profile: string, values: Readonly<Record<string, string>>): string {
  return iniSection(profile === 'default' ? profile : `profile ${profile}`, values);
}
