import type { Session } from '../api/credentials.ts';

/** Secret type `Map`: exactly the three keys of the legacy operators. */
export function mapData(session: Session): Record<string, string> {
  return {
    awsAccessKeyId: session.accessKeyId,
    awsSecretAccessKey: session.secretAccessKey.reveal(),
    awsSessionToken: session.sessionToken.reveal(),
  };
}
