import type { Trouble } from './errors.ts';
import { type CallerIdentity, ownerOf, policyPrincipal } from './options.ts';
import type { TokenClaims } from './token-claims.ts';

/** What an advice may name. None of it is secret. */
export interface Advice {
  roleArn?: string | undefined;
  /** Where in the object the fields of the request stand. Default: `spec`. */
  path?: string | undefined;
  /** Who signed the request. */
  caller?: CallerIdentity | undefined;
  externalId?: string | undefined;
  /** The request passes session tags. */
  tagged?: boolean | undefined;
  /** The request sets a source identity. */
  sourceIdentity?: boolean | undefined;
  /** What the request packs into the session, by field and size. */
  packed?: readonly string[] | undefined;
  /** Of the token that is exchanged. */
  claims?: TokenClaims | undefined;
  service?: string;
  operation?: string;
}

const byCode: Readonly<Record<string, string>> = {
  NoIdentity: 'The operator has no AWS identity: see its readiness check and log.',
  MalformedPolicyDocument: 'A session policy is not valid: correct it in the object.',
  RegionDisabled:
    'STS is not activated in this Region: activate it (IAM console, Account settings, Endpoints) or set another region.',
  IDPRejectedClaim: 'The identity provider refused the token: it is expired, revoked or its claims do not fit.',
  InvalidClientTokenId:
    'AWS does not know the access key: it was deleted or belongs to another partition, or the Region is not enabled in the account. New credentials are fetched.',
  ExpiredToken: 'The credentials that signed the request have expired. New ones are fetched.',
};

function tagRefused({ path = 'spec' }: Advice): string {
  return `AWS does not accept a session tag: perhaps the session that signs hands on a tag of that key (EKS Pod Identity and transitive tags do). Remove it from ${path}.sessionTags or name it otherwise.`;
}

/** What to do about a code other than `AccessDenied`. `text` is looked at for the name of a field and a percentage only. */
export function advice(code: string, trouble: Trouble, text: string, about: Advice = {}): string {
  if (trouble === 'throttled') return 'AWS asks for fewer requests. They are slowed down and tried again.';
  if (trouble === 'duration')
    return 'The role does not allow sessions that long: lower spec.durationSeconds or raise the maximum session duration of the role.';
  if (code === 'InvalidParameterValue' && about.tagged) return tagRefused(about);
  if (code === 'InvalidIdentityToken') return tokenRefused(about);
  if (code === 'PackedPolicyTooLarge') return tooLarge(text, about);
  const known = byCode[code];
  if (known !== undefined) return known;
  if (trouble === 'credentials')
    return "The request's signature was refused: check the operator's credentials and the clock of its node.";
  if (code === 'ValidationError') return `AWS does not accept ${fieldIn(text, about.path)}: correct it in the object.`;
  return 'It is tried again.';
}

/** What to do where no answer came. `network` is what the network said, as `ECONNREFUSED`. */
export function unreachable(network: string | undefined): string {
  if (network === 'ERR_PROXY_TUNNEL')
    return 'The proxy of HTTPS_PROXY refused the connection: check its address, user and password, and what it lets through. It is tried again.';
  if (network !== undefined && /CERT|UNABLE_TO_(GET|VERIFY)/.test(network))
    return 'The certificate of the other side is not trusted: where a proxy or an endpoint has an authority of its own, name a PEM file with it in AWS_CA_BUNDLE. It is tried again.';
  return 'Check the network, the proxy and the Region. It is tried again.';
}

/** What to shorten. How AWS packs is not published, so the length of a field says only about how much it takes. */
function tooLarge(text: string, { packed = [], caller }: Advice): string {
  const percent = /(\d+) ?%/.exec(text)?.[1];
  const size = `Session policy, policy ARNs and tags together take ${percent === undefined ? 'more than 100' : percent} % of the space that AWS gives them.`;
  const shorten = `Shorten or remove: ${packed.join(', ') || 'session policy, policy ARNs and tags'}. A managed policy takes less than the same text in spec.sessionPolicy.`;
  return [size, shorten, ...(caller?.carriesTags ? [inheritedTags(caller)] : [])].join(' ');
}

function inheritedTags({ roleArn }: CallerIdentity): string {
  return roleArn === undefined
    ? "The operator's EKS Pod Identity session hands on tags that take about 74 %: aws eks update-pod-identity-association --disable-session-tags turns them off."
    : `The session of ${roleArn} hands on its transitive tags, which count, too.`;
}

