import { describe, expect, it } from '@jest/globals';
import { SecretValue, type Session } from '../../lib/api/credentials.ts';
import type { Trouble } from '../../lib/aws/codes.ts';
import { AwsError } from '../../lib/aws/errors.ts';
import type { Signer } from '../../lib/aws/options.ts';
import type { AssumeRoleInput, WebIdentityInput } from '../../lib/aws/sts.ts';
import { AssumeRoleIssuer, bucketOf, bucketsOf } from '../../lib/credentials/assume-role.ts';
import { clampTo } from '../../lib/credentials/duration.ts';
import type { IssueRequest } from '../../lib/credentials/request.ts';

const request: IssueRequest = {
  namespace: 'team-a',
  name: 'reader',
  roleArn: 'arn:aws:iam::123456789012:role/reader',
  caller: { arn: 'arn:aws:iam::123456789012:user/ci', accountId: '123456789012', partition: 'aws', isSession: false },
  sessionName: 'rolevend-team-a.reader',
  externalId: 'ext-1',
  sourceIdentity: 'jane',
  sessionPolicy: '{}',
  policyArns: ['arn:aws:iam::aws:policy/p'],
  sessionTags: { team: 'a' },
  transitiveTagKeys: ['team'],
  durationSeconds: 43_200,
  clamps: [],
  region: 'eu-west-1',
  logins: [],
  tokens: [],
  inputHash: 'v1:0',
};
/** A request with an image pull Secret for these registries, given as account and Region. */
function pulling(registries: [string, string][], base = request): IssueRequest {
  const logins = registries.map(([accountId, region], at) => ({
    url: `registry-${at}`,
    source: { kind: 'private', accountId, region } as const,
  }));
  return { ...base, logins };
}
const OWN: [string, string] = ['123456789012', 'us-east-2'];
const OTHER: [string, string] = ['444455556666', 'us-east-2'];
const publicLogin = { url: 'public.ecr.aws', source: { kind: 'public' } } as const;
const BUCKET = '123456789012/ci eu-west-1 AssumeRole';

const session: Session = {
  accessKeyId: 'ASIA1',
  secretAccessKey: new SecretValue('s'),
  sessionToken: new SecretValue('t'),
  issuedAt: 0,
  expiresAt: 3_600_000,
  assumedRoleArn: 'arn:aws:sts::123456789012:assumed-role/reader/x',
};
const ecr = { username: 'AWS', password: new SecretValue('p'), issuedAt: 0, expiresAt: 43_200_000 };

function failure(code: string, trouble: Trouble): AwsError {
  return new AwsError(code, { code, trouble, consequence: trouble === 'duration' ? 'stop' : 'retry' });
}

/** An issuer whose STS gives the answers in turn, and a record of what it did. */
function issuer(answers: (Session | Error)[], registry: typeof ecr | Error = ecr, token: string | Error = 'jwt') {
  const asked: AssumeRoleInput[] = [];
  const signers: (Signer | undefined)[] = [];
  const exchanged: WebIdentityInput[] = [];
  const tokens: object[] = [];
  const answer = () => {
    const next = answers.shift() ?? failure('NothingMore', 'other');
    if (next instanceof Error) throw next;
    return next;
  };
  const registries: string[] = [];
  const admission: string[] = [];
  const subject = new AssumeRoleIssuer({
    sts: {
      assumeRole: async (input, _signal, signer) => {
        asked.push(input);
        signers.push(signer);
        return answer();
      },
      assumeRoleWithWebIdentity: async (input) => {
        exchanged.push(input);
        return answer();
      },
    },
    cluster: {
      createToken: async (ref, spec) => {
        tokens.push({ ...ref, ...spec });
        if (token instanceof Error) throw token;
        return { token, expiresAt: 0 };
      },
    },
    ecr: {
      authorizationToken: async (input) => {
        registries.push(`${input.accountId ?? 'own'} in ${input.region} as ${input.session.accessKeyId}`);
        if (registry instanceof Error) throw registry;
        return registry;
      },
      publicAuthorizationToken: async (input) => {
        registries.push(`public as ${input.session.accessKeyId}`);
        return { ...ecr, password: new SecretValue('public') };
      },
    },
    admission: {
      throttled: (name) => admission.push(`throttled ${name}`),
      charge: (name) => admission.push(`charged ${name}`),
      refund: (name) => admission.push(`refunded ${name}`),
    },
  });
  return { subject, asked, signers, exchanged, tokens, registries, admission };
}

