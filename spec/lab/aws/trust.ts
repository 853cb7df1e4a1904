/** A role's trust policy, or the statements of one. */
export interface TrustPolicy {
  Version?: string;
  Statement: TrustStatement | TrustStatement[];
}

export interface TrustStatement {
  Sid?: string;
  Effect: 'Allow' | 'Deny';
  Principal: '*' | Partial<Record<'AWS' | 'Federated' | 'Service', string | string[]>>;
  Action: string | string[];
  Condition?: Record<string, Record<string, string | string[]>>;
}

/** The principal of EKS Pod Identity. */
export const POD_IDENTITY_SERVICE = 'pods.eks.amazonaws.com';

/** Lets these principals (ARNs) assume the role and tag the session, with an external id where one is given. */
export function trustPrincipals(arns: string | string[], terms: { externalId?: string } = {}): TrustPolicy {
  const condition = { StringEquals: { 'sts:ExternalId': terms.externalId ?? '' } };
  return policy({
    Effect: 'Allow',
    Principal: { AWS: arns },
    Action: ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'],
    ...(terms.externalId === undefined ? {} : { Condition: condition }),
  });
}

/** Lets a Kubernetes ServiceAccount assume the role with a token of an issuer that the account knows. */
export function trustServiceAccount(
  providerArn: string,
  account: { namespace: string; name: string },
  audience = 'sts.amazonaws.com',
): TrustPolicy {
  const host = providerArn.slice(providerArn.indexOf('/') + 1);
  const subject = `system:serviceaccount:${account.namespace}:${account.name}`;
  return policy({
    Effect: 'Allow',
    Principal: { Federated: providerArn },
    Action: 'sts:AssumeRoleWithWebIdentity',
    Condition: { StringEquals: { [`${host}:aud`]: audience, [`${host}:sub`]: subject } },
  });
}

/** Lets EKS Pod Identity assume the role. */
export function trustPodIdentity(): TrustPolicy {
  return policy({
    Effect: 'Allow',
    Principal: { Service: POD_IDENTITY_SERVICE },
    Action: ['sts:AssumeRole', 'sts:TagSession'],
  });
}

/** One policy with the statements of all. */
export function joinTrust(...policies: TrustPolicy[]): TrustPolicy {
  return policy(...policies.flatMap((one) => one.Statement));
}

function policy(...statements: TrustStatement[]): TrustPolicy {
  return { Version: '2012-10-17', Statement: statements };
}

/** Whether some statement allows the action to a service principal. Conditions are left to ministack. */
export function trustsService(trust: TrustPolicy, service: string, action: string): boolean {
  return statements(trust).some(
    (one) => one.Effect === 'Allow' && names(one.Principal, 'Service').includes(service) && covers(one, action),
  );
}

/**
 * Whether the trust policy allows `sts:SetSourceIdentity` of this value to the caller; ministack knows nothing of it.
 * Of the conditions only those on `sts:SourceIdentity` are looked at.
 */
export function trustsSourceIdentity(trust: TrustPolicy, callerArn: string, sourceIdentity: string): boolean {
  const matching = statements(trust).filter(
    (one) => covers(one, 'sts:SetSourceIdentity') && namesCaller(one, callerArn) && conditionHolds(one, sourceIdentity),
  );
  return matching.some((one) => one.Effect === 'Allow') && !matching.some((one) => one.Effect === 'Deny');
}

function statements(trust: TrustPolicy): TrustStatement[] {
  return list(trust.Statement);
}

function covers(statement: TrustStatement, action: string): boolean {
  return list(statement.Action).some((pattern) => wildcard(pattern.toLowerCase(), action.toLowerCase()));
}

function namesCaller(statement: TrustStatement, callerArn: string): boolean {
  const [, , , , account = '', resource = ''] = callerArn.split(':');
  const role = /^assumed-role\/([^/]+)\//.exec(resource)?.[1];
  return names(statement.Principal, 'AWS').some((principal) => {
    if (principal === '*' || principal === callerArn || principal === account) return true;
    if (principal.endsWith(':root')) return principal.split(':')[4] === account;
    const sameAccount = principal.split(':')[4] === account;
    return role !== undefined && sameAccount && principal.includes(':role/') && principal.endsWith(`/${role}`);
  });
}

function conditionHolds(statement: TrustStatement, sourceIdentity: string): boolean {
  return Object.entries(statement.Condition ?? {}).every(([operator, keys]) =>
    Object.entries(keys).every(([key, values]) => {
      if (key.toLowerCase() !== 'sts:sourceidentity') return true;
      const like = operator === 'StringLike';
      return list(values).some((value) => (like ? wildcard(value, sourceIdentity) : value === sourceIdentity));
    }),
  );
}

function names(principal: TrustStatement['Principal'], kind: 'AWS' | 'Service'): string[] {
  return principal === '*' ? ['*'] : list(principal[kind] ?? []);
}

function wildcard(pattern: string, text: string): boolean {
  const escaped = pattern.replaceAll(/[.+^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`).test(text);
}

function list<T>(value: T | T[]): T[] {
  return Array.isArray(value) ? value : [value];
}
