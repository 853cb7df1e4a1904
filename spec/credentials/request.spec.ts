import { describe, expect, it } from '@jest/globals';
import type { AWSAssumeRoleSpec } from '../../lib/api/aws-assume-role.ts';
import type { CallerIdentity } from '../../lib/aws/options.ts';
import { clampTo } from '../../lib/credentials/duration.ts';
import { issueRequest, needsCaller, type RequestInput, roleArnOf } from '../../lib/credentials/request.ts';

const user: CallerIdentity = {
  arn: 'arn:aws-cn:iam::123456789012:user/ci',
  accountId: '123456789012',
  partition: 'aws-cn',
  isSession: false,
};
const legacy: AWSAssumeRoleSpec = { roleName: 'team/reader', secretName: 'aws', secretType: 'Map' };

function input(spec: Partial<AWSAssumeRoleSpec> = {}, rest: Partial<RequestInput> = {}): RequestInput {
  const metadata = { namespace: 'team-a', name: 'reader' };
  return { object: { metadata, spec: { ...legacy, ...spec } }, terms: {}, caller: user, region: 'eu-west-1', ...rest };
}

describe('issueRequest', () => {
  it('fills in everything that a short spec leaves open', () => {
    const { inputHash, ...request } = issueRequest(input());
    expect(request).toEqual({
      namespace: 'team-a',
      name: 'reader',
      roleArn: 'arn:aws-cn:iam::123456789012:role/team/reader',
      caller: user,
      sessionName: 'rolevend-team-a.reader',
      durationSeconds: 900,
      clamps: [],
      region: 'eu-west-1',
      logins: [],
      tokens: [],
    });
    expect(inputHash).toMatch(/^v1:[0-9a-f]{64}$/);
  });

  it('takes what a long spec says', () => {
    const object = {
      metadata: { namespace: 'team-a', name: 'reader' },
      spec: {
        roleArn: 'arn:aws:iam::210987654321:role/x',
        durationSeconds: 7200,
        secretName: 'pull',
        secretType: 'EcrDockerConfigJson' as const,
        ecrRepositoryUrl: '123456789012.dkr.ecr.us-east-2.amazonaws.com/app',
        region: 'eu-central-1',
        externalId: 'ext-1',
        sessionName: 'mine',
      },
    };
    const { inputHash, ...request } = issueRequest(input({}, { object }));
    expect(request).toEqual({
      namespace: 'team-a',
      name: 'reader',
      roleArn: 'arn:aws:iam::210987654321:role/x',
      caller: user,
      sessionName: 'mine',
      externalId: 'ext-1',
      durationSeconds: 7200,
      clamps: [],
      region: 'eu-central-1',
      logins: [
        {
          url: '123456789012.dkr.ecr.us-east-2.amazonaws.com/app',
          source: { kind: 'private', accountId: '123456789012', region: 'us-east-2' },
        },
      ],
      tokens: [],
    });
    expect(inputHash).toMatch(/^v1:/);
  });

  const session = {
    externalId: 'ext-1',
    sourceIdentity: 'jane',
    sessionPolicy: '{"Version":"2012-10-17","Statement":[]}',
    policyArns: ['arn:aws:iam::aws:policy/ReadOnlyAccess'],
    sessionTags: { team: 'a' },
    transitiveTagKeys: ['team'],
  };

  it('takes over everything that shapes the session', () => {
    expect(issueRequest(input(session))).toMatchObject(session);
  });

  it('derives the source identity where the grants say so, and that is another request', () => {
    const under = (terms: RequestInput['terms']) => issueRequest(input({}, { terms }));
    const plain = under({});
    const [none, any, derived] = (['None', 'Any', 'Derived'] as const).map((sourceIdentity) =>
      under({ sourceIdentity }),
    );
    expect([none, any]).toEqual([plain, plain]);
    expect(plain).not.toHaveProperty('sourceIdentity');
    expect(derived?.sourceIdentity).toBe('rolevend-team-a.reader');
    expect(derived?.inputHash).not.toBe(plain.inputHash);
  });

  const account = { type: 'ServiceAccount', serviceAccountRef: { name: 'app' } } as const;
  const roleArn = 'arn:aws-us-gov:iam::210987654321:role/x';

  it('names the ServiceAccount whose token is exchanged, and nothing of the operator enters', () => {
    const spec = { roleArn, secretName: 'aws', secretType: 'Map', auth: account, durationSeconds: 43_200 } as const;
    const object = { metadata: { namespace: 'team-a', name: 'reader' }, spec };
    const session = { ...user, isSession: true, role: 'operator' };
    const [alone, withOperator] = [undefined, session].map((caller) => issueRequest(input({}, { object, caller })));
    expect(withOperator).toEqual(alone);
    const { inputHash, ...request } = alone ?? { inputHash: '' };
    expect(request).toEqual({
      namespace: 'team-a',
      name: 'reader',
      roleArn,
      serviceAccount: { name: 'app', audience: 'sts.amazonaws.com' },
      sessionName: 'rolevend-team-a.reader',
      durationSeconds: 43_200,
      clamps: [],
      region: 'eu-west-1',
      logins: [],
      tokens: [],
    });
    expect(inputHash).toMatch(/^v1:/);
  });

  it('finds a role by name in the account of the operator, also for a ServiceAccount', () => {
    const request = issueRequest(input({ auth: { ...account, audience: 'mine' } }));
    expect([request.roleArn, request.serviceAccount]).toEqual([
      'arn:aws-cn:iam::123456789012:role/team/reader',
      { name: 'app', audience: 'mine' },
    ]);
  });

  it.each<[string, Partial<AWSAssumeRoleSpec>, boolean]>([
    ['an object that says nothing', legacy, true],
    ['a role by ARN', { roleArn }, true],
    ['a ServiceAccount and a role by name', { ...legacy, auth: account }, true],
    ['a ServiceAccount and a role by ARN', { roleArn, auth: account }, false],
  ])("needs the operator's identity for %s: %#", (_what, spec, needed) => {
    expect(needsCaller(spec)).toBe(needed);
  });

  const chain = [
    { roleArn: 'arn:aws:iam::210987654321:role/hops/one', externalId: 'ext-1' },
    {
      roleArn: 'arn:aws:iam::210987654321:role/two',
      sessionTags: { team: 'a' },
      transitiveTagKeys: ['team'],
    },
  ];
  const derived = { sourceIdentity: 'Derived' } as const;
  const none = { sourceIdentity: 'None' } as const;

  it('reaches the role through the hops, for an hour at most, by sessions that only sign', () => {
    const request = issueRequest(input({ chain, durationSeconds: 7200, sessionName: 'mine' }));
    const common = { sessionName: 'rolevend-team-a.reader', durationSeconds: 900, region: 'eu-west-1' };
    expect({ hops: request.hops, seconds: request.durationSeconds, name: request.sessionName }).toEqual({
      hops: [
        { ...chain[0], ...common, path: 'spec.chain[0]' },
        { ...chain[1], ...common, path: 'spec.chain[1]' },
      ],
      seconds: 3600,
      name: 'mine',
    });
    expect(request.clamps).toEqual([clampTo('RoleChaining', 3600, true)]);
    expect(issueRequest(input({ chain: [] }))).not.toHaveProperty('hops');
  });

  it('derives the source identity of a hop where its grants say so, and that is another request', () => {
    const plain = issueRequest(input({ chain }));
    const first = issueRequest(input({ chain }, { hopTerms: [derived, none] }));
    const second = issueRequest(input({ chain }, { hopTerms: [none, derived] }));
    expect(first.hops?.map(({ sourceIdentity }) => sourceIdentity)).toEqual(['rolevend-team-a.reader', undefined]);
    expect(first).not.toHaveProperty('sourceIdentity');
    expect(new Set([plain, first, second].map(({ inputHash }) => inputHash)).size).toBe(3);
    expect(issueRequest(input({ chain }, { hopTerms: [none, none] }))).toEqual(plain);
  });

  it('refuses a session policy that is not JSON, without quoting it', () => {
    expect(() => issueRequest(input({ sessionPolicy: '{"Version":"2012-10-17",}' }))).toThrow(
      expect.objectContaining({
        code: 'InvalidSpec',
        consequence: 'stop',
        message: 'spec.sessionPolicy is not JSON: look for a missing or superfluous comma, quote or bracket',
      }),
    );
  });

  it('asks for a narrower session where the object restricts itself to its repositories', () => {
    const ecrRepositoryUrl = '123456789012.dkr.ecr.us-east-2.amazonaws.com/app';
    const spec = { secretType: 'EcrDockerConfigJson', ecrRepositoryUrl } as const;
    const policy = (restrictToRepositories: boolean) =>
      issueRequest(input({ ...spec, ecr: { restrictToRepositories } })).sessionPolicy;
    expect([policy(true), policy(false)]).toEqual([expect.stringContaining(':repository/app"'), undefined]);
  });

  it('wants the tokens that templates name, and no others', () => {
    const tokens = [
      { name: 'own', ecr: {} },
      { name: 'idle', ecr: {} },
      { name: 'other', ecr: { accountId: '444455556666', region: 'us-west-2' } },
      { name: 'pub', ecr: { public: true } },
    ];
    const data = { a: '${own.password} ${other.registry}', b: '${pub.auth} $${idle.password}' };
    expect(issueRequest(input({ secretType: 'Template', template: { data }, tokens })).tokens).toEqual([
      {
        name: 'own',
        source: { kind: 'private', accountId: '123456789012', region: 'eu-west-1' },
        registry: '123456789012.dkr.ecr.eu-west-1.amazonaws.com',
      },
      {
        name: 'other',
        source: { kind: 'private', accountId: '444455556666', region: 'us-west-2' },
        registry: '444455556666.dkr.ecr.us-west-2.amazonaws.com',
      },
      { name: 'pub', source: { kind: 'public' }, registry: 'public.ecr.aws' },
    ]);
  });

  it('knows the names of the tokens of an object, and of no others', () => {
    const tokens = [{ name: 'ecr', ecr: {} }];
    const ask = (text: string) =>
      issueRequest(input({ secretType: 'Template', template: { data: { a: text } }, tokens }));
    expect(ask('${ecr.username}${ecr.password}${ecr.auth}${ecr.registry}${ecr.expiration}').tokens).toHaveLength(1);
    for (const text of ['${ecr}', '${ecr.user}', '${other.password}'])
      expect(() => ask(text)).toThrow('accountId, ecr.username, ecr.password, ecr.auth, ecr.registry, ecr.expiration;');
  });

  it('refuses a template with an unknown name', () => {
    const ask = () => issueRequest(input({ secretType: 'Template', template: { data: { a: '${key}' } } }));
    expect(ask).toThrow(
      expect.objectContaining({
        code: 'InvalidSpec',
        consequence: 'stop',
        message: expect.stringContaining('spec.template.data.a uses the unknown name "key"; known are accessKeyId,'),
      }),
    );
  });

  it('clamps the duration and says why', () => {
    const session = { ...user, isSession: true, role: 'operator' };
    const request = issueRequest(
      input({ durationSeconds: 43_200 }, { caller: session, terms: { maxDurationSeconds: 1800 } }),
    );
    expect([request.durationSeconds, request.clamps.map(({ reason }) => reason)]).toEqual([
      1800,
      ['RoleChaining', 'Grant'],
    ]);
  });
});

describe('roleArnOf', () => {
  it('refuses a spec without a role', () => {
    expect(() => roleArnOf({ roleName: 'x' }, undefined)).toThrow(expect.objectContaining({ code: 'InvalidSpec' }));
    expect(() => roleArnOf({}, user)).toThrow(expect.objectContaining({ code: 'InvalidSpec', consequence: 'stop' }));
  });
});