describe('AssumeRoleIssuer', () => {
  it('asks STS for exactly what the request says', async () => {
    const { subject, asked, registries, admission } = issuer([session]);
    expect(await subject.issue(request)).toEqual({
      session,
      region: 'eu-west-1',
      roleArn: request.roleArn,
      effectiveDurationSeconds: 43_200,
      clamps: [],
    });
    const { namespace: _, name: __, caller: ___, clamps: ____, logins: _____, tokens: ______, ...rest } = request;
    const { inputHash: _______, ...said } = rest;
    expect(asked).toEqual([said]);
    expect([registries, admission]).toEqual([[], []]);
  });

  it('tries a refused duration once with an hour, books the second request and says what happened', async () => {
    const { subject, asked, admission } = issuer([failure('ValidationError', 'duration'), session]);
    expect(await subject.issue(request)).toEqual({
      session,
      region: 'eu-west-1',
      roleArn: request.roleArn,
      effectiveDurationSeconds: 3600,
      clamps: [clampTo('RoleMaximum', 3600)],
      roleSeconds: 3600,
    });
    expect(asked.map(({ durationSeconds }) => durationSeconds)).toEqual([43_200, 3600]);
    expect(admission).toEqual([`charged ${BUCKET}`]);
  });

  it('keeps the clamps that were there before', async () => {
    const { subject } = issuer([failure('ValidationError', 'duration'), session]);
    const clamped = { ...request, durationSeconds: 7200, clamps: [clampTo('Grant', 7200)] };
    expect((await subject.issue(clamped)).clamps).toEqual([clampTo('Grant', 7200), clampTo('RoleMaximum', 3600)]);
  });

  it.each([
    ['an hour or less', 3600, failure('ValidationError', 'duration')],
    ['another bad value', 43_200, failure('ValidationError', 'other')],
    ['a denial', 43_200, failure('AccessDenied', 'other')],
  ])('does not try again after %s', async (_what, durationSeconds, error) => {
    const { subject, asked } = issuer([error]);
    await expect(subject.issue({ ...request, durationSeconds })).rejects.toBe(error);
    expect(asked).toHaveLength(1);
  });

  it('tells the bucket about a throttled answer, also to the second request', async () => {
    const throttled = failure('Throttling', 'throttled');
    const first = issuer([throttled]);
    await expect(first.subject.issue(request)).rejects.toBe(throttled);
    expect(first.admission).toEqual([`throttled ${BUCKET}`]);
    const second = issuer([failure('ValidationError', 'duration'), throttled]);
    await expect(second.subject.issue(request)).rejects.toBe(throttled);
    expect(second.admission).toEqual([`charged ${BUCKET}`, `throttled ${BUCKET}`]);
  });

  it('fetches one registry token for each account and Region, with the vended session', async () => {
    const { subject, registries } = issuer([session]);
    const asked = pulling([OWN, OTHER, OWN, ['123456789012', 'us-west-2']]);
    const { logins } = await subject.issue({ ...asked, logins: [...asked.logins, publicLogin] });
    expect(registries).toEqual([
      'own in us-east-2 as ASIA1',
      '444455556666 in us-east-2 as ASIA1',
      'own in us-west-2 as ASIA1',
      'public as ASIA1',
    ]);
    expect(logins?.map(({ url, token }) => [url, token.password.reveal()])).toEqual([
      ['registry-0', 'p'],
      ['registry-1', 'p'],
      ['registry-2', 'p'],
      ['registry-3', 'p'],
      ['public.ecr.aws', 'public'],
    ]);
  });

  it('fetches a token for a login and for templates once', async () => {
    const { subject, registries } = issuer([session]);
    const asked = pulling([OWN]);
    const tokens = asked.logins.map(({ source }) => ({ name: 'ecr', registry: 'host', source }));
    expect((await subject.issue({ ...asked, tokens })).tokens).toEqual([{ name: 'ecr', registry: 'host', token: ecr }]);
    expect(registries).toEqual(['own in us-east-2 as ASIA1']);
  });

  it('has a token for each bucket, books what is more, and tells the one of the role about a throttled answer', async () => {
    const throttled = failure('ThrottlingException', 'throttled');
    const { subject, admission } = issuer([session], throttled);
    await expect(subject.issue(pulling([OWN, OTHER]))).rejects.toBe(throttled);
    const bucket = '123456789012/reader us-east-2 GetAuthorizationToken';
    expect(admission).toEqual([`charged ${bucket}`, `throttled ${bucket}`, `throttled ${bucket}`]);
  });

  it('names one bucket of the role for each Region, one for ECR Public, and last the shared one', () => {
    const { logins } = pulling([OWN, OTHER, ['123456789012', 'us-west-2']]);
    expect(bucketsOf({ ...request, logins: [...logins, publicLogin] })).toEqual([
      '123456789012/reader us-east-2 GetAuthorizationToken',
      '123456789012/reader us-west-2 GetAuthorizationToken',
      '123456789012/reader us-east-1 ecr-public:GetAuthorizationToken',
      BUCKET,
    ]);
    expect(bucketsOf(request)).toEqual([BUCKET]);
  });

  it('gives back the tokens of registries that were not asked', async () => {
    const { subject, admission } = issuer([failure('AccessDenied', 'other')]);
    await expect(subject.issue(pulling([OWN]))).rejects.toThrow();
    expect(admission).toEqual(['refunded 123456789012/reader us-east-2 GetAuthorizationToken']);
  });

  it('gives nothing when a registry refuses', async () => {
    const refused = failure('AccessDenied', 'other');
    const { subject } = issuer([session], refused);
    await expect(subject.issue(pulling([OWN]))).rejects.toBe(refused);
  });

  it('names the bucket to claim a token of', () => {
    expect(bucketOf(request)).toBe(BUCKET);
  });
});

