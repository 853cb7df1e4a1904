import type { Advice } from './advice.ts';
import type { Denial, PolicyKind } from './denial.ts';
import { type CallerIdentity, ownerOf, policyPrincipal } from './options.ts';
import { issuerPath, providerArn } from './token-claims.ts';

/**
 * What to do about `AccessDenied`: which policy refused, where AWS names its kind, and the statements that are missing, ready to
 * be copied, where statements can help. A statement that allows is no help against one that denies, nor against a policy that
 * only narrows what others allow.
 */
export function accessDenied(about: Advice, denial: Denial | undefined): string {
  if (denial === undefined) return missing(about);
  const { explicit, kind } = denial;
  if (kind === undefined)
    return 'A policy denies it explicitly, and AWS does not say which: look for a statement with the effect Deny. One that allows it does not help.';
  const { of, change } = policies[kind];
  if (explicit)
    return `An explicit deny in ${articleOf(kind)} ${kind} of ${of(about)} refuses it; a statement that allows it does not help. ${change(about)}`;
  const lead = `No ${kind} of ${of(about)} allows it.`;
  return grants.includes(kind) ? `${lead} ${statements(about)}` : `${lead} ${change(about)}`;
}

/** Policies that give a right; the others only narrow it. */
const grants: readonly PolicyKind[] = ['identity-based policy', 'resource-based policy', 'role trust policy'];

interface Policy {
  /** Whose policy it is. */
  of(about: Advice): string;
  /** Who can change it, and where. */
  change(about: Advice): string;
}

const organization = 'Whoever administers that organization has to change it.';
const ofRole: Policy = {
  of: ({ roleArn = 'the role' }) => roleArn,
  change: () => 'Change the trust policy of the role.',
};

const policies: Readonly<Record<PolicyKind, Policy>> = {
  'service control policy': {
    of: (about) => `the organization of ${signingAccount(about)}`,
    change: () => organization,
  },
  'resource control policy': {
    of: ({ roleArn }) =>
      `the organization of ${roleArn === undefined ? 'the account' : `account ${ownerOf(roleArn).accountId}`}`,
    change: () => organization,
  },
  'VPC endpoint policy': {
    of: ({ service = 'AWS' }) => `the VPC endpoint through which ${service} is reached`,
    change: () => 'Whoever manages the endpoint has to change it.',
  },
  'permissions boundary': {
    of: signerOf,
    change: (about) => `Whoever administers IAM in ${signingAccount(about)} has to change it.`,
  },
  'session policy': {
    of: (about) => `the session of ${signerOf(about)}`,
    change: ({ operation }) =>
      operation === 'GetAuthorizationToken'
        ? 'It is made of spec.sessionPolicy, spec.policyArns and spec.ecr.restrictToRepositories: allow ecr:GetAuthorizationToken on * there.'
        : 'It was given to the session when that was made, as by an EKS Pod Identity association with a policy: change it there.',
  },
  'identity-based policy': {
    of: signerOf,
    change: (about) => `Remove the statement from the policies of ${signerOf(about)}.`,
  },
  'resource-based policy': ofRole,
  'role trust policy': ofRole,
};

function articleOf(kind: PolicyKind): string {
  return kind === 'identity-based policy' ? 'an' : 'a';
}

/** Who signed, or whose token it is. A registry is asked by the session of the role itself. */
function signerOf(about: Advice): string {
  const { operation, roleArn, claims, caller } = about;
  if (operation === 'GetAuthorizationToken' && roleArn !== undefined) return roleArn;
  if (operation === 'AssumeRoleWithWebIdentity') return claims?.subject ?? 'the token';
  return principalOf(caller);
}

function signingAccount(about: Advice): string {
  const { operation, roleArn = '', caller } = about;
  const account = operation === 'AssumeRole' ? caller?.accountId : ownerOf(roleArn).accountId;
  return account ? `account ${account}` : 'the account that signs';
}

/** Where AWS does not say why. */
function missing(about: Advice): string {
  const { operation, roleArn } = about;
  if (operation === 'AssumeRoleWithWebIdentity' && about.claims !== undefined)
    return `The role may not exist, or its trust policy lacks a statement. ${statements(about)}`;
  if (operation !== 'AssumeRole' || roleArn === undefined) return statements(about);
  const which = 'The role may not exist, or one of two statements is missing; STS does not say which one lacks.';
  return `${which} ${statements(about)}`;
}

/** The statements that allow the call. */
function statements(about: Advice): string {
  const { operation, roleArn } = about;
  if (operation === 'AssumeRoleWithWebIdentity') return webIdentityStatement(about);
  if (roleArn === undefined) return 'The identity needs a policy that allows the call.';
  return operation === 'GetAuthorizationToken' ? registryStatement(about) : bothStatements(about, roleArn);
}

function registryStatement({ service }: Advice): string {
  const action =
    service === 'ECR Public'
      ? ['ecr-public:GetAuthorizationToken', 'sts:GetServiceBearerToken']
      : 'ecr:GetAuthorizationToken';
  return `The role needs a policy with ${JSON.stringify({ Effect: 'Allow', Action: action, Resource: '*' })}`;
}

function bothStatements(about: Advice, roleArn: string): string {
  const { caller, externalId } = about;
  const principal = principalOf(caller);
  const action = actionsOf(about);
  const identity = { Effect: 'Allow', Action: action, Resource: roleArn };
  const condition = externalId !== undefined && { Condition: { StringEquals: { 'sts:ExternalId': externalId } } };
  const trust = { Effect: 'Allow', Principal: { AWS: principal }, Action: action, ...condition };
  return [
    `Identity policy of ${principal}${pathNote(caller)}: ${JSON.stringify(identity)}`,
    `Trust policy of ${roleArn}: ${JSON.stringify(trust)}`,
  ].join(' ');
}

function actionsOf({ tagged, sourceIdentity, caller }: Advice): string | string[] {
  const actions = ['sts:AssumeRole'];
  if (tagged || caller?.carriesTags) actions.push('sts:TagSession');
  if (sourceIdentity || caller?.carriesSourceIdentity) actions.push('sts:SetSourceIdentity');
  return actions.length === 1 ? 'sts:AssumeRole' : actions;
}

function principalOf(caller: CallerIdentity | undefined): string {
  return caller === undefined ? "<ARN of the operator's identity>" : policyPrincipal(caller);
}

function pathNote(caller: CallerIdentity | undefined): string {
  return caller?.role === undefined || caller.roleArn !== undefined ? '' : ' (add its path, if it has one)';
}

/** Only one side decides here: the role. */
function webIdentityStatement({ claims, roleArn }: Advice): string {
  if (claims === undefined || roleArn === undefined)
    return "The role's trust policy must allow sts:AssumeRoleWithWebIdentity to the cluster's OIDC provider for this ServiceAccount (conditions on sub and aud).";
  const path = issuerPath(claims.issuer);
  const trust = {
    Effect: 'Allow',
    Principal: { Federated: providerArn(roleArn, claims) },
    Action: 'sts:AssumeRoleWithWebIdentity',
    Condition: { StringEquals: { [`${path}:sub`]: claims.subject, [`${path}:aud`]: claims.audience } },
  };
  return `Trust policy of ${roleArn}: ${JSON.stringify(trust)}`;
}
