/** The part of a cluster that refused a request. */
export type Refuser =
  | { by: 'webhook' | 'broken webhook' | 'quota' | 'pod security'; name: string }
  | { by: 'policy'; name: string; binding: string }
  | { by: 'authorization'; user: string; may: string }
  | { by: 'owner references' }
  | { by: 'fields'; fields: readonly string[] };

/** The fields of `metav1.Status` that tell who refused. */
export interface RefusalStatus {
  message?: string | undefined;
  details?: { causes?: readonly { reason?: string; field?: string; message?: string }[] } | undefined;
}

const NAME = String.raw`[A-Za-z0-9][\w.:/@-]{0,252}`;
/** As the API server begins whatever one of its own plugins refuses. */
const FORBIDDEN = String.raw`^[a-z0-9.-]+(?: "[^"\s]{0,253}")? is forbidden: `;

const PATH = /^[A-Za-z][\w.[\]/-]{0,252}$/;

const webhook = new RegExp(`^admission webhook "(${NAME})" denied the request`);
const broken = new RegExp(`^Internal error occurred: failed calling webhook "(${NAME})"`);
const policy = new RegExp(`${FORBIDDEN}ValidatingAdmissionPolicy '(${NAME})' with binding '(${NAME})' denied request`);
const quota = new RegExp(`${FORBIDDEN}(?:exceeded|failed) quota: (${NAME}?)[,:] `);
const podSecurity = new RegExp(`${FORBIDDEN}violates PodSecurity "(${NAME})"`);
const authorization = new RegExp(`${FORBIDDEN}User "(${NAME})" cannot ([a-z]+) resource "([a-z0-9./-]+)"`);
const owner = new RegExp(`${FORBIDDEN}cannot set (?:blockOwnerDeletion|an ownerRef)`);

/**
 * Who refused, by name. Everything is read from where the API server itself writes it, with patterns of names: what a webhook or
 * a policy says behind that, and what is said of a value, may quote a Secret and is never read.
 */
export function refuserIn(status: RefusalStatus): Refuser | undefined {
  const { message = '' } = status;
  for (const [by, pattern] of patterns) {
    const name = pattern.exec(message)?.[1];
    if (name !== undefined) return { by, name };
  }
  const [, name, binding] = policy.exec(message) ?? [];
  if (name !== undefined && binding !== undefined) return { by: 'policy', name, binding };
  const [, user, verb, resource] = authorization.exec(message) ?? [];
  if (user !== undefined) return { by: 'authorization', user, may: `${verb} ${resource}` };
  if (owner.test(message)) return { by: 'owner references' };
  const fields = fieldsIn(status);
  return fields.length === 0 ? undefined : { by: 'fields', fields };
}

const patterns = [
  ['webhook', webhook],
  ['broken webhook', broken],
  ['quota', quota],
  ['pod security', podSecurity],
] as const;

/** Paths hold no values, but may hold keys that are no names; then the field that holds the key is told. */
function fieldsIn({ details }: RefusalStatus): string[] {
  const told = (details?.causes ?? []).flatMap(({ field = '', reason = '', message = '' }) => {
    const path = PATH.test(field) ? field : field.replace(/\[.*$/s, '');
    if (!PATH.test(path) || !/^FieldValue[A-Za-z]{1,40}$/.test(reason)) return [];
    const why = /\bfield is immutable\b/.test(message) ? 'immutable' : reason;
    return [`${path} (${why})`];
  });
  return [...new Set(told)];
}

/** Who refused, as it stands behind a status: `by ResourceQuota none`. */
export function refuserText(refuser: Refuser): string {
  switch (refuser.by) {
    case 'webhook':
      return `by admission webhook ${refuser.name}`;
    case 'broken webhook':
      return `because admission webhook ${refuser.name} gives no answer`;
    case 'quota':
      return `by ResourceQuota ${refuser.name}`;
    case 'pod security':
      return `by PodSecurity ${refuser.name}`;
    case 'policy':
      return `by ValidatingAdmissionPolicy ${refuser.name} (binding ${refuser.binding})`;
    case 'authorization':
      return `by the authorization (RBAC): ${refuser.user} may not ${refuser.may}`;
    case 'owner references':
      return 'by the admission plugin OwnerReferencesPermissionEnforcement';
    case 'fields':
      return `for ${refuser.fields.join(', ')}`;
  }
}

/** What to do about it. */
export function refuserAdvice(refuser: Refuser): string {
  switch (refuser.by) {
    case 'webhook':
      return 'Whoever runs that webhook has to let what the operator writes through.';
    case 'broken webhook':
      return 'Whoever runs that webhook has to repair it, or to let requests pass without it (failurePolicy: Ignore).';
    case 'quota':
      return 'Raise that quota, or remove what it counts.';
    case 'pod security':
      return 'Change the workload, or the PodSecurity labels of the namespace.';
    case 'policy':
      return 'Change that policy or its binding, so that it lets what the operator writes through.';
    case 'authorization':
      return "Give that user this right: the chart does so for the operator's ServiceAccount in all namespaces, or in those of rbac.namespaces.";
    case 'owner references':
      return "The operator's ServiceAccount needs the right to update the finalizers of its objects, which the chart gives.";
    case 'fields':
      return 'Correct these fields in the object.';
  }
}
