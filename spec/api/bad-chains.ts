import type { BadChange } from './bad-sessions.ts';

const role = (name: string) => `arn:aws:iam::123456789012:role/hops/${name}`;
const hop = (change: object = {}) => ({ chain: [{ roleArn: role('one') }, { roleArn: role('two'), ...change }] });
const auth = { type: 'ServiceAccount', serviceAccountRef: { name: 'app' } };

/** Refused for what they say about the way to the role. */
export const badChains: readonly BadChange[] = [
  {
    title: 'five roles in a chain',
    change: { chain: Array.from({ length: 5 }, (_, index) => ({ roleArn: role(`r${index}`) })) },
    field: 'spec.chain',
    says: 'must have at most 4 items',
  },
  { title: 'a hop without a role', change: { chain: [{}] }, field: 'spec.chain', says: 'Required value' },
  {
    title: 'a hop by name',
    change: hop({ roleArn: 'two' }),
    field: 'spec.chain',
    says: 'roleArn is not the ARN of an IAM role',
  },
  {
    title: "the operator's own external id in a hop",
    change: hop({ externalId: 'rolevend:x' }),
    field: 'spec.chain',
    says: 'the operator keeps for itself',
  },
  {
    title: 'a tag of the operator in a hop',
    change: hop({ sessionTags: { 'rolevend-name': 'x' } }),
    field: 'spec.chain',
    says: 'choose another key',
  },
  {
    title: 'a transitive key without a tag in a hop',
    change: { ...hop({ transitiveTagKeys: ['team'] }), sessionTags: { team: 'a' } },
    field: 'spec.chain',
    says: 'add the tag or remove the key',
  },
  {
    title: 'an external id in the first hop of a ServiceAccount',
    change: { auth, chain: [{ roleArn: role('one'), externalId: 'ext-1' }] },
    field: 'spec.chain',
    says: 'exchanged for the first session of the chain; remove them there',
  },
  {
    title: 'a source identity of a ServiceAccount with an empty chain',
    change: { auth, chain: [], sourceIdentity: 'jane' },
    field: 'spec.auth',
    says: 'or reach the role through chain',
  },
];

/** What may be said about it. */
export const goodChains: readonly object[] = [
  { chain: [] },
  hop({ externalId: 'ext-2', sessionTags: { team: 'a' }, transitiveTagKeys: ['team'] }),
  { chain: Array.from({ length: 4 }, (_, index) => ({ roleArn: role(`r${index}`) })), durationSeconds: 43_200 },
  { ...hop({ externalId: 'ext-2' }), auth, externalId: 'ext-3', sourceIdentity: 'jane', sessionTags: { team: 'a' } },
];
