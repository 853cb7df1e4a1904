import * as z from 'zod';
import { PARTITION, ROLE_PATH } from './patterns.ts';
import { boundedMap, celString, mustMatch, mustNotStartWith, type Rule, ruled } from './rules.ts';

/** Most characters of `sessionPolicy` and `policyArns` together (STS). */
const MAX_POLICY = 2048;
/** Most characters of a tag's key and value, and most tags (STS). */
const MAX_TAG_KEY = 128;
const MAX_TAG_VALUE = 256;
const MAX_TAGS = 50;
/** Characters of tags: letters, digits and blanks of every script, and these (STS). */
const TAG_CHARACTERS = '[\\p{L}\\p{Z}\\p{N}_.:/=+@-]';
/** Prefixes of tag keys that AWS and the operator keep for themselves, in any case. */
const RESERVED_TAG = '^(?i:aws:|rolevend-)';

const tagValue = matchUnicode(
  `^${TAG_CHARACTERS}*$`,
  'sessionTags has a value with characters that STS does not allow; use letters, digits, blanks and _.:/=+@-',
);

/** Rules of one tag key. `field` is the field in which it stands. */
export function tagKeyRules(field: string): Rule<string>[] {
  const reserved = new RegExp(RESERVED_TAG);
  return [
    matchUnicode(
      `^${TAG_CHARACTERS}+$`,
      `${field} has a key with characters that STS does not allow; use letters, digits, blanks and _.:/=+@-`,
    ),
    {
      cel: `!self.matches(${celString(RESERVED_TAG)})`,
      message: `${field} has a key that starts with aws: or rolevend-, in any case, which AWS and the operator keep for themselves; choose another key`,
      holds: (key) => !reserved.test(key),
    },
  ];
}

/** A tag key as an item of a list. */
export function tagKey(field: string) {
  return ruled(z.string().min(1).max(MAX_TAG_KEY), tagKeyRules(field));
}

/** As `mustMatch`, for patterns with classes of Unicode. */
function matchUnicode(pattern: string, message: string): Rule<string> {
  const expression = new RegExp(pattern, 'u');
  return { cel: `self.matches(${celString(pattern)})`, message, holds: (value) => expression.test(value) };
}

/** The rules of a tag key for each key of a map, and that STS takes the keys together. */
function tagMapRules(field: string): Rule<Record<string, string>>[] {
  return [
    ...tagKeyRules(field).map(eachKey),
    {
      cel: `self.all(k, size(k) >= 1 && size(k) <= ${MAX_TAG_KEY})`,
      message: `${field} has a key that is empty or longer than ${MAX_TAG_KEY} characters; shorten it`,
      holds: (tags) => Object.keys(tags).every((key) => isWithin(key, 1, MAX_TAG_KEY)),
    },
    {
      cel: 'self.all(k, self.exists_one(other, other.lowerAscii() == k.lowerAscii()))',
      message: `${field} has two keys that differ in case alone, which STS takes for the same; remove one`,
      holds: (tags) => new Set(Object.keys(tags).map(lowerAscii)).size === Object.keys(tags).length,
    },
  ];
}

/** The rule of one key, which names `self` once, for all keys of a map. */
function eachKey({ cel, message, holds }: Rule<string>): Rule<Record<string, string>> {
  return {
    cel: `self.all(k, ${cel.replace('self', 'k')})`,
    message,
    holds: (map) => Object.keys(map).every(holds),
  };
}

