import { RolevendError } from '../errors.ts';
import { awsError } from './errors.ts';
import { type RemoteSource, type SourceAnswer, SourceError } from './remote-source.ts';

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
  const refused = error instanceof SourceError ? sourceProblem(error.source, error.answer) : undefined;
  if (refused !== undefined) return `No AWS identity: ${refused}`;
  const code = (error as { code?: unknown } | undefined)?.code;
  if (code === 'ENOENT' || code === 'EACCES') {
    return `No AWS identity: a file that the environment names cannot be read (${code}). ${howToFix()}`;
  }
  const known = awsError(error, { service: 'STS', operation: 'AssumeRoleWithWebIdentity', region });
  if (known.code === 'NoIdentity') return `No AWS identity: ${TRIED}. ${howToFix()}`;
  return `No AWS identity: the exchange for credentials failed. ${known.message}`;
}

const names: Readonly<Record<RemoteSource, string>> = {
  container: 'the container credentials endpoint (EKS Pod Identity agent)',
  instance: 'the instance metadata service',
};

/**
 * What to do about a source that was reached, or that a setting names. Undefined for instance metadata that do not answer: most
 * likely the machine is no instance, and another source was meant.
 */
function sourceProblem(source: RemoteSource, answer: SourceAnswer): string | undefined {
  const name = names[source];
  const { status, network, setting } = answer;
  if (setting !== undefined) return settingProblem(setting);
  if (network !== undefined) {
    if (source === 'instance') return undefined;
    return `${name} cannot be reached (${network}): check that the add-on eks-pod-identity-agent runs on the node and that no network policy is in the way. It is tried again.`;
  }
  const said = status === undefined ? 'answered without credentials' : `answered with HTTP ${status}`;
  return `${name} ${said}. ${source === 'container' ? ofAgent(status) : ofInstance(status)} It is tried again.`;
}

function settingProblem(setting: NonNullable<SourceAnswer['setting']>): string {
  return setting === 'AWS_CONTAINER_CREDENTIALS_FULL_URI'
    ? `${setting} is not accepted: it has to be the URL of the agent, with https or a loopback or link-local address of ECS and EKS.`
    : `the token of ${setting} cannot be sent: it holds a character that a header cannot hold, as a line break.`;
}

function ofAgent(status = 200): string {
  if (status >= 500 || status === 429 || status < 400)
    return 'It has trouble, or something else stands at its address: look at the log of eks-pod-identity-agent on the node.';
  return "Check that a Pod Identity association for the operator's ServiceAccount exists in this cluster, that its role trusts pods.eks.amazonaws.com with sts:AssumeRole and sts:TagSession, and that the role of the node allows eks-auth:AssumeRoleForPodIdentity.";
}

function ofInstance(status = 200): string {
  if (status === 404)
    return 'The instance has no role: attach an instance profile, or give the operator another identity.';
  if (status === 401 || status === 403 || status === 405)
    return 'It does not serve this Pod: it is switched off, or its hop limit or a network policy keeps Pods from it. Allow that, or give the operator another identity.';
  return 'It has trouble, or something else stands at its address.';
}

function howToFix(): string {
  return `Fix one of: ${FIX}; then restart the Pod.`;
}

function isTimeout(error: unknown): boolean {
  return (error as { name?: unknown } | undefined)?.name === 'TimeoutError';
}