describe('for a ServiceAccount', () => {
  const {
    caller: _,
    externalId: __,
    sourceIdentity: ___,
    sessionTags: ____,
    transitiveTagKeys: _____,
    ...rest
  } = request;
  const ofAccount: IssueRequest = { ...rest, serviceAccount: { name: 'app', audience: 'sts.amazonaws.com' } };
  const bucket = '123456789012/web-identity eu-west-1 AssumeRoleWithWebIdentity';

  it('exchanges a fresh token of the namespace and asks as nobody else', async () => {
    const { subject, asked, exchanged, tokens, admission } = issuer([session]);
    expect((await subject.issue(ofAccount)).session).toBe(session);
    const { roleArn, sessionName, region, durationSeconds, sessionPolicy, policyArns } = ofAccount;
    const said = { roleArn, sessionName, region, durationSeconds, sessionPolicy, policyArns };
    expect(exchanged).toEqual([{ ...said, token: expect.any(SecretValue) }]);
    expect(exchanged[0]?.token.reveal()).toBe('jwt');
    expect({ asked, tokens, admission }).toEqual({
      asked: [],
      tokens: [{ namespace: 'team-a', name: 'app', audiences: ['sts.amazonaws.com'], expirationSeconds: 600 }],
      admission: [],
    });
  });

  it('tries a refused duration once with an hour and the same token', async () => {
    const { subject, exchanged, tokens, admission } = issuer([failure('ValidationError', 'duration'), session]);
    expect((await subject.issue(ofAccount)).clamps).toEqual([clampTo('RoleMaximum', 3600)]);
    expect(exchanged.map(({ durationSeconds }) => durationSeconds)).toEqual([43_200, 3600]);
    expect([tokens.length, admission]).toEqual([1, [`charged ${bucket}`]]);
  });

  it('gives the rate token back where there was no token to exchange', async () => {
    const missing = new Error('no token');
    const { subject, exchanged, admission } = issuer([session], ecr, missing);
    await expect(subject.issue(ofAccount)).rejects.toBe(missing);
    expect([exchanged, admission]).toEqual([[], [`refunded ${bucket}`]]);
  });

  it('has buckets of its own, by the account of the role', async () => {
    expect(bucketsOf(pulling([OWN], ofAccount))).toEqual([
      '123456789012/reader us-east-2 GetAuthorizationToken',
      bucket,
    ]);
    const throttled = failure('Throttling', 'throttled');
    const { subject, admission } = issuer([throttled]);
    await expect(subject.issue(ofAccount)).rejects.toBe(throttled);
    expect(admission).toEqual([`throttled ${bucket}`]);
  });
});

