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
    says: 'more than 60 % of durationSeconds (default 900)',
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