/** Parameters of the STS calls and the fields of an object from which they come. */
const fields: Readonly<Record<string, string>> = {
  rolesessionname: 'sessionName',
  externalid: 'externalId',
  durationseconds: 'durationSeconds',
  policyarns: 'policyArns',
  policy: 'sessionPolicy',
  tags: 'sessionTags',
  sourceidentity: 'sourceIdentity',
};

function fieldIn(text: string, path = 'spec'): string {
  const words = text.toLowerCase();
  if (words.includes('rolearn'))
    return path === 'spec' ? 'the role (spec.roleName or spec.roleArn)' : `${path}.roleArn`;
  const name = Object.keys(fields).find((field) => words.includes(field));
  return name === undefined ? 'a value of the request' : `${path}.${fields[name]}`;
}

/**
 * Advice for `AccessDenied`. STS does not tell which side refused, so it names both statements, ready to be copied.
 * A registry has one side only.
 */
export function accessDenied(about: Advice): string {
  if (about.operation === 'AssumeRoleWithWebIdentity') return webIdentityDenied(about);
  if (about.roleArn === undefined) return 'The identity needs a policy that allows the call.';
  if (about.operation === 'GetAuthorizationToken') {
    const isPublic = about.service === 'ECR Public';
    const action = isPublic
      ? ['ecr-public:GetAuthorizationToken', 'sts:GetServiceBearerToken']
      : 'ecr:GetAuthorizationToken';
    return `The role needs a policy with ${JSON.stringify({ Effect: 'Allow', Action: action, Resource: '*' })}`;
  }
  const actions = ['sts:AssumeRole'];
  if (about.tagged || about.caller?.carriesTags) actions.push('sts:TagSession');
  if (about.sourceIdentity || about.caller?.carriesSourceIdentity) actions.push('sts:SetSourceIdentity');
  return bothStatements(about, about.roleArn, actions.length === 1 ? 'sts:AssumeRole' : actions);
}

function bothStatements(about: Advice, roleArn: string, action: string | string[]): string {
  const principal = about.caller === undefined ? "<ARN of the operator's identity>" : policyPrincipal(about.caller);
  const identity = { Effect: 'Allow', Action: action, Resource: roleArn };
  const condition = about.externalId !== undefined && {
    Condition: { StringEquals: { 'sts:ExternalId': about.externalId } },
  };
  const trust = { Effect: 'Allow', Principal: { AWS: principal }, Action: action, ...condition };
  return [
    'The role may not exist, or one of two statements is missing; STS does not say which one lacks.',
    `Identity policy of ${principal}${pathNote(about.caller)}: ${JSON.stringify(identity)}`,
    `Trust policy of ${roleArn}: ${JSON.stringify(trust)}`,
  ].join(' ');
}

function pathNote(caller: CallerIdentity | undefined): string {
  return caller?.role === undefined || caller.roleArn !== undefined ? '' : ' (add its path, if it has one)';
}

/** The ARN of the IAM OIDC provider that an account needs for the issuer of a token. */
function providerArn(roleArn: string, { issuer }: TokenClaims): string {
  const { partition, accountId } = ownerOf(roleArn);
  return `arn:${partition}:iam::${accountId}:oidc-provider/${issuerPath(issuer)}`;
}

/** The issuer as IAM names it, in ARNs and in conditions. */
function issuerPath(issuer: string): string {
  return issuer.replace(/^https?:\/\//, '').replace(/\/$/, '');
}

function tokenRefused({ claims, roleArn }: Advice): string {
  if (claims === undefined || roleArn === undefined)
    return 'AWS does not accept the token: check the OIDC provider of the account, its audience and its issuer.';
  return `AWS does not accept the token of ${claims.subject}: the account of the role needs the IAM OIDC provider ${providerArn(roleArn, claims)} with the audience ${claims.audience}, and AWS must be able to read the keys of ${claims.issuer}.`;
}

/** Only one side decides here: the role. */
function webIdentityDenied({ claims, roleArn }: Advice): string {
  if (claims === undefined || roleArn === undefined)
    return "The role's trust policy must allow sts:AssumeRoleWithWebIdentity to the cluster's OIDC provider for this ServiceAccount (conditions on sub and aud).";
  const path = issuerPath(claims.issuer);
  const trust = {
    Effect: 'Allow',
    Principal: { Federated: providerArn(roleArn, claims) },
    Action: 'sts:AssumeRoleWithWebIdentity',
    Condition: { StringEquals: { [`${path}:sub`]: claims.subject, [`${path}:aud`]: claims.audience } },
  };
  return `The role may not exist, or its trust policy lacks a statement. Trust policy of ${roleArn}: ${JSON.stringify(trust)}`;
}
