import { badAuth, goodAuth } from './bad-auth.ts';
import { badChains, goodChains } from './bad-chains.ts';
import { badSessions, goodSessions } from './bad-sessions.ts';

/** A spec that must be refused, by the API server and by our own code alike. */
export interface BadSpec {
  /** Completes the sentence "refuses …". */
  title: string;
  spec: object;
  /** Field that the answer names. */
  field: string;
  /** Part of the answer: what is wrong, or how to mend it. */
  says: string;
}

/** The five fields of a legacy manifest. */
export const fiveFields = {
  roleName: 'team-a/reader',
  secretName: 'reader-aws',
  secretType: 'Map',
  durationSeconds: 900,
  ecrRepositoryUrl: '123456789012.dkr.ecr.eu-west-1.amazonaws.com',
};
const { roleName: _, ...noRole } = fiveFields;
const { ecrRepositoryUrl: __, ...noUrl } = fiveFields;
const { secretName: ___, ...noSecretName } = fiveFields;
const { secretType: ____, ...noSecretType } = fiveFields;

/** A spec of our own with other values for some fields. */
const having = (change: object) => ({ ...fiveFields, ...change });
const withArn = (roleArn: string) => ({ ...noRole, roleArn });
const labels = (map: object) => having({ metadata: { labels: map } });
const annotated = (map: object) => having({ metadata: { annotations: map } });
const many = Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`key-${index}`, '']));

const roleNames: BadSpec[] = [
  ['an empty role name', '', 'roleName is empty'],
  ['a role name with a leading slash', '/reader', "leading or trailing '/'"],
  ['a role name with a trailing slash', 'team/', "leading or trailing '/'"],
  ['a role name with an empty part', 'team//reader', "empty part ('//')"],
  ['a role name that climbs', 'team/../admin', "part '.' or '..'"],
  ['a role name with a dot as a part', './reader', "part '.' or '..'"],
  ['a role name with a blank', 'my reader', 'characters that IAM does not allow'],
  ['a role name with a line break', 'reader\n', 'characters that IAM does not allow'],
  ['a role name with a colon', 'role:reader', 'e.g. team-a/reader'],
  ['a role name over 576 characters', 'r'.repeat(577), 'may not be more than 576'],
].map(([title = '', roleName, says = '']) => ({ title, spec: having({ roleName }), field: 'spec.roleName', says }));

const roleArns: BadSpec[] = [
  ['text that is no ARN', 'reader', 'roleArn is not the ARN of an IAM role'],
  ['the ARN of a user', 'arn:aws:iam::123456789012:user/me', 'write arn:<partition>:iam::'],
  ['an ARN with a short account', 'arn:aws:iam::12345:role/reader', 'account of 12 digits'],
  ['an ARN with a Region', 'arn:aws:iam:eu-west-1:123456789012:role/reader', 'not the ARN of an IAM role'],
  ['an ARN of no partition', 'arn:self:iam::123456789012:role/reader', 'not the ARN of an IAM role'],
  ['an ARN that climbs', 'arn:aws:iam::123456789012:role/a/../admin', "part '.' or '..'"],
  ['an ARN with an empty part', 'arn:aws:iam::123456789012:role//admin', "empty part ('//')"],
  ['an ARN without a role', 'arn:aws:iam::123456789012:role/', 'not the ARN of an IAM role'],
].map(([title = '', roleArn = '', says = '']) => ({ title, spec: withArn(roleArn), field: 'spec.roleArn', says }));

