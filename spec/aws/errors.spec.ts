import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { type AwsContext, AwsError, awsError, isThrottle } from '../../lib/aws/errors.ts';
import { framesOf, RolevendError } from '../../lib/errors.ts';

const ROLE = 'arn:aws:iam::210987654321:role/team/writer';
const context: AwsContext = { service: 'STS', operation: 'AssumeRole', region: 'eu-west-1', roleArn: ROLE };
/** Stands for whatever a service quotes of the request. */
const QUOTED = 'FwoGZXIvYXdzEBYaDsecret';

function thrown(name: string, status: number, message = QUOTED): unknown {
  const error = Object.assign(new Error(message), { name, $fault: 'client' });
  return Object.assign(error, { $metadata: { httpStatusCode: status, requestId: 'req-1' } });
}

function mapped(error: unknown, about: AwsContext = context): AwsError {
  const result = awsError(error, about);
  if (!(result instanceof AwsError)) throw new Error('not mapped');
  return result;
}

describe('the consequence of every AWS error', () => {
  it.each([
    ['AccessDenied', 403, 'AccessDenied', 'other', 'stop'],
    ['AccessDeniedException', 400, 'AccessDenied', 'other', 'stop'],
    ['ValidationError', 400, 'ValidationError', 'other', 'stop'],
    ['ValidationException', 400, 'ValidationError', 'other', 'stop'],
    ['MalformedPolicyDocument', 400, 'MalformedPolicyDocument', 'other', 'stop'],
    ['MalformedPolicyDocumentException', 400, 'MalformedPolicyDocument', 'other', 'stop'],
    ['PackedPolicyTooLarge', 400, 'PackedPolicyTooLarge', 'other', 'stop'],
    ['PackedPolicyTooLargeException', 400, 'PackedPolicyTooLarge', 'other', 'stop'],
    ['RegionDisabled', 403, 'RegionDisabled', 'other', 'stop'],
    ['RegionDisabledException', 403, 'RegionDisabled', 'other', 'stop'],
    ['InvalidIdentityTokenException', 400, 'InvalidIdentityToken', 'other', 'stop'],
    ['IDPRejectedClaimException', 403, 'IDPRejectedClaim', 'other', 'stop'],
    ['InvalidParameterException', 400, 'InvalidParameter', 'other', 'stop'],
    ['InvalidParameterValue', 400, 'InvalidParameterValue', 'other', 'stop'],
    ['InvalidParameterCombination', 400, 'InvalidParameterCombination', 'other', 'stop'],
    ['MissingParameter', 400, 'MissingParameter', 'other', 'stop'],
    ['NotAuthorized', 400, 'AccessDenied', 'other', 'stop'],
    ['OptInRequired', 403, 'OptInRequired', 'other', 'stop'],
    ['SubscriptionRequiredException', 403, 'SubscriptionRequired', 'other', 'stop'],
    ['InvalidAction', 400, 'InvalidAction', 'other', 'stop'],
    ['UnknownOperationException', 400, 'UnknownOperation', 'other', 'stop'],
    ['UnsupportedCommandException', 400, 'UnsupportedCommand', 'other', 'stop'],
    ['RequestEntityTooLargeException', 413, 'RequestEntityTooLarge', 'other', 'stop'],
    ['RequestTimeoutException', 400, 'RequestTimeout', 'other', 'retry'],
    ['ServerException', 500, 'Server', 'other', 'retry'],
    ['ThrottlingError', 400, 'ThrottlingError', 'throttled', 'retry'],
    ['UnknownError', 429, 'TooManyRequests', 'throttled', 'retry'],
    ['NotFound', 404, 'StsUnreachable', 'unreachable', 'retry'],
    ['IDPCommunicationError', 400, 'IDPCommunicationError', 'other', 'retry'],
    ['Throttling', 400, 'Throttling', 'throttled', 'retry'],
    ['ThrottlingException', 400, 'Throttling', 'throttled', 'retry'],
    ['ThrottledException', 400, 'Throttled', 'throttled', 'retry'],
    ['TooManyRequestsException', 429, 'TooManyRequests', 'throttled', 'retry'],
    ['RequestLimitExceeded', 503, 'RequestLimitExceeded', 'throttled', 'retry'],
    ['RequestThrottled', 400, 'RequestThrottled', 'throttled', 'retry'],
    ['RequestThrottledException', 400, 'RequestThrottled', 'throttled', 'retry'],
    ['BandwidthLimitExceeded', 400, 'BandwidthLimitExceeded', 'throttled', 'retry'],
    ['ProvisionedThroughputExceededException', 400, 'ProvisionedThroughputExceeded', 'throttled', 'retry'],
    ['SlowDown', 503, 'SlowDown', 'throttled', 'retry'],
    ['ExpiredToken', 403, 'ExpiredToken', 'credentials', 'retry'],
    ['ExpiredTokenException', 400, 'ExpiredToken', 'credentials', 'retry'],
    ['InvalidClientTokenId', 403, 'InvalidClientTokenId', 'credentials', 'retry'],
    ['UnrecognizedClientException', 400, 'UnrecognizedClient', 'credentials', 'retry'],
    ['SignatureDoesNotMatch', 403, 'SignatureDoesNotMatch', 'credentials', 'retry'],
    ['InvalidSignatureException', 400, 'InvalidSignature', 'credentials', 'retry'],
    ['RequestExpired', 400, 'RequestExpired', 'credentials', 'retry'],
    ['RequestTimeTooSkewed', 403, 'RequestTimeTooSkewed', 'credentials', 'retry'],
    ['MissingAuthenticationToken', 403, 'MissingAuthenticationToken', 'credentials', 'retry'],
    ['IncompleteSignature', 400, 'IncompleteSignature', 'credentials', 'retry'],
    ['InternalFailure', 500, 'InternalFailure', 'other', 'retry'],
    ['ServiceUnavailable', 503, 'ServiceUnavailable', 'other', 'retry'],
    ['UnknownError', 502, 'StsUnreachable', 'unreachable', 'retry'],
    ['SyntaxError', 502, 'StsUnreachable', 'unreachable', 'retry'],
    ['SomethingNew', 400, 'SomethingNew', 'other', 'retry'],
    ['CredentialsProviderError', 0, 'NoIdentity', 'credentials', 'retry'],
    ['TimeoutError', 0, 'StsUnreachable', 'unreachable', 'retry'],
    ['Error', 0, 'StsUnreachable', 'unreachable', 'retry'],
  ])('%s with HTTP %d is %s', (name, status, code, trouble, consequence) => {
    const error = mapped(thrown(name, status));
    expect({
      code: error.code,
      trouble: error.trouble,
      consequence: error.consequence,
      requestId: error.requestId,
    }).toEqual({
      code,
      trouble,
      consequence,
      requestId: 'req-1',
    });
    expect(isThrottle(error)).toBe(trouble === 'throttled');
  });

  it.each([
    'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
    'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.',
  ])('tells a refused duration: %s', (message) => {
    const { code, trouble, consequence } = mapped(thrown('ValidationError', 400, message));
    expect({ code, trouble, consequence }).toEqual({
      code: 'ValidationError',
      trouble: 'duration',
      consequence: 'stop',
    });
  });

  it.each([
    [{ code: 'ECONNREFUSED' }, '(StsUnreachable, ECONNREFUSED). Check the network, the proxy and the Region.'],
    [{ cause: { code: 'ENOTFOUND' } }, '(StsUnreachable, ENOTFOUND). No name server knows the host'],
    [{ code: 'EAI_AGAIN' }, '(StsUnreachable, EAI_AGAIN). No name server could tell where the host is'],
    [{ code: 'UND_ERR_RES_EXCEEDED_MAX_SIZE' }, 'What answered is not AWS, since it sent more than 1 MiB'],
    [{ code: 'UND_ERR_HEADERS_OVERFLOW' }, 'What answered is not AWS, since the head of its answer has no end'],
    [{ code: 'SELF_SIGNED_CERT_IN_CHAIN' }, 'name a PEM file with it in AWS_CA_BUNDLE'],
    [{ code: 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY' }, 'The certificate of the other side is not trusted'],
    [{ code: QUOTED }, '(StsUnreachable). Check the network'],
    [{ code: 23 }, '(StsUnreachable). Check the network'],
  ])('says what the network said, in its own words alone: %j', (details, says) => {
    const { message } = mapped(Object.assign(new Error(QUOTED), details));
    expect(message).toContain(says);
    expect(message).not.toContain(QUOTED);
  });

  it('calls an unreachable registry by its name', () => {
    expect(mapped(thrown('Error', 0), { ...context, service: 'ECR' }).code).toBe('EcrUnreachable');
  });

  it.each([undefined, null, 'text', 42, {}])('survives %p being thrown', (error) => {
    expect(mapped(error)).toMatchObject({ code: 'StsUnreachable', consequence: 'retry' });
  });

  it('hands back our own errors', () => {
    const own = new RolevendError('x', { code: 'NoIdentity', consequence: 'retry' });
    expect(awsError(own, context)).toBe(own);
  });

  it('lets a log tell where the fault of a program comes from, and nothing of what AWS answers', () => {
    const frames = expect.arrayContaining([expect.stringMatching(/errors\.spec\.ts:\d+:\d+$/)]);
    expect(framesOf(awsError(new TypeError(QUOTED), context))).toEqual(frames);
    expect(framesOf(awsError(thrown('AccessDenied', 403), context))).toBeUndefined();
  });
});

describe('the text of an AWS error', () => {
  it('holds code and request id and nothing that the service quoted', () => {
    for (const code of [
      'AccessDenied',
      'ValidationError',
      'Throttling',
      'ExpiredToken',
      'InternalFailure',
      'SyntaxError',
    ]) {
      const error = mapped(thrown(code, 400));
      expect(error.message).toContain('request id req-1');
      expect(error.message).toContain(error.code);
      for (const text of [error.message, JSON.stringify(error), inspect(error)]) expect(text).not.toContain(QUOTED);
    }
  });

  it.each([
    ["1 validation error detected: Value 'x y' at 'roleSessionName' failed", 'spec.sessionName'],
    ["1 validation error detected: Value 'x' at 'externalId' failed", 'spec.externalId'],
    ["Value 'arn:x' at 'roleArn' failed", 'spec.roleName or spec.roleArn'],
    ['something else', 'a value of the request'],
  ])('names the field of a bad value: %s', (text, field) => {
    expect(mapped(thrown('ValidationError', 400, text)).message).toContain(
      `AWS does not accept ${field}`.replace('accept spec.roleName', 'accept the role (spec.roleName'),
    );
  });
});

it.each([
  ['ValidationError', "Value 'x' at 'externalId' failed", 'AWS does not accept spec.chain[1].externalId'],
  ['ValidationError', "Value 'x' at 'roleArn' failed", 'AWS does not accept spec.chain[1].roleArn'],
  ['InvalidParameterValue', 'tags', 'Remove it from spec.chain[1].sessionTags'],
])('the advice for a hop names its own fields: %s, %s', (code, text, says) => {
  const about = { ...context, path: 'spec.chain[1]', tagged: true };
  expect(mapped(thrown(code, 400, text), about).message).toContain(says);
});

describe('the advice for a session that is too large', () => {
  const tooLarge = (text: string, about: Partial<AwsContext>) =>
    mapped(thrown('PackedPolicyTooLargeException', 400, text), { ...context, ...about }).message;
  const text = 'Packed size of session tags consumes 114% of allotted space.';
  const operator = {
    arn: 'arn:aws:sts::123456789012:assumed-role/operator/pod-1',
    accountId: '123456789012',
    partition: 'aws',
    role: 'operator',
    isSession: true,
  };

  it('tells how much it takes and what the object can shorten', () => {
    expect(
      tooLarge(text, { caller: operator, packed: ['spec.sessionPolicy (1800 characters)', 'spec.sessionTags (3)'] }),
    ).toBe(
      [
        `STS AssumeRole for ${ROLE} in eu-west-1 failed (PackedPolicyTooLarge, request id req-1).`,
        'Session policy, policy ARNs and tags together take 114 % of the space that AWS gives them.',
        'Shorten or remove: spec.sessionPolicy (1800 characters), spec.sessionTags (3).',
        'A managed policy takes less than the same text in spec.sessionPolicy.',
      ].join(' '),
    );
  });

  it('says so where the size is not told, or the tags are those of EKS Pod Identity', () => {
    const message = tooLarge(QUOTED, { caller: { ...operator, carriesTags: true }, packed: [] });
    expect(message).toContain('take more than 100 % of the space');
    expect(message).toContain('Shorten or remove: session policy, policy ARNs and tags.');
    expect(message).toContain('aws eks update-pod-identity-association --disable-session-tags turns them off.');
    expect(message).not.toContain(QUOTED);
    const hop = { ...operator, roleArn: 'arn:aws:iam::123456789012:role/hop', carriesTags: true };
    expect(tooLarge(text, { caller: hop })).toMatch(
      /The session of \S+:role\/hop hands on its transitive tags, which count, too\.$/,
    );
  });
});

it('the advice for a refused value speaks of the tags where the request has some', () => {
  const advised = (tagged: boolean) => mapped(thrown('InvalidParameterValue', 400), { ...context, tagged }).message;
  expect([advised(true), advised(false)]).toEqual([
    expect.stringContaining('Remove it from spec.sessionTags or name it otherwise.'),
    expect.not.stringContaining('spec.sessionTags'),
  ]);
});

describe('the advice for AccessDenied', () => {
  const session = {
    arn: 'arn:aws:sts::123456789012:assumed-role/operator/pod-1',
    accountId: '123456789012',
    partition: 'aws',
    role: 'operator',
    isSession: true,
  };
  const denied = (about: Partial<AwsContext>) => mapped(thrown('AccessDenied', 403), { ...context, ...about }).message;

  it('prints both statements for a role session, with the ARN of its IAM role', () => {
    expect(denied({ caller: session })).toBe(
      [
        `STS AssumeRole for ${ROLE} in eu-west-1 failed (AccessDenied, request id req-1).`,
        'The role may not exist, or one of two statements is missing; STS does not say which one lacks.',
        `Identity policy of arn:aws:iam::123456789012:role/operator (add its path, if it has one): {"Effect":"Allow","Action":"sts:AssumeRole","Resource":"${ROLE}"}`,
        `Trust policy of ${ROLE}: {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:role/operator"},"Action":"sts:AssumeRole"}`,
      ].join(' '),
    );
  });

  it('names the role of a hop with its path, and what its session hands on', () => {
    const hop = { ...session, role: 'one', roleArn: 'arn:aws:iam::123456789012:role/hops/one' };
    const message = denied({ caller: { ...hop, carriesTags: true, carriesSourceIdentity: true } });
    const action = '"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]';
    expect(message).toContain(
      `Identity policy of ${hop.roleArn}: {"Effect":"Allow",${action},"Resource":"${ROLE}"} Trust policy of ${ROLE}: {"Effect":"Allow","Principal":{"AWS":"${hop.roleArn}"},${action}}`,
    );
  });

  it('names a user by its own ARN', () => {
    const user = {
      arn: 'arn:aws:iam::123456789012:user/ci',
      accountId: '123456789012',
      partition: 'aws',
      isSession: false,
    };
    expect(denied({ caller: user })).toContain('"Principal":{"AWS":"arn:aws:iam::123456789012:user/ci"}');
  });

  it.each([
    ['the base session carries tags', { caller: { ...session, carriesTags: true } }],
    ['the request passes tags', { caller: session, tagged: true }],
  ])('asks for sts:TagSession on both sides when %s', (_when, about) => {
    expect(denied(about).split('"Action":["sts:AssumeRole","sts:TagSession"]')).toHaveLength(3);
  });

  it('asks for sts:SetSourceIdentity on both sides when one is set', () => {
    expect(denied({ caller: session, sourceIdentity: true }).split('"sts:SetSourceIdentity"')).toHaveLength(3);
  });

  it('puts the external id into the trust policy alone', () => {
    expect(
      denied({ caller: session, externalId: 'ext-1' }).split('"Condition":{"StringEquals":{"sts:ExternalId":"ext-1"}}'),
    ).toHaveLength(2);
  });

  it('says which right a role lacks at the registry', () => {
    const about = { service: 'ECR', operation: 'GetAuthorizationToken' } as const;
    expect(denied(about)).toContain('{"Effect":"Allow","Action":"ecr:GetAuthorizationToken","Resource":"*"}');
  });

  const claims = {
    issuer: 'https://oidc.eks.eu-west-1.amazonaws.com/id/ABC',
    subject: 'system:serviceaccount:team-a:app',
    audience: 'sts.amazonaws.com',
  };
  const provider = 'arn:aws:iam::210987654321:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC';
  const exchange = { operation: 'AssumeRoleWithWebIdentity', claims };

  it('prints the one statement that lets a ServiceAccount in', () => {
    const sub = '"oidc.eks.eu-west-1.amazonaws.com/id/ABC:sub":"system:serviceaccount:team-a:app"';
    const aud = '"oidc.eks.eu-west-1.amazonaws.com/id/ABC:aud":"sts.amazonaws.com"';
    expect(denied(exchange)).toBe(
      [
        `STS AssumeRoleWithWebIdentity for ${ROLE} in eu-west-1 failed (AccessDenied, request id req-1).`,
        'The role may not exist, or its trust policy lacks a statement.',
        `Trust policy of ${ROLE}: {"Effect":"Allow","Principal":{"Federated":"${provider}"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{${sub},${aud}}}}`,
      ].join(' '),
    );
  });

  it('names the OIDC provider that AWS lacks for a token', () => {
    const { message } = mapped(thrown('InvalidIdentityTokenException', 400), { ...context, ...exchange });
    expect(message).toContain(
      `AWS does not accept the token of system:serviceaccount:team-a:app: the account of the role needs the IAM OIDC provider ${provider} with the audience sts.amazonaws.com`,
    );
    expect(message).not.toContain(QUOTED);
  });

  it('speaks of the OIDC provider where the token cannot be read', () => {
    const about = { operation: 'AssumeRoleWithWebIdentity' };
    const refused = mapped(thrown('InvalidIdentityToken', 400), { ...context, ...about }).message;
    for (const message of [denied(about), refused]) expect(message).toContain('OIDC provider');
  });
});
