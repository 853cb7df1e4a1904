import { isOfEndpoint, meaningOf, type Trouble } from './codes.ts';
import type { CallerIdentity } from './options.ts';
import { providerArn, type TokenClaims } from './token-claims.ts';

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
  IDPCommunicationError: 'AWS could not reach the identity provider for the keys of the token. It is tried again.',
  InvalidClientTokenId:
    'AWS does not know the access key: it was deleted or belongs to another partition, or the Region is not enabled in the account. New credentials are fetched.',
  OptInRequired: 'The account, or the Region in it, is not enabled for this service: enable it, or set another region.',
  SubscriptionRequired: 'The account is not activated for this service: activate it.',
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
  if (code === 'ExpiredToken' && about.operation === 'AssumeRoleWithWebIdentity') return tokenEnded(about);
  if (code === 'PackedPolicyTooLarge') return tooLarge(text, about);
  const known = byCode[code];
  if (known !== undefined) return known;
  if (trouble === 'credentials')
    return "The request's signature was refused: check the operator's credentials and the clock of its node.";
  if (meaningOf(code).lasts === 'passes') return 'It is tried again.';
  return isOfEndpoint(code)
    ? 'The endpoint does not understand the request: AWS_ENDPOINT_URL may lead to another service, or to a stand-in that lacks this call.'
    : `AWS does not accept ${fieldIn(text, about.path)}: correct it in the object.`;
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

/** The field of the object that a text speaks of, by the name of the parameter that comes from it. */
export function fieldIn(text: string, path = 'spec'): string {
  const words = text.toLowerCase();
  if (words.includes('rolearn'))
    return path === 'spec' ? 'the role (spec.roleName or spec.roleArn)' : `${path}.roleArn`;
  const name = Object.keys(fields).find((field) => words.includes(field));
  return name === undefined ? 'a value of the request' : `${path}.${fields[name]}`;
}

function tokenRefused({ claims, roleArn }: Advice): string {
  if (claims === undefined || roleArn === undefined)
    return 'AWS does not accept the token: check the OIDC provider of the account, its audience and its issuer.';
  return `AWS does not accept the token of ${claims.subject}: the account of the role needs the IAM OIDC provider ${providerArn(roleArn, claims)} with the audience ${claims.audience}, and AWS must be able to read the keys of ${claims.issuer}.`;
}

function tokenEnded({ claims }: Advice): string {
  const whose = claims === undefined ? 'The token' : `The token of ${claims.subject}`;
  return `${whose} had ended when AWS looked at it: the clock of the API server that made it is behind, or the kubelet does not replace the token file. Each try takes the newest.`;
}