const secrets: BadSpec[] = [
  {
    title: 'a Secret name in capitals',
    spec: having({ secretName: 'Reader' }),
    field: 'spec.secretName',
    says: 'is not a DNS name',
  },
  {
    title: 'a Secret name with an underscore',
    spec: having({ secretName: 'a_b' }),
    field: 'spec.secretName',
    says: 'e.g. my-credentials',
  },
  {
    title: 'an empty Secret name',
    spec: having({ secretName: '' }),
    field: 'spec.secretName',
    says: 'is not a DNS name',
  },
  {
    title: 'a Secret name that ends in a dot',
    spec: having({ secretName: 'a.' }),
    field: 'spec.secretName',
    says: 'is not a DNS name',
  },
  { title: 'no Secret name', spec: noSecretName, field: 'spec.secretName', says: 'Required value' },
  { title: 'no Secret type', spec: noSecretType, field: 'spec.secretType', says: 'Required value' },
  {
    title: 'an unknown Secret type',
    spec: having({ secretType: 'map' }),
    field: 'spec.secretType',
    says: 'supported values: "Map", "File", "EcrDockerConfigJson"',
  },
  {
    title: 'an image pull Secret without a registry',
    spec: { ...noUrl, secretType: 'EcrDockerConfigJson' },
    field: 'spec.ecrRepositoryUrl',
    says: 'ecrRepositoryUrl is missing',
  },
  {
    title: 'an image pull Secret with an empty registry',
    spec: having({ secretType: 'EcrDockerConfigJson', ecrRepositoryUrl: '' }),
    field: 'spec.ecrRepositoryUrl',
    says: 'set it to the registry',
  },
  {
    title: 'a registry with a line break',
    spec: having({ ecrRepositoryUrl: 'a.b\nc' }),
    field: 'spec.ecrRepositoryUrl',
    says: 'control or non-ASCII characters',
  },
  {
    title: 'an unknown deletion policy',
    spec: having({ deletionPolicy: 'Keep' }),
    field: 'spec.deletionPolicy',
    says: 'supported values: "Delete", "Retain"',
  },
  {
    title: 'an unknown end of the data',
    spec: having({ onExpiry: 'Delete' }),
    field: 'spec.onExpiry',
    says: 'supported values: "Keep", "Scrub"',
  },
  {
    title: 'an unknown adoption',
    spec: having({ adoption: 'Always' }),
    field: 'spec.adoption',
    says: 'supported values: "Never", "IfUnowned"',
  },
];

const numbers: BadSpec[] = [
  {
    title: 'a session of a minute',
    spec: having({ durationSeconds: 60 }),
    field: 'spec.durationSeconds',
    says: 'greater than or equal to 900',
  },
  {
    title: 'a session of 50000 seconds',
    spec: having({ durationSeconds: 50_000 }),
    field: 'spec.durationSeconds',
    says: 'less than or equal to 43200',
  },
  {
    title: 'a duration in words',
    spec: having({ durationSeconds: '1h' }),
    field: 'spec.durationSeconds',
    says: 'must be of type integer',
  },
  {
    title: 'a refresh at 39 %',
    spec: having({ refresh: { percent: 39 } }),
    field: 'spec.refresh.percent',
    says: 'greater than or equal to 40',
  },
  {
    title: 'a refresh at 81 %',
    spec: having({ refresh: { percent: 81 } }),
    field: 'spec.refresh.percent',
    says: 'less than or equal to 80',
  },
  {
    title: 'jitter of 26 %',
    spec: having({ refresh: { jitterPercent: 26 } }),
    field: 'spec.refresh.jitterPercent',
    says: 'less than or equal to 25',
  },
  {
    title: 'less than a minute to remain',
    spec: having({ refresh: { minRemainingSeconds: 59 } }),
    field: 'spec.refresh.minRemainingSeconds',
    says: 'greater than or equal to 60',
  },
  {
    title: 'more to remain than 60 % of the session',
    spec: having({ refresh: { minRemainingSeconds: 541 } }),
    field: 'spec.refresh.minRemainingSeconds',
    says: 'lower it or raise durationSeconds',
  },
  {
    title: 'more to remain than 60 % of the default',
    spec: { roleName: 'r', secretName: 's', secretType: 'File', refresh: { minRemainingSeconds: 541 } },
    field: 'spec.refresh.minRemainingSeconds',
    says: 'more than 60 % of durationSeconds (default 900, with secretType Process 3600)',
  },
  {
    title: 'a session under an hour for SDKs that reload early',
    spec: having({ secretType: 'Process', durationSeconds: 3599 }),
    field: 'spec.durationSeconds',
    says: 'leave it out or set 3600 or more',
  },
];

