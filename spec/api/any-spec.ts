import fc from 'fast-check';

const pieces = [
  'a',
  'Team',
  '1',
  '-',
  '_',
  '.',
  '..',
  '/',
  ':',
  ' ',
  '\n',
  '=',
  '@',
  '*',
  '**',
  '$',
  '${namespace}',
  'é',
  '\u0000',
];
const text = fc.array(fc.constantFrom(...pieces), { maxLength: 5 }).map((parts) => parts.join(''));
const mostly = <T>(good: T, other: fc.Arbitrary<T>) =>
  fc.oneof({ arbitrary: fc.constant(good), weight: 6 }, { arbitrary: other, weight: 1 });
const key = fc.oneof(
  text,
  fc.constantFrom(
    'team',
    'app.kubernetes.io/name',
    'x.k8s.io/a',
    'xk8s.io/a',
    'kubernetes.io/',
    'rolevend.dev/x',
    'a.rolevend.dev/x',
  ),
);

const anyDuration = fc
  .array(fc.tuple(fc.nat(20_000), fc.constantFrom('h', 'm', 's', '')), { maxLength: 3 })
  .map((parts) => parts.flat().join(''));

const secretKey = fc.oneof(
  text,
  fc.constantFrom(
    'awsAccessKeyId',
    'credentials',
    'credentials.json',
    'config',
    'region',
    'AWS_REGION',
    'cloud',
    '..x',
  ),
);
const output = fc.record(
  {
    keys: mostly({}, fc.dictionary(secretKey, mostly('cloud', secretKey), { maxKeys: 3 })),
    profile: mostly('default', text),
    mountPath: mostly('/aws', text),
    include: fc.array(fc.constantFrom('expiration', 'region', 'roleArn', 'config'), { maxLength: 2 }),
  },
  { requiredKeys: [] },
);

const registryUrl = fc
  .array(
    fc.constantFrom(
      'https://',
      '123456789012.dkr.ecr.',
      '123456789012.dkr-ecr-fips.',
      'EU-west-1',
      '.amazonaws.com',
      '.amazonaws.com.cn',
      '.on.aws',
      'public.ecr.aws',
      ':443',
      '/',
      'a',
    ),
    { minLength: 1, maxLength: 5 },
  )
  .map((parts) => parts.join(''));
const registry = fc.record(
  {
    accountId: mostly('123456789012', text),
    region: mostly('eu-west-1', text),
    urls: fc.array(mostly('123456789012.dkr.ecr.eu-west-1.amazonaws.com/a', registryUrl), { maxLength: 2 }),
    public: fc.boolean(),
  },
  { requiredKeys: [] },
);
const ecr = fc.record(
  { registries: fc.array(registry, { maxLength: 2 }), restrictToRepositories: fc.boolean() },
  { requiredKeys: [] },
);
/** Specs of image pull Secrets, a good part of which is right. */
export const anyPullSpec = fc.record(
  {
    roleName: fc.constant('reader'),
    secretName: fc.constant('reader'),
    secretType: mostly('EcrDockerConfigJson', fc.constant('Map')),
    ecrRepositoryUrl: registryUrl,
    ecr,
  },
  { requiredKeys: ['roleName', 'secretName', 'secretType'] },
);

