import { RolevendError } from '../errors.ts';

/** A login at an OpenID Connect provider that failed. The problem must be fit to be shown. */
export function oidcFailed(issuer: string, problem: string): RolevendError {
  return new RolevendError(`no id-token of ${issuer}: ${problem}; log in there again if this does not pass`, {
    code: 'OidcLoginFailed',
    consequence: 'retry',
  });
}