const names: BadSpec[] = [
  { title: 'neither role name nor ARN', spec: noRole, field: 'spec', says: 'set exactly one of roleName' },
  {
    title: 'both role name and ARN',
    spec: having({ roleArn: 'arn:aws:iam::123456789012:role/reader' }),
    field: 'spec',
    says: 'set exactly one of roleName',
  },
  {
    title: 'a Region that is a host',
    spec: having({ region: 'evil.example.com' }),
    field: 'spec.region',
    says: 'write its code, e.g. eu-west-1',
  },
  {
    title: 'an external id of one character',
    spec: having({ externalId: 'x' }),
    field: 'spec.externalId',
    says: 'at least 2 chars',
  },
  {
    title: 'an external id with a tab',
    spec: having({ externalId: 'a\tb' }),
    field: 'spec.externalId',
    says: 'characters that STS does not allow',
  },
  {
    title: "the operator's own external id",
    spec: having({ externalId: 'rolevend:prod/team-b/x' }),
    field: 'spec.externalId',
    says: 'the operator keeps for itself',
  },
  {
    title: 'a session name with a slash',
    spec: having({ sessionName: 'a/b' }),
    field: 'spec.sessionName',
    says: 'characters that STS does not allow',
  },
  {
    title: "the operator's own session name",
    spec: having({ sessionName: 'rolevend-b.x' }),
    field: 'spec.sessionName',
    says: 'choose another value',
  },
  {
    title: 'a session name over 64 characters',
    spec: having({ sessionName: 's'.repeat(65) }),
    field: 'spec.sessionName',
    says: 'may not be more than 64',
  },
];

const restarting = (minInterval: string, target: object = { kind: 'Deployment', name: 'web' }) =>
  having({ rolloutRestart: { targets: [target], minInterval } });

const restarts: BadSpec[] = [
  {
    title: 'no workload',
    spec: having({ rolloutRestart: {} }),
    field: 'spec.rolloutRestart.targets',
    says: 'Required',
  },
  {
    title: 'an empty list of workloads',
    spec: having({ rolloutRestart: { targets: [] } }),
    field: 'spec.rolloutRestart.targets',
    says: 'should have at least 1 items',
  },
  {
    title: '17 workloads',
    spec: having({ rolloutRestart: { targets: Array(17).fill({ kind: 'Deployment', name: 'web' }) } }),
    field: 'spec.rolloutRestart.targets',
    says: 'must have at most 16 items',
  },
  {
    title: 'a workload of a kind that is not restarted',
    spec: restarting('1h', { kind: 'Job', name: 'web' }),
    field: 'spec.rolloutRestart.targets',
    says: 'supported values: "Deployment", "StatefulSet", "DaemonSet"',
  },
  {
    title: 'a workload whose name is none',
    spec: restarting('1h', { kind: 'Deployment', name: 'Web/x' }),
    field: 'spec.rolloutRestart.targets',
    says: 'is not a DNS name',
  },
  ...['', '1', '1d', '-1h', '1.5h', '30m1h', '1h ', 'h', '1000h'].map((text) => ({
    title: `an interval of "${text}"`,
    spec: restarting(text),
    field: 'spec.rolloutRestart.minInterval',
    says: 'is no duration; write hours, minutes and seconds',
  })),
  ...['59s', '0h', '168h1s', '20160m'].map((text) => ({
    title: `an interval of ${text}`,
    spec: restarting(text),
    field: 'spec.rolloutRestart.minInterval',
    says: 'is less than 1m or more than 168h',
  })),
];

