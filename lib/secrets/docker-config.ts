import type { EcrToken, RegistryLogin } from '../api/credentials.ts';
import { RolevendError } from '../errors.ts';

/**
 * Secret type `EcrDockerConfigJson`: an image pull Secret. The URLs stand as the user wrote them.
 * @throws RolevendError `InvalidSpec` (stop) without any registry
 */
export function dockerConfigData(logins: readonly RegistryLogin[] = []): Record<string, string> {
  if (logins.length === 0) {
    const message = 'spec.ecrRepositoryUrl is missing; EcrDockerConfigJson needs it or spec.ecr.registries';
    throw new RolevendError(message, { code: 'InvalidSpec', consequence: 'stop' });
  }
  const auths = Object.fromEntries(logins.map(({ url, token }) => [url, authOf(token)]));
  return { '.dockerconfigjson': JSON.stringify({ auths }) };
}

/** `auth` repeats user and password in the form that many readers want. */
function authOf(token: EcrToken): { username: string; password: string; auth: string } {
  const { username } = token;
  const password = token.password.reveal();
  return { username, password, auth: basicAuth(token) };
}

/** User and password as HTTP's basic authentication has them. */
export function basicAuth({ username, password }: EcrToken): string {
  return Buffer.from(`${username}:${password.reveal()}`, 'utf8').toString('base64');
}