/** Specs of AWSAssumeRole, a good part of which is right. */
export const anySpec = fc.record(
  {
    roleName: mostly('team-a/reader', text),
    roleArn: fc.oneof(
      { arbitrary: fc.constant(undefined), weight: 5 },
      text.map((path) => `arn:aws:iam::123456789012:role/${path}`),
    ),
    secretName: mostly('reader', text),
    secretType: mostly(
      'Map',
      fc.constantFrom('File', 'File', 'Env', 'Process', 'Process', 'Template', 'EcrDockerConfigJson', 'x'),
    ),
    durationSeconds: mostly(3600, fc.integer({ min: 800, max: 45_000 })),
    ecrRepositoryUrl: text,
    region: mostly(
      'eu-west-1',
      text.map((end) => `eu${end}-1`),
    ),
    externalId: mostly('abc', text),
    sessionName: mostly('abc', text),
    output,
    tokens: fc.array(
      fc.record({ name: mostly('ecr', text), ecr: fc.record({ public: fc.boolean() }, { requiredKeys: [] }) }),
      { maxLength: 2 },
    ),
    template: fc.record({ data: fc.dictionary(secretKey, text, { maxKeys: 3 }) }, { requiredKeys: [] }),
    auth: mostly<object>(
      {},
      fc.record(
        {
          type: fc.constantFrom('Operator', 'ServiceAccount', 'x'),
          serviceAccountRef: fc.record({ name: mostly('app', text) }),
          audience: mostly('sts.amazonaws.com', text),
        },
        { requiredKeys: [] },
      ),
    ),
    chain: mostly<object[]>(
      [],
      fc.array(
        fc.record(
          {
            roleArn: mostly('arn:aws:iam::123456789012:role/hop', text),
            externalId: mostly('abc', text),
            sessionTags: mostly({ team: 'a' }, fc.dictionary(text, text, { maxKeys: 2 })),
            transitiveTagKeys: fc.subarray(['team', 'x']),
          },
          { requiredKeys: ['roleArn'] },
        ),
        { maxLength: 5 },
      ),
    ),
    sourceIdentity: mostly('abc', text),
    sessionPolicy: mostly(
      '{}',
      text.map((inner) => `{${inner}}`),
    ),
    policyArns: fc.array(
      mostly(
        'arn:aws:iam::aws:policy/p',
        text.map((path) => `arn:aws:iam::aws:policy/${path}`),
      ),
      { maxLength: 2 },
    ),
    sessionTags: mostly(
      { team: 'a' },
      fc.dictionary(fc.oneof(text, fc.constantFrom('Rolevend-x', 'aws:x', 'TEAM')), text, { maxKeys: 3 }),
    ),
    transitiveTagKeys: mostly([], fc.subarray(['team', '__proto__', 'constructor'], { minLength: 1 })),
    refresh: fc.record({
      percent: mostly(50, fc.nat(100)),
      minRemainingSeconds: mostly(420, fc.integer({ min: 50, max: 7300 })),
    }),
    rolloutRestart: fc.record({
      targets: fc.array(fc.record({ kind: mostly('Deployment', text), name: mostly('web', text) }), { maxLength: 2 }),
      minInterval: mostly('1h', anyDuration),
    }),
    metadata: fc.record(
      {
        labels: mostly({}, fc.dictionary(key, mostly('x', text), { maxKeys: 2 })),
        annotations: mostly({}, fc.dictionary(key, text)),
      },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: ['roleName', 'secretName', 'secretType'] },
);

const requirement = fc.record(
  {
    key,
    operator: fc.constantFrom('In', 'NotIn', 'Exists', 'DoesNotExist'),
    values: fc.array(mostly('x', text), { maxLength: 2 }),
  },
  { requiredKeys: ['key', 'operator'] },
);

/** Specs of RoleGrant, a good part of which is right. */
export const anyGrant = fc.record({
  namespaces: fc.oneof(
    { arbitrary: fc.record({ names: fc.array(mostly('team-*', text), { minLength: 1, maxLength: 2 }) }), weight: 3 },
    {
      arbitrary: fc.record({ selector: fc.record({ matchExpressions: fc.array(requirement, { maxLength: 2 }) }) }),
      weight: 1,
    },
  ),
  roles: fc.array(
    fc.oneof(
      { arbitrary: fc.constant('arn:self:iam::self:role/${namespace}/*'), weight: 3 },
      fc.constantFrom(
        'arn:self:iam::self:role/a/*',
        'arn:aws:iam::123456789012:role/*',
        'arn:aws-:iam::self:role/*',
        'arn:self:iam::12:role/a',
      ),
      text.map((path) => `arn:self:iam::self:role/${path}`),
    ),
    { minLength: 1, maxLength: 3 },
  ),
  sourceIdentity: mostly('Any', fc.constantFrom('None', 'Derived', 'x')),
  auth: fc.array(fc.constantFrom('Operator', 'ServiceAccount'), { maxLength: 2 }),
  tenantTagKeys: fc.array(mostly('team', text), { maxLength: 2 }),
  regions: fc.array(mostly('eu-*-*', fc.oneof(text, fc.constantFrom('eu-*', 'us-gov-west-1', '-a-b'))), {
    maxLength: 2,
  }),
});