const outputs: BadSpec[] = [
  {
    title: 'a new name for a key of another type',
    spec: having({ output: { keys: { credentials: 'cloud' } } }),
    field: 'spec.output.keys',
    says: 'renames a key that this secretType does not have',
  },
  {
    title: 'a new name for the key of an image pull Secret',
    spec: having({ secretType: 'EcrDockerConfigJson', output: { keys: { '.dockerconfigjson': 'config.json' } } }),
    field: 'spec.output.keys',
    says: 'credentials (File)',
  },
  {
    title: 'one new name for two keys',
    spec: having({ output: { keys: { awsAccessKeyId: 'key', awsSecretAccessKey: 'key' } } }),
    field: 'spec.output.keys',
    says: 'gives two keys the same name',
  },
  {
    title: 'a new name that the type has already',
    spec: having({ output: { keys: { awsAccessKeyId: 'awsSessionToken' } } }),
    field: 'spec.output.keys',
    says: 'uses itself by default',
  },
  {
    title: 'a new name that the type adds on demand',
    spec: having({ secretType: 'Env', output: { keys: { AWS_ACCESS_KEY_ID: 'AWS_DEFAULT_REGION' } } }),
    field: 'spec.output.keys',
    says: 'choose another name',
  },
  ...['', '.', '..', '..data', 'a/b', 'a b', 'a\n'].map((name) => ({
    title: `the key ${JSON.stringify(name)}`,
    spec: having({ secretType: 'File', output: { keys: { credentials: name } } }),
    field: 'spec.output.keys',
    says: 'name that Kubernetes does not accept as a key',
  })),
  ...['', 'a]', 'a\nb', 'a b', 'profile=x'].map((profile) => ({
    title: `the profile ${JSON.stringify(profile)}`,
    spec: having({ secretType: 'File', output: { profile } }),
    field: 'spec.output.profile',
    says: "use letters, digits and '._@-'",
  })),
  ...['', '/', 'aws', '/aws/', '/a//b', '/a b', '/a;id', '/$HOME', '/a\n'].map((mountPath) => ({
    title: `the path ${JSON.stringify(mountPath)}`,
    spec: having({ secretType: 'Process', durationSeconds: 3600, output: { mountPath } }),
    field: 'spec.output.mountPath',
    says: 'not a path that can stand in a command',
  })),
  ...['DEFAULT', '__proto__', 'constructor', 'toString'].map((profile) => ({
    title: `the profile ${profile}`,
    spec: having({ secretType: 'File', output: { profile } }),
    field: 'spec.output.profile',
    says: 'output.profile is a name that an AWS SDK does not read as that of a profile',
  })),
  {
    title: 'a profile for single keys',
    spec: having({ output: { profile: 'x' } }),
    field: 'spec.output.profile',
    says: 'this secretType has no profiles',
  },
  {
    title: 'a path for a file',
    spec: having({ secretType: 'File', output: { mountPath: '/aws' } }),
    field: 'spec.output.mountPath',
    says: 'only secretType Process names a path',
  },
  {
    title: 'a config file among variables',
    spec: having({ secretType: 'Env', output: { include: ['config'] } }),
    field: 'spec.output.include',
    says: 'config with File and Process',
  },
  {
    title: 'extras in an image pull Secret',
    spec: having({ secretType: 'EcrDockerConfigJson', output: { include: ['region'] } }),
    field: 'spec.output.include',
    says: 'does not go with this secretType',
  },
  {
    title: 'an unknown extra',
    spec: having({ output: { include: ['arn'] } }),
    field: 'spec.output.include',
    says: 'supported values: "expiration"',
  },
];

const pulling = (ecr: object, change: object = {}) => ({
  roleName: 'r',
  secretName: 's',
  secretType: 'EcrDockerConfigJson',
  ecr,
  ...change,
});
const registry = (entry: object) => pulling({ registries: [entry] });
const KNOWN = '123456789012.dkr.ecr.eu-west-1.amazonaws.com';

