import { RolevendError } from '../errors.ts';
import { awsError } from './errors.ts';

const TRIED =
  'the default chain found no usable credentials in environment variables, shared config files, the web identity token file (IRSA), the container endpoint (EKS Pod Identity) or instance metadata';

const FIX = [
  "EKS Pod Identity: associate an IAM role with the operator's ServiceAccount (aws eks create-pod-identity-association)",
  'IRSA: annotate the ServiceAccount with eks.amazonaws.com/role-arn',
  'elsewhere: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
].join('; ');

/** Why the operator has no AWS identity and what to do, for the readiness check and the log. Nothing secret is in it. */
export function identityProblem(error: unknown, region: string): string {
  if (error instanceof RolevendError) return `The operator's AWS credentials could not be checked: ${error.message}`;
  if (isTimeout(error)) return `The operator's AWS credentials did not arrive in time. ${howToFix()}`;
  const code = (error as { code?: unknown } | undefined)?.code;
  if (code === 'ENOENT' || code === 'EACCES') {
    return `No AWS identity: a file that the environment names cannot be read (${code}). ${howToFix()}`;
  }
  const known = awsError(error, { service: 'STS', operation: 'AssumeRoleWithWebIdentity', region });
  if (known.code === 'NoIdentity') return `No AWS identity: ${TRIED}. ${howToFix()}`;
  return `No AWS identity: the exchange for credentials failed. ${known.message}`;
}

function howToFix(): string {
  return `Fix one of: ${FIX}; then restart the Pod.`;
}

function isTimeout(error: unknown): boolean {
  return (error as { name?: unknown } | undefined)?.name === 'TimeoutError';
}
