import type { BadChange } from './bad-sessions.ts';

const account = (serviceAccountRef: object, more: object = {}) => ({
  auth: { type: 'ServiceAccount', serviceAccountRef, ...more },
});
const web = account({ name: 'reports' });

const types: BadChange[] = [
  {
    title: 'an unknown auth type',
    change: { auth: { type: 'Pod' } },
    field: 'spec.auth.type',
    says: 'supported values: "Operator", "ServiceAccount"',
  },
  {
    title: 'auth of a ServiceAccount without its name',
    change: { auth: { type: 'ServiceAccount' } },
    field: 'spec.auth',
    says: 'type ServiceAccount needs serviceAccountRef.name',
  },
  {
    title: 'a ServiceAccount without its type',
    change: { auth: { serviceAccountRef: { name: 'reports' } } },
    field: 'spec.auth',
    says: 'type Operator takes none',
  },
  {
    title: 'a ServiceAccount in capitals',
    change: account({ name: 'Reports' }),
    field: 'spec.auth.serviceAccountRef.name',
    says: 'is not a DNS name',
  },
  {
    title: 'a ServiceAccount that is a path',
    change: account({ name: '../../secrets/x' }),
    field: 'spec.auth.serviceAccountRef.name',
    says: 'is not a DNS name',
  },
  {
    title: 'an audience of the operator',
    change: { auth: { type: 'Operator', audience: 'sts.amazonaws.com' } },
    field: 'spec.auth.audience',
    says: 'no meaning without type ServiceAccount',
  },
  {
    title: 'an audience with a blank',
    change: account({ name: 'reports' }, { audience: 'a b' }),
    field: 'spec.auth.audience',
    says: 'blanks, control or non-ASCII',
  },
];

const sessions: BadChange[] = [
  { externalId: 'ext-1' },
  { sourceIdentity: 'jane' },
  { sessionTags: { a: 'b' } },
  { transitiveTagKeys: [] },
].map((field) => ({
  title: `${Object.keys(field)} with the token of a ServiceAccount`,
  change: { ...web, ...field },
  field: 'spec.auth',
  says: 'AWS takes none of these with the token of a ServiceAccount',
}));

/** Refused for what they say about the identity. */
export const badAuth: readonly BadChange[] = [...types, ...sessions];

/** What may be said about it. */
export const goodAuth: readonly object[] = [
  web,
  { auth: {}, externalId: 'ext-1' },
  { auth: { type: 'Operator' }, sourceIdentity: 'jane' },
  {
    ...account({ name: 'a.b' }, { audience: 'https://idp.example.com/x?y' }),
    durationSeconds: 43_200,
    sessionName: 'x1',
  },
  { ...web, sessionPolicy: '{}', policyArns: ['arn:aws:iam::aws:policy/p'] },
];