const registries: BadSpec[] = [
  {
    title: 'an image pull Secret with no registry in its list',
    spec: pulling({ registries: [] }),
    field: 'spec.ecrRepositoryUrl',
    says: 'needs it or ecr.registries',
  },
  {
    title: 'registries for another type',
    spec: having({ ecr: { registries: [{}] } }),
    field: 'spec.ecr',
    says: 'only secretType EcrDockerConfigJson reads it',
  },
  ...['12345678901', '1234567890123', 'self'].map((accountId) => ({
    title: `the account ${accountId}`,
    spec: registry({ accountId }),
    field: 'spec.ecr.registries',
    says: accountId.length > 12 ? 'may not be more than 12' : 'write its 12 digits, in quotes',
  })),
  {
    title: 'a registry in a Region that is a host',
    spec: registry({ region: 'evil.example.com' }),
    field: 'spec.ecr.registries',
    says: 'region is not an AWS Region',
  },
  {
    title: 'a registry with an empty list of URLs',
    spec: registry({ urls: [] }),
    field: 'spec.ecr.registries',
    says: 'at least 1 items',
  },
  ...['', 'a b', 'a\nb', 'é.example.org'].map((url) => ({
    title: `the registry URL ${JSON.stringify(url)}`,
    spec: registry({ accountId: '123456789012', region: 'eu-west-1', urls: [url] }),
    field: 'spec.ecr.registries',
    says: 'is empty or has blanks, control or non-ASCII characters',
  })),
  ...[
    `oci://${KNOWN}`,
    `${KNOWN}/a:1`,
    `${KNOWN}/a@sha256:0`,
    `${KNOWN}:443`,
    KNOWN.toUpperCase(),
    `${KNOWN}//a`,
  ].flatMap((url) => [
    {
      title: `the registry ${url}, which kubelet does not find`,
      spec: registry({ urls: [url] }),
      field: 'spec.ecr.registries[0].urls[0]',
      says: 'so neither kubelet nor helm finds it',
    },
    {
      title: `the ecrRepositoryUrl ${url}, which kubelet does not find`,
      spec: having({ secretType: 'EcrDockerConfigJson', ecrRepositoryUrl: url }),
      field: 'spec.ecrRepositoryUrl',
      says: 'so neither kubelet nor helm finds it',
    },
  ]),
  {
    title: 'a registry URL of 513 characters',
    spec: registry({ urls: [`${KNOWN}/${'a'.repeat(513 - KNOWN.length - 1)}`] }),
    field: 'spec.ecr.registries',
    says: 'may not be more than 512',
  },
  ...[
    ['a mirror', 'mirror.example.org'],
    ['a PrivateLink endpoint', 'vpce-1.dkr.ecr.eu-west-1.vpce.amazonaws.com'],
    ['a host that only begins like one of AWS', `${KNOWN}.example.org`],
  ].map(([title = '', url = '']) => ({
    title: `${title} without its account`,
    spec: registry({ region: 'eu-west-1', urls: [KNOWN, url] }),
    field: 'spec.ecr.registries[0].urls',
    says: 'set accountId and region',
  })),
  {
    title: 'a public registry of an account',
    spec: registry({ public: true, accountId: '123456789012' }),
    field: 'spec.ecr.registries[0]',
    says: 'no meaning for a public registry',
  },
  {
    title: '21 registries',
    spec: pulling({ registries: Array.from({ length: 21 }, () => ({})) }),
    field: 'spec.ecr.registries',
    says: 'must have at most 20 items',
  },
  {
    title: 'a restriction to repositories where a registry names none',
    spec: pulling({ restrictToRepositories: true, registries: [{ urls: [`${KNOWN}/a`] }, { urls: [`${KNOWN}/`] }] }),
    field: 'spec.ecr.registries',
    says: 'give each one urls with a path',
  },
  {
    title: 'a restriction to repositories where a registry has no URLs',
    spec: pulling({ restrictToRepositories: true, registries: [{}] }),
    field: 'spec.ecr.registries',
    says: 'give each one urls with a path',
  },
  {
    title: 'a restriction to repositories of a bare host',
    spec: pulling({ restrictToRepositories: true }, { ecrRepositoryUrl: KNOWN }),
    field: 'spec.ecrRepositoryUrl',
    says: 'add its path',
  },
  ...[{ sessionPolicy: '{}' }, { policyArns: ['arn:aws:iam::aws:policy/p'] }].map((wider) => ({
    title: `a restriction to repositories beside ${Object.keys(wider)}`,
    spec: pulling({ restrictToRepositories: true }, { ecrRepositoryUrl: `${KNOWN}/a`, ...wider }),
    field: 'spec.ecr',
    says: 'would widen',
  })),
];

const template = (data: object, change: object = {}) =>
  having({ secretType: 'Template', template: { data }, ...change });
const manyTexts = Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`key-${index}`, '']));

const templates: BadSpec[] = [
  {
    title: 'a template without any',
    spec: having({ secretType: 'Template' }),
    field: 'spec.template.data',
    says: 'name at least one',
  },
  {
    title: 'an empty template',
    spec: template({}),
    field: 'spec.template.data',
    says: 'template.data is missing',
  },
  {
    title: 'a template for an image pull Secret',
    spec: template({ a: 'b' }, { secretType: 'EcrDockerConfigJson' }),
    field: 'spec.template.data',
    says: 'an image pull Secret has one key only',
  },
  ...[
    ['a key of its type', 'awsAccessKeyId', { secretType: 'Map' }],
    ['a renamed key', 'id', { secretType: 'Map', output: { keys: { awsAccessKeyId: 'id' } } }],
    ['an included key', 'region', { secretType: 'Map', output: { include: ['region'] } }],
    ['an included variable', 'AWS_DEFAULT_REGION', { secretType: 'Env', output: { include: ['region'] } }],
    ['the config of Process', 'config', { secretType: 'Process', durationSeconds: 3600 }],
  ].map(([what, key, change]) => ({
    title: `a template that writes over ${what}`,
    spec: template({ [key as string]: 'x' }, change as object),
    field: 'spec.template.data',
    says: 'has already by its secretType or output',
  })),
  ...['', '..', '..data', 'a/b', 'a b'].map((key) => ({
    title: `a template with the key ${JSON.stringify(key)}`,
    spec: template({ [key]: '' }),
    field: 'spec.template.data',
    says: 'a key that Kubernetes does not accept',
  })),
  {
    title: 'a template of 2049 characters',
    spec: template({ a: 'x'.repeat(2049) }),
    field: 'spec.template.data',
    says: 'may not be more than 2048',
  },
  {
    title: '33 templates',
    spec: template(manyTexts),
    field: 'spec.template.data',
    says: 'must have at most 32 items',
  },
];

