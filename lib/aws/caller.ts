import { RolevendError } from '../errors.ts';
import { credentialProblem } from './credential-check.ts';
import { type BaseCredentials, type CallerIdentity, parseCaller } from './options.ts';
import type { StsClient, StsContext } from './sts-client.ts';

/**
 * Asks STS whose credentials these are; the call needs no permission.
 * @throws RolevendError `NoIdentity` where they can never be right; AwsError; the signal's reason
 */
export async function callerIdentity(
  sts: StsClient,
  region: string,
  credentials: BaseCredentials,
  signal?: AbortSignal,
): Promise<CallerIdentity> {
  const problem = credentialProblem(credentials);
  if (problem !== undefined) throw new RolevendError(problem, { code: 'NoIdentity', consequence: 'retry' });
  const context: StsContext<'GetCallerIdentity'> = { service: 'STS', operation: 'GetCallerIdentity', region };
  const { output, requestId } = await sts.ask(context, {}, credentials, signal);
  const caller = parseCaller(output.Arn ?? '');
  if (caller === undefined) {
    throw new RolevendError('STS answered GetCallerIdentity with an ARN of unknown form.', {
      code: 'StsUnreachable',
      consequence: 'retry',
      requestId,
    });
  }
  return caller.isSession && fromContainer(credentials) ? { ...caller, carriesTags: true } : caller;
}

/** The SDK marks where credentials come from. Sessions of the container endpoint (EKS Pod Identity) carry tags. */
function fromContainer(credentials: BaseCredentials & { $source?: Record<string, string> }): boolean {
  return credentials.$source?.CREDENTIALS_HTTP !== undefined;
}
