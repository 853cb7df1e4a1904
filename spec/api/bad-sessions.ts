/** A change of a good spec that must be refused; the fields are those of `BadSpec`. */
export interface BadChange {
  title: string;
  change: object;
  field: string;
  says: string;
}

const policy = '{"Version":"2012-10-17","Statement":[]}';
const arn = 'arn:aws:iam::aws:policy/ReadOnlyAccess';
const many = (count: number, value: (index: number) => string) => Array.from({ length: count }, (_, i) => value(i));
const tags = (sessionTags: object) => ({ sessionTags });
const tagged = Object.fromEntries(many(51, (index) => `key-${index}`).map((key) => [key, '']));

const names: BadChange[] = [
  ['a source identity of one character', 'x', 'at least 2 chars'],
  ['a source identity over 64 characters', 's'.repeat(65), 'may not be more than 64'],
  ['a source identity with a blank', 'Jane Doe', 'use letters, digits and _+=,.@-'],
  ["the operator's own source identity", 'rolevend-a.b', 'the operator keeps for itself'],
].map(([title = '', sourceIdentity, says = '']) => ({
  title,
  change: { sourceIdentity },
  field: 'spec.sourceIdentity',
  says,
}));

const policies: BadChange[] = [
  ['a session policy that is no JSON', 'Allow', 'starts with { and ends with }'],
  ['a session policy that is a list', `[${policy}]`, 'not the JSON of an IAM policy'],
  ['a session policy with characters that STS refuses', '{"Sid":"\u0142"}', 'characters up to U+00FF'],
  ['a session policy over 2048 characters', `{${' '.repeat(2047)}}`, 'may not be more than 2048'],
].map(([title = '', sessionPolicy, says = '']) => ({
  title,
  change: { sessionPolicy },
  field: 'spec.sessionPolicy',
  says,
}));

const managed: BadChange[] = [
  {
    title: 'the ARN of a role among the policies',
    change: { policyArns: ['arn:aws:iam::123456789012:role/x'] },
    field: 'spec.policyArns',
    says: 'e.g. arn:aws:iam::aws:policy/ReadOnlyAccess',
  },
  {
    title: 'eleven managed policies',
    change: { policyArns: many(11, (index) => `arn:aws:iam::aws:policy/p${index}`) },
    field: 'spec.policyArns',
    says: 'at most 10 items',
  },
  {
    title: 'a session policy and managed policies over 2048 characters together',
    change: { sessionPolicy: `{${' '.repeat(2047 - arn.length)}}`, policyArns: [arn] },
    field: 'spec.sessionPolicy',
    says: 'shorten the policy or make a managed policy of it',
  },
];

const tagMaps: BadChange[] = [
  { title: 'a session tag of the operator', change: tags({ 'Rolevend-Namespace': 'x' }), says: 'choose another key' },
  { title: 'a session tag of AWS', change: tags({ 'AWS:x': 'x' }), says: 'starts with aws: or rolevend-' },
  { title: 'a session tag with a star', change: tags({ 'a*': 'x' }), says: 'a key with characters that STS' },
  { title: 'a session tag without a key', change: tags({ '': 'x' }), says: 'empty or longer than 128' },
  { title: 'a session tag with a long key', change: tags({ ['k'.repeat(129)]: '' }), says: 'shorten it' },
  { title: 'a session tag with a long value', change: tags({ a: 'v'.repeat(257) }), says: 'may not be more than 256' },
  { title: 'a session tag with a line break', change: tags({ a: 'x\n' }), says: 'a value with characters that STS' },
  { title: 'session tags that differ in case', change: tags({ team: 'a', Team: 'b' }), says: 'differ in case alone' },
  { title: '51 session tags', change: tags(tagged), says: 'must have at most 50 items' },
].map((bad) => ({ ...bad, field: 'spec.sessionTags' }));

const transitive: BadChange[] = [
  {
    title: 'a transitive key without a tag',
    change: { sessionTags: { a: '1' }, transitiveTagKeys: ['a', 'b'] },
    field: 'spec.transitiveTagKeys',
    says: 'add the tag or remove the key',
  },
  {
    title: 'a transitive key without any tags',
    change: { transitiveTagKeys: ['a'] },
    field: 'spec.transitiveTagKeys',
    says: 'a key that sessionTags does not have',
  },
];

/** Refused for what they say about the session. */
export const badSessions: readonly BadChange[] = [...names, ...policies, ...managed, ...tagMaps, ...transitive];

/** What may be said about a session. */
export const goodSessions: readonly object[] = [
  { sourceIdentity: 'jane.doe@example.com', sessionPolicy: ` \n${policy}\n`, policyArns: [arn] },
  { sessionPolicy: `{${' '.repeat(2046 - arn.length)}}`, policyArns: [arn] },
  { policyArns: ['arn:aws-cn:iam::123456789012:policy/team/a+b=c'] },
  { sessionTags: { 'cost center': '\u00e9t\u00e9 1/2', 'team:a@b': '' }, transitiveTagKeys: ['cost center'] },
  { sessionTags: {}, transitiveTagKeys: [], policyArns: [] },
];