const withTokens = (...list: object[]) => template({ a: 'x' }, { tokens: list });

const tokens: BadSpec[] = [
  {
    title: 'tokens without a template',
    spec: having({ tokens: [{ name: 'ecr', ecr: {} }] }),
    field: 'spec.tokens',
    says: 'only template.data can use tokens',
  },
  {
    title: 'two tokens of one name',
    spec: withTokens({ name: 'ecr', ecr: {} }, { name: 'ecr', ecr: { public: true } }),
    field: 'spec.tokens',
    says: 'has a name twice',
  },
  ...['', '1a', 'a.b', 'a b', 'a}'].map((name) => ({
    title: `the token name ${JSON.stringify(name)}`,
    spec: withTokens({ name, ecr: {} }),
    field: 'spec.tokens[0].name',
    says: 'starting with a letter, e.g. ecr',
  })),
  {
    title: 'a token name of 33 characters',
    spec: withTokens({ name: 'a'.repeat(33), ecr: {} }),
    field: 'spec.tokens[0].name',
    says: 'may not be more than 32',
  },
  { title: 'a token of no kind', spec: withTokens({ name: 'a' }), field: 'spec.tokens[0].ecr', says: 'Required value' },
  {
    title: 'a token of ECR Public in a Region',
    spec: withTokens({ name: 'a', ecr: { public: true, region: 'us-east-1' } }),
    field: 'spec.tokens[0].ecr',
    says: 'no meaning for ECR Public',
  },
  {
    title: 'a token of a host',
    spec: withTokens({ name: 'a', ecr: { region: 'evil.example.com' } }),
    field: 'spec.tokens[0].ecr.region',
    says: 'region is not an AWS Region',
  },
  {
    title: 'six tokens',
    spec: withTokens(...Array.from({ length: 6 }, (_, at) => ({ name: `a${at}`, ecr: {} }))),
    field: 'spec.tokens',
    says: 'must have at most 5 items',
  },
];

const copied: BadSpec[] = [
  'aws-assume-role',
  'kubernetes.io/x',
  'node.kubernetes.io/x',
  'k8s.io/x',
  'gateway.networking.k8s.io/x',
  'rolevend.dev/managed',
].flatMap((key) => [
  {
    title: `the label ${key}`,
    spec: labels({ [key]: 'true' }),
    field: 'spec.metadata.labels',
    says: 'use a prefix of your own',
  },
  {
    title: `the annotation ${key}`,
    spec: annotated({ [key]: 'true' }),
    field: 'spec.metadata.annotations',
    says: 'use a prefix of your own',
  },
]);

const malformedCopies: BadSpec[] = [
  {
    title: 'a label key with a blank',
    spec: labels({ 'a b': '' }),
    field: 'spec.metadata.labels',
    says: 'key that Kubernetes does not accept',
  },
  {
    title: 'a label value with a blank',
    spec: labels({ team: 'a b' }),
    field: 'spec.metadata.labels',
    says: 'value that is no label value',
  },
  {
    title: 'a label value over 63 characters',
    spec: labels({ team: 'a'.repeat(64) }),
    field: 'spec.metadata.labels',
    says: 'may not be more than 63',
  },
  {
    title: 'an annotation key with two slashes',
    spec: annotated({ 'a/b/c': '' }),
    field: 'spec.metadata.annotations',
    says: 'key that Kubernetes does not accept',
  },
  { title: '33 labels', spec: labels(many), field: 'spec.metadata.labels', says: 'must have at most 32 items' },
];

