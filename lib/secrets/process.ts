import type { Issued } from '../api/credentials.ts';
import type { OutputSettings } from '../api/output.ts';
import { configFile } from './file.ts';
import { rfc3339 } from './text.ts';

const FILE = 'credentials.json';

/**
 * Secret type `Process`: `credentials.json` as AWS SDKs expect it from a `credential_process`, and `config`, which names
 * a command that prints it. An SDK runs the command again ahead of `Expiration`, and finds what is mounted by then.
 * `config` is the same for every session, since SDKs read it once.
 */
export function processData({ session, region }: Issued, output: OutputSettings): Record<string, string> {
  return {
    [FILE]: JSON.stringify({
      Version: 1,
      AccessKeyId: session.accessKeyId,
      SecretAccessKey: session.secretAccessKey.reveal(),
      SessionToken: session.sessionToken.reveal(),
      Expiration: rfc3339(session.expiresAt),
    }),
    config: configFile(output.profile, {
      credential_process: `cat ${output.mountPath}/${output.keys[FILE] ?? FILE}`,
      ...(output.include.includes('config') && { region }),
    }),
  };
}