describe('through a chain', () => {
  const one = 'arn:aws:iam::210987654321:role/hops/one';
  const two = 'arn:aws:iam::320987654321:role/two';
  const common = { sessionName: 'rolevend-team-a.reader', durationSeconds: 900, region: 'eu-west-1' };
  const hops = [
    { ...common, roleArn: one, externalId: 'ext-1', path: 'spec.chain[0]' },
    { ...common, roleArn: two, sessionTags: { a: 'b' }, transitiveTagKeys: ['a'], path: 'spec.chain[1]' },
  ];
  const chained: IssueRequest = { ...request, durationSeconds: 3600, hops };
  const buckets = ['210987654321/one eu-west-1 AssumeRole', '320987654321/two eu-west-1 AssumeRole'];
  const sessionOf = (name: string): Session => ({ ...session, accessKeyId: name, assumedRoleArn: `arn of ${name}` });
  const [first, second, last] = ['first', 'second', 'last'].map(sessionOf) as [Session, Session, Session];

  it('lets each session sign for the next, books each in the bucket of who signs, and gives the last alone', async () => {
    const { subject, asked, signers, admission } = issuer([first, second, last]);
    expect(await subject.issue(chained)).toEqual({
      session: last,
      region: 'eu-west-1',
      roleArn: request.roleArn,
      effectiveDurationSeconds: 3600,
      clamps: [],
    });
    expect(asked.slice(0, 2)).toEqual(hops);
    expect(asked[2]).toMatchObject({ roleArn: request.roleArn, durationSeconds: 3600, externalId: 'ext-1' });
    const caller = { partition: 'aws', isSession: true, carriesSourceIdentity: false };
    expect(signers).toEqual([
      undefined,
      {
        session: first,
        caller: {
          ...caller,
          accountId: '210987654321',
          arn: 'arn of first',
          role: 'one',
          roleArn: one,
          carriesTags: false,
        },
      },
      {
        session: second,
        caller: {
          ...caller,
          accountId: '320987654321',
          arn: 'arn of second',
          role: 'two',
          roleArn: two,
          carriesTags: true,
        },
      },
    ]);
    expect(admission).toEqual([]);
  });

  it('knows all buckets before it starts, each once', () => {
    expect(bucketsOf(pulling([OWN, OTHER], { ...chained, hops: [...hops, ...hops] }))).toEqual([
      '123456789012/reader us-east-2 GetAuthorizationToken',
      ...buckets,
      BUCKET,
    ]);
  });

  it('books a role that is passed a second time', async () => {
    const { subject, admission } = issuer([first, second, first, last]);
    await subject.issue({ ...chained, hops: [...hops, ...hops.slice(0, 1)] });
    expect(admission).toEqual([`charged ${buckets[0]}`]);
  });

  it('ends at the first refusal, and slows down whom it came to', async () => {
    const throttled = failure('Throttling', 'throttled');
    const { subject, asked, admission } = issuer([first, throttled]);
    await expect(subject.issue(chained)).rejects.toBe(throttled);
    expect(asked).toHaveLength(2);
    expect(admission).toEqual([`throttled ${buckets[0]}`, `refunded ${buckets[1]}`]);
  });

  it('begins with the token of a ServiceAccount where one is named', async () => {
    const { caller: _, ...rest } = chained;
    const serviceAccount = { name: 'app', audience: 'sts.amazonaws.com' };
    const { subject, asked, exchanged, signers } = issuer([first, second, last]);
    expect((await subject.issue({ ...rest, serviceAccount })).session).toBe(last);
    expect(exchanged.map(({ roleArn }) => roleArn)).toEqual([one]);
    expect(asked.map(({ roleArn }) => roleArn)).toEqual([two, request.roleArn]);
    expect(signers.map((signer) => signer?.session)).toEqual([first, second]);
  });
});