/** Specs of AWSAssumeRole that are refused. */
export const badSpecs: readonly BadSpec[] = [
  ...roleNames,
  ...roleArns,
  ...secrets,
  ...numbers,
  ...names,
  ...restarts,
  ...registries,
  ...outputs,
  ...templates,
  ...tokens,
  ...copied,
  ...malformedCopies,
  ...[...badSessions, ...badAuth, ...badChains].map(({ change, ...bad }) => ({ ...bad, spec: having(change) })),
];

/** Specs of AWSAssumeRole that are accepted. */
export const goodSpecs: readonly object[] = [
  fiveFields,
  having({ ecrRepositoryUrl: '' }),
  { ...noUrl, roleName: 'r' },
  having({ secretType: 'EcrDockerConfigJson', refresh: { minRemainingSeconds: 7200 } }),
  having({ refresh: { percent: 80, jitterPercent: 0, minRemainingSeconds: 540 } }),
  { roleName: 'r', secretName: 's', secretType: 'Process', refresh: { minRemainingSeconds: 2160 } },
  having({ secretType: 'Process', durationSeconds: 3600 }),
  having({ secretType: 'Env', output: { keys: { AWS_ACCESS_KEY_ID: 'KEY' }, include: ['region', 'region'] } }),
  having({ secretType: 'File', output: { keys: { credentials: 'cloud' }, profile: 'a.b@c_d-1', include: ['config'] } }),
  having({ output: { keys: { awsAccessKeyId: '.key', awsSecretAccessKey: 'AWS_SECRET_ACCESS_KEY' }, include: [] } }),
  {
    roleName: 'r',
    secretName: 's',
    secretType: 'Process',
    output: { keys: { config: 'c', 'credentials.json': 'j' }, mountPath: '/var/run/aws-1_2.x' },
  },
  having({ secretType: 'EcrDockerConfigJson', output: {}, template: {} }),
  registry({}),
  registry({ public: true, urls: ['mirror.example.org'] }),
  registry({ urls: [KNOWN, `https://${KNOWN}/a`, `${KNOWN}:8443/`, 'public.ecr.aws/x', 'ecr-public.aws.com'] }),
  registry({ accountId: '123456789012', region: 'eu-west-1', urls: ['mirror.example.org/a'], public: false }),
  pulling({ restrictToRepositories: true, registries: [{ urls: [`${KNOWN}/a`] }] }),
  pulling({ restrictToRepositories: true }, { ecrRepositoryUrl: `https://${KNOWN}/a` }),
  template({ 'any.key_1': '${accessKeyId}\n$${x} ${', credentials: 'x', region: 'x' }),
  template({ awsAccessKeyId: 'x', region: 'x' }, { secretType: 'Map', output: { keys: { awsAccessKeyId: 'id' } } }),
  withTokens({ name: 'a-b_1', ecr: { region: 'eu-west-1', accountId: '123456789012', public: false } }),
  having({ tokens: [] }),
  template({ region: 'x' }, { secretType: 'Env', output: { include: ['region'] } }),
  withArn('arn:aws-us-gov:iam::123456789012:role/a/b_c+=,.@-d'),
  withArn('arn:aws-iso-b:iam::123456789012:role/service-role/...x'),
  having({
    region: 'us-gov-west-1',
    externalId: 'a:b/c',
    sessionName: 'a@b.c',
    suspend: true,
    deletionPolicy: 'Retain',
    adoption: 'IfUnowned',
    onExpiry: 'Scrub',
  }),
  ...['60s', '1m', '90s', '1h30m', '168h', '10080m', '0h1m0s'].map((text) => restarting(text)),
  having({
    rolloutRestart: {
      targets: [
        { kind: 'StatefulSet', name: 'a.b' },
        { kind: 'DaemonSet', name: 'x' },
      ],
    },
  }),
  labels({ 'app.kubernetes.io/name': 'x', 'argocd.argoproj.io/secret-type': 'repository', team: '' }),
  annotated({ 'app.kubernetes.io/x': 'any text\nof any kind', 'example.com/aws-assume-role': 'x' }),
  ...[...goodSessions, ...goodAuth, ...goodChains].map(having),
];
