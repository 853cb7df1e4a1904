import type { Session } from '../api/credentials.ts';

/** Secret type `Env`: the variables that AWS SDKs read, for `envFrom`. */
export function envData(session: Session): Record<string, string> {
  return {
    AWS_ACCESS_KEY_ID: session.accessKeyId,
    AWS_SECRET_ACCESS_KEY: session.secretAccessKey.reveal(),
    AWS_SESSION_TOKEN: session.sessionToken.reveal(),
  };
}