/** As CEL does it: letters of other scripts stay as they are. */
function lowerAscii(text: string): string {
  return text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function isWithin(text: string, least: number, most: number): boolean {
  const { length } = [...text];
  return length >= least && length <= most;
}

/** External id of the role or of a hop. */
export const externalId = ruled(z.string().min(2).max(1224), [
  mustMatch('^[\\w+=,.@:/-]*$', 'externalId has characters that STS does not allow; use letters, digits and _+=,.@:/-'),
  mustNotStartWith(
    'rolevend:',
    'externalId starts with rolevend:, which the operator keeps for itself; choose another value',
  ),
]).meta({
  description:
    'External id that the trust policy of the role asks for. Default: none. 2 to 1224 characters of A-Z a-z 0-9 _+=,.@:/- (STS), not starting with rolevend:.',
});

const sessionName = ruled(z.string().min(2).max(64), nameRules('sessionName')).meta({
  description:
    'Name of the session, shown by CloudTrail and part of the assumed-role ARN. Needs a RoleGrant with sessionName: Any. Default: rolevend-<namespace>.<name>, shortened when longer than 64. 2 to 64 characters of A-Z a-z 0-9 _+=,.@- (STS), not starting with rolevend-.',
});

const sourceIdentity = ruled(z.string().min(2).max(64), nameRules('sourceIdentity')).meta({
  description:
    'Source identity of the session: shown by CloudTrail, handed on to every session made from it, and never to be changed there. Needs a RoleGrant with sourceIdentity: Any, and sts:SetSourceIdentity in the trust policy of the role and in the policy of the operator. Default: none, unless a RoleGrant derives it. 2 to 64 characters of A-Z a-z 0-9 _+=,.@- (STS), not starting with rolevend-.',
});

/** Rules of a value that shows who acted: those of the operator start with `rolevend-`. */
function nameRules(field: string): Rule<string>[] {
  return [
    mustMatch('^[\\w+=,.@-]*$', `${field} has characters that STS does not allow; use letters, digits and _+=,.@-`),
    mustNotStartWith(
      'rolevend-',
      `${field} starts with rolevend-, which the operator keeps for itself; choose another value`,
    ),
  ];
}

const sessionPolicy = ruled(z.string().max(MAX_POLICY), [
  mustMatch(
    '^[\\t\\n\\r ]*\\{[\\t\\n\\r -\\xff]*\\}[\\t\\n\\r ]*$',
    'sessionPolicy is not the JSON of an IAM policy; write it as text that starts with { and ends with }, of characters up to U+00FF',
  ),
]).meta({
  description: `IAM policy in JSON that narrows the session: it may do what both this policy and the role allow. Default: none. At most ${MAX_POLICY} characters together with policyArns (STS).`,
});

const policyArn = ruled(z.string().max(700), [
  mustMatch(
    `^arn:${PARTITION}:iam::(aws|[0-9]{12}):policy/${ROLE_PATH}$`,
    'policyArns has an entry that is not the ARN of a managed policy; write arn:<partition>:iam::<account of 12 digits or aws>:policy/<path/name>, e.g. arn:aws:iam::aws:policy/ReadOnlyAccess',
  ),
]);

const policyArns = z
  .array(policyArn)
  .max(10)
  .meta({
    description: `ARNs of managed policies, of the account of the role or of AWS, that narrow the session as sessionPolicy does. Default: none. At most 10, and at most ${MAX_POLICY} characters together with sessionPolicy (STS).`,
  });

/** Session tags of the role or of a hop. */
export const sessionTags = boundedMap(
  ruled(z.string().max(MAX_TAG_VALUE), [tagValue]),
  MAX_TAGS,
  tagMapRules('sessionTags'),
).meta({
  description: `Session tags, for policies with conditions on aws:PrincipalTag and for CloudTrail. Each key must stand in tenantTagKeys of a RoleGrant, and the trust policy of the role and the policy of the operator must allow sts:TagSession. Default: none. At most ${MAX_TAGS}, keys of 1 to ${MAX_TAG_KEY} and values of at most ${MAX_TAG_VALUE} letters, digits, blanks and _.:/=+@- (STS). Keys starting with aws: or rolevend- are refused.`,
});

/** Transitive tag keys of the role or of a hop. */
export const transitiveTagKeys = z
  .array(z.string().min(1).max(MAX_TAG_KEY))
  .max(MAX_TAGS)
  .meta({
    description: `Keys of sessionTags that go on to every session made from this one. In a hop of a chain they must be allowed for each role after it, too. Default: none. At most ${MAX_TAGS}.`,
  });

/** The fields of a spec that shape its session. */
export const sessionFields = {
  externalId: externalId.optional(),
  sessionName: sessionName.optional(),
  sourceIdentity: sourceIdentity.optional(),
  sessionPolicy: sessionPolicy.optional(),
  policyArns: policyArns.optional(),
  sessionTags: sessionTags.optional(),
  transitiveTagKeys: transitiveTagKeys.optional(),
};

interface Tagged {
  sessionTags?: Record<string, string> | undefined;
  transitiveTagKeys?: string[] | undefined;
}

/** Rule of whatever has both tags and transitive keys. */
export const transitiveRule: Rule<Tagged> = {
  cel: '!has(self.transitiveTagKeys) || self.transitiveTagKeys.all(k, has(self.sessionTags) && k in self.sessionTags)',
  message: 'transitiveTagKeys has a key that sessionTags does not have; add the tag or remove the key',
  fieldPath: '.transitiveTagKeys',
  holds: ({ sessionTags: tags = {}, transitiveTagKeys: keys = [] }) => keys.every((key) => Object.hasOwn(tags, key)),
};

/** Rules over several of the fields above. */
export const sessionRules: Rule<Tagged & { sessionPolicy?: string | undefined; policyArns?: string[] | undefined }>[] =
  [
    transitiveRule,
    {
      cel: `(has(self.sessionPolicy) ? size(self.sessionPolicy) : 0) + (has(self.policyArns) ? self.policyArns.map(a, size(a)).sum() : 0) <= ${MAX_POLICY}`,
      message: `sessionPolicy and policyArns have more than ${MAX_POLICY} characters together, the most that STS takes; shorten the policy or make a managed policy of it`,
      fieldPath: '.sessionPolicy',
      holds: ({ sessionPolicy: policy = '', policyArns: arns = [] }) =>
        policy.length + arns.join('').length <= MAX_POLICY,
    },
  ];
