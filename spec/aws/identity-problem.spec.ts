import { describe, expect, it } from '@jest/globals';
import { identityProblem } from '../../lib/aws/identity-problem.ts';
import { answerIn, SourceError, sourceIn } from '../../lib/aws/remote-source.ts';

describe('what the SDK throws for a source of credentials', () => {
  const named = (name: string, message: string) => Object.assign(new Error(message), { name });
  it.each([
    [named('CredentialsProviderError', 'Server responded with status: 404'), { status: 404 }],
    [named('CredentialsProviderError', 'Server responded with status: 503'), { status: 503 }],
    [
      Object.assign(new Error('Error response received from instance metadata service'), { statusCode: 401 }),
      { status: 401 },
    ],
    [named('SyntaxError', 'Unexpected token < in JSON'), { noCredentials: true }],
    [
      named('CredentialsProviderError', 'HTTP credential provider response not of the required format, an object'),
      { noCredentials: true },
    ],
    [named('CredentialsProviderError', 'Error: connect ECONNREFUSED 169.254.170.23:80'), { network: 'ECONNREFUSED' }],
    [named('CredentialsProviderError', 'TimeoutError: socket hang up'), { network: 'TIMEOUT' }],
    [
      Object.assign(new Error('Unable to connect to instance metadata service'), { code: 'EHOSTUNREACH' }),
      { network: 'EHOSTUNREACH' },
    ],
    [
      named('CredentialsProviderError', 'URL not accepted. It must either be HTTPS or'),
      { setting: 'AWS_CONTAINER_CREDENTIALS_FULL_URI' },
    ],
    [
      Object.assign(new TypeError('Invalid URL'), { code: 'ERR_INVALID_URL' }),
      { setting: 'AWS_CONTAINER_CREDENTIALS_FULL_URI' },
    ],
    [
      named(
        'CredentialsProviderError',
        'TypeError [ERR_INVALID_CHAR]: Invalid character in header content ["Authorization"]',
      ),
      { setting: 'AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE' },
    ],
    [Object.assign(new Error("ENOENT: no such file or directory, open '/token'"), { code: 'ENOENT' }), undefined],
    [new Error('something new'), undefined],
  ])('is read for what became of it: %s', (error, answer) => {
    expect(answerIn(error)).toEqual(answer);
  });

  it('tells in its log which source it asks', () => {
    const lines = [
      '@aws-sdk/credential-provider-node - remoteProvider::fromHttp/fromContainerMetadata',
      '@aws-sdk/credential-provider-node - remoteProvider::fromInstanceMetadata',
      '@aws-sdk/credential-provider-node - defaultProvider::remoteProvider',
      undefined,
    ];
    expect(lines.map(sourceIn)).toEqual(['container', 'instance', undefined, undefined]);
  });
});

describe('why there is no identity', () => {
  const agent = 'No AWS identity: the container credentials endpoint (EKS Pod Identity agent)';
  const instance = 'No AWS identity: the instance metadata service';
  it.each([
    [
      new SourceError('container', { status: 404 }),
      `${agent} answered with HTTP 404. Check that a Pod Identity association`,
    ],
    [
      new SourceError('container', { status: 400 }),
      `${agent} answered with HTTP 400. Check that a Pod Identity association`,
    ],
    [new SourceError('container', { status: 503 }), `${agent} answered with HTTP 503. It has trouble`],
    [
      new SourceError('container', { status: 302 }),
      `${agent} answered with HTTP 302. It has trouble, or something else`,
    ],
    [new SourceError('container', { noCredentials: true }), `${agent} answered without credentials. It has trouble`],
    [new SourceError('container', { network: 'ECONNREFUSED' }), `${agent} cannot be reached (ECONNREFUSED)`],
    [
      new SourceError('container', { setting: 'AWS_CONTAINER_CREDENTIALS_FULL_URI' }),
      'No AWS identity: AWS_CONTAINER_CREDENTIALS_FULL_URI is not accepted: it has to be the URL of the agent',
    ],
    [
      new SourceError('container', { setting: 'AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE' }),
      'No AWS identity: the token of AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE cannot be sent',
    ],
    [new SourceError('instance', { status: 404 }), `${instance} answered with HTTP 404. The instance has no role`],
    [new SourceError('instance', { status: 401 }), `${instance} answered with HTTP 401. It does not serve this Pod`],
    [new SourceError('instance', { status: 500 }), `${instance} answered with HTTP 500. It has trouble`],
  ])('is told by who was reached, without other ways to log in: %j', (error, says) => {
    const problem = identityProblem(error, 'eu-west-1');
    expect(problem).toContain(says);
    expect(problem).not.toContain('Fix one of');
  });

  it('lists the ways where there is no instance to answer', () => {
    const problem = identityProblem(new SourceError('instance', { network: 'EHOSTUNREACH' }), 'eu-west-1');
    expect(problem).toContain('the default chain found no usable credentials');
    expect(problem).toContain('Fix one of: EKS Pod Identity');
  });
});
