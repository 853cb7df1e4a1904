import type { EcrToken } from '../api/credentials.ts';
import { RolevendError } from '../errors.ts';

/**
 * Secret type `EcrDockerConfigJson`: an image pull Secret for one registry. The URL stands as the user wrote it. `auth`
 * repeats user and password in the form that many readers want.
 * @throws RolevendError `InvalidSpec` (stop) without a URL, `EcrUnreachable` (retry) without a token
 */
export function dockerConfigData(url: string | undefined, token: EcrToken | undefined): Record<string, string> {
  if (url === undefined || url === '') {
    const message = 'spec.ecrRepositoryUrl is missing; EcrDockerConfigJson needs it';
    throw new RolevendError(message, { code: 'InvalidSpec', consequence: 'stop' });
  }
  if (token === undefined) {
    throw new RolevendError('the registry token is missing', { code: 'EcrUnreachable', consequence: 'retry' });
  }
  const { username } = token;
  const password = token.password.reveal();
  const auth = Buffer.from(`${username}:${password}`, 'utf8').toString('base64');
  return { '.dockerconfigjson': JSON.stringify({ auths: { [url]: { username, password, auth } } }) };
}
