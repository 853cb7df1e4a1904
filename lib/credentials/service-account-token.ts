import { SecretValue } from '../api/credentials.ts';
import { RolevendError } from '../errors.ts';
import type { KubeClient } from '../kube/client.ts';
import { isNamespaceTerminating, KubeError } from '../kube/errors.ts';
import { type Refuser, refuserAdvice, refuserText } from '../kube/refusal.ts';

/** A ServiceAccount, and for whom its token shall be. */
export interface TokenRequest {
  namespace: string;
  name: string;
  audience: string;
}

/** The shortest life that Kubernetes gives a token, in seconds. It is exchanged at once. */
const TOKEN_SECONDS = 600;

/**
 * A token of the ServiceAccount for this audience, made anew each time and kept nowhere.
 * @throws RolevendError `ServiceAccountNotFound` and `TokenRequestForbidden` (both retry, since what mends them is not
 * watched); KubeError; the signal's reason when it aborts
 */
export async function serviceAccountToken(
  client: Pick<KubeClient, 'createToken'>,
  { namespace, name, audience }: TokenRequest,
  signal?: AbortSignal,
): Promise<SecretValue> {
  try {
    const spec = { audiences: [audience], expirationSeconds: TOKEN_SECONDS };
    return new SecretValue((await client.createToken({ namespace, name }, spec, { signal })).token);
  } catch (error) {
    throw explained(error, namespace, name);
  }
}

function explained(error: unknown, namespace: string, name: string): unknown {
  if (!(error instanceof KubeError) || isNamespaceTerminating(error)) return error;
  const { refuser } = error;
  if (refuser !== undefined && refuser.by !== 'authorization') return byAdmission(refuser, namespace, name);
  const known = problems[error.status];
  if (known === undefined) return error;
  return new RolevendError(known.message(namespace, name), { code: known.code, consequence: 'retry' });
}

/** The right is there, and something else is against it. */
function byAdmission(refuser: Refuser, namespace: string, name: string): RolevendError {
  const message = `The request for a token of ServiceAccount ${namespace}/${name} is refused ${refuserText(refuser)}. ${refuserAdvice(refuser)} It is tried again.`;
  return new RolevendError(message, { code: 'TokenRequestForbidden', consequence: 'retry' });
}

const problems: Readonly<Record<number, { code: string; message(namespace: string, name: string): string }>> = {
  403: {
    code: 'TokenRequestForbidden',
    message: (namespace, name) =>
      `The operator may not create tokens of ServiceAccount ${namespace}/${name}. Add the namespace to the value serviceAccountAuth.namespaces of its Helm chart (it replaces the list of before): ` +
      `helm upgrade … --reset-then-reuse-values --set 'serviceAccountAuth.namespaces={${namespace}}'. If it is there, an admission policy refuses the request. It is tried again.`,
  },
  404: {
    code: 'ServiceAccountNotFound',
    message: (namespace, name) =>
      `There is no ServiceAccount ${name} in namespace ${namespace}: create it, or correct spec.auth.serviceAccountRef.name. It is looked for again.`,
  },
};
