import type { BadSpec } from './bad-specs.ts';

/** A grant that is accepted. */
export const goodGrant = { namespaces: { names: ['team-*'] }, roles: ['arn:self:iam::self:role/*'] };

const having = (change: object) => ({ ...goodGrant, ...change });
const within = (namespaces: object) => having({ namespaces });
const expression = (requirement: object) => within({ selector: { matchExpressions: [requirement] } });
const role = (path: string) => `arn:self:iam::self:role/${path}`;

const patterns: BadSpec[] = [
  ['a pattern that is no ARN', 'reader', 'does not start with arn:<partition or self>'],
  ['a pattern with a star for the account', 'arn:aws:iam::*:role/x', 'account of 12 digits or self'],
  ['a pattern with a star for the partition', 'arn:*:iam::self:role/x', 'does not start with arn:'],
  ['a pattern of users', 'arn:self:iam::self:user/x', 'does not start with arn:'],
  ['a pattern without a path', role(''), 'whose path is not accepted'],
  ['a pattern with an empty part', role('a//b'), 'whose path is not accepted'],
  ['a pattern with a question mark', role('a?'), 'whose path is not accepted'],
  ['a pattern with the namespace in part of a part', role('x-${namespace}/*'), '${namespace} as a whole'],
  ['a pattern with another variable', role('${name}'), '${namespace} as a whole'],
  ['a pattern with two stars', role('a/**'), "with '**'"],
  ['a pattern that climbs', role('a/../b'), "part '.' or '..'"],
].map(([title = '', pattern, says = '']) => ({ title, spec: having({ roles: [pattern] }), field: 'spec.roles', says }));

/** Specs of RoleGrant that are refused. */
export const badGrants: readonly BadSpec[] = [
  ...patterns,
  { title: 'no roles', spec: having({ roles: [] }), field: 'spec.roles', says: 'at least 1 items' },
  { title: 'no namespaces', spec: { roles: goodGrant.roles }, field: 'spec.namespaces', says: 'Required value' },
  {
    title: 'neither names nor selector',
    spec: within({}),
    field: 'spec.namespaces',
    says: 'exactly one of names and selector',
  },
  {
    title: 'both names and selector',
    spec: within({ names: ['a'], selector: { matchLabels: { a: 'b' } } }),
    field: 'spec.namespaces',
    says: 'exactly one of names and selector',
  },
  {
    title: 'an empty list of names',
    spec: within({ names: [] }),
    field: 'spec.namespaces.names',
    says: 'at least 1 items',
  },
  {
    title: 'an empty selector',
    spec: within({ selector: {} }),
    field: 'spec.namespaces.selector',
    says: "names: ['*']",
  },
  {
    title: 'a namespace in capitals',
    spec: within({ names: ['Team'] }),
    field: 'spec.namespaces.names',
    says: 'no namespace name',
  },
  {
    title: 'In without values',
    spec: expression({ key: 'team', operator: 'In' }),
    field: 'spec.namespaces.selector.matchExpressions',
    says: 'need at least one value',
  },
  {
    title: 'Exists with values',
    spec: expression({ key: 'team', operator: 'Exists', values: ['a'] }),
    field: 'spec.namespaces.selector.matchExpressions',
    says: 'take none',
  },
  {
    title: 'an unknown operator',
    spec: expression({ key: 'team', operator: 'Like' }),
    field: 'spec.namespaces.selector.matchExpressions',
    says: '"NotIn", "Exists", "DoesNotExist"',
  },
  {
    title: 'a limit under 900 seconds',
    spec: having({ maxDurationSeconds: 899 }),
    field: 'spec.maxDurationSeconds',
    says: 'greater than or equal to 900',
  },
  {
    title: 'an unknown Secret type',
    spec: having({ secretTypes: ['Maps'] }),
    field: 'spec.secretTypes',
    says: 'supported values: "Map"',
  },
  {
    title: 'an unknown rule for session names',
    spec: having({ sessionName: 'any' }),
    field: 'spec.sessionName',
    says: 'supported values: "Derived", "Any"',
  },
  {
    title: 'an unknown auth type',
    spec: having({ auth: ['Pod'] }),
    field: 'spec.auth',
    says: 'supported values: "Operator", "ServiceAccount"',
  },
  {
    title: 'an unknown rule for source identities',
    spec: having({ sourceIdentity: 'any' }),
    field: 'spec.sourceIdentity',
    says: 'supported values: "None", "Derived", "Any"',
  },
  ...[
    ['a Region with a star for several parts', 'eu-*'],
    ['a Region in capitals', 'EU-west-1'],
    ['a host name for a Region', 'eu-west-1.example.com'],
    ['an empty Region', ''],
  ].map(([title = '', pattern]) => ({
    title,
    spec: having({ regions: [pattern] }),
    field: 'spec.regions',
    says: 'fits no Region',
  })),
  { title: 'no Regions', spec: having({ regions: [] }), field: 'spec.regions', says: 'at least 1 items' },
  {
    title: "a tag key of the operator's own",
    spec: having({ tenantTagKeys: ['ROLEVEND-name'] }),
    field: 'spec.tenantTagKeys',
    says: 'choose another key',
  },
  {
    title: 'a tag key with a star',
    spec: having({ tenantTagKeys: ['team-*'] }),
    field: 'spec.tenantTagKeys',
    says: 'characters that STS does not allow',
  },
];

/** Specs of RoleGrant that are accepted. */
export const goodGrants: readonly object[] = [
  goodGrant,
  having({ roles: [role('tenants/${namespace}/*'), 'arn:aws-cn:iam::123456789012:role/a*b/c', role('${namespace}')] }),
  within({ selector: { matchLabels: { 'example.com/tenant': '' } } }),
  expression({ key: 'team', operator: 'NotIn', values: ['a', ''] }),
  expression({ key: 'team', operator: 'DoesNotExist' }),
  having({ maxDurationSeconds: 43_200, secretTypes: ['Map', 'File'], sessionName: 'Any' }),
  having({ auth: ['ServiceAccount', 'Operator'] }),
  having({ sourceIdentity: 'Derived', tenantTagKeys: ['team', 'cost center'] }),
  having({ sourceIdentity: 'None', tenantTagKeys: [] }),
  having({ regions: ['eu-west-1', 'us-gov-*-*', '*-*-*'] }),
];
