import { describe, expect, it } from '@jest/globals';
import { type AwsContext, awsError } from '../../lib/aws/errors.ts';
import { look } from '../../lib/aws/seen.ts';
import { mediaType } from '../../lib/exchange.ts';

const context: AwsContext = { service: 'STS', operation: 'AssumeRole', region: 'eu-west-1' };
const call = 'STS AssumeRole in eu-west-1';

/** As what reads answers throws where there is no code in one. */
function answered(status: number, type: string | undefined): Error {
  const $response = { statusCode: status, headers: type === undefined ? {} : { 'content-type': type } };
  return Object.assign(new Error('<html>s3cret</html>'), { $metadata: { httpStatusCode: status }, $response });
}

describe('an answer that is none of AWS', () => {
  it.each([
    [200, 'text/html; charset=utf-8', 'HTTP 200, text/html', 'as a login page or a proxy does'],
    [302, 'text/html', 'HTTP 302, text/html', 'leads elsewhere'],
    [400, 'application/json', 'HTTP 400, application/json', 'check what the proxy lets through'],
    [407, undefined, 'HTTP 407', 'give them in HTTPS_PROXY'],
    [413, 'text/plain', 'HTTP 413, text/plain', 'too large'],
    [431, undefined, 'HTTP 431', 'too large'],
    [502, 'text/html', 'HTTP 502, text/html', 'look at the proxy or load balancer'],
  ])('is told with status and media type: %i, %s', (status, type, who, advice) => {
    const error = awsError(answered(status, type), context);
    expect({ code: error.code, consequence: error.consequence, message: error.message }).toEqual({
      code: 'StsUnreachable',
      consequence: 'retry',
      message: expect.stringContaining(`${call} got no answer from AWS (StsUnreachable, ${who}).`),
    });
    expect(error.message).toContain(advice);
    expect(error.message).toMatch(/It is tried again\.$/);
    expect(error.message).not.toContain('s3cret');
  });

  it('is told as one of its proxy where it asks for fewer requests', () => {
    expect(awsError(answered(429, 'text/html'), context)).toMatchObject({
      code: 'TooManyRequests',
      trouble: 'throttled',
    });
  });

  it('gives no words of its own for a media type or a request id', () => {
    expect(
      ['text/html', ' Text/HTML ;charset=x', 's3cret/html', 'text/s3 cret', 'text/', undefined, ['a']].map(mediaType),
    ).toEqual(['text/html', 'text/html', undefined, undefined, undefined, undefined, undefined]);
    const ids = ['0b1c-2', 'a b', 'x'.repeat(129), '<b>'];
    expect(ids.map((requestId) => look({ $metadata: { requestId } }).requestId)).toEqual([
      '0b1c-2',
      undefined,
      undefined,
      undefined,
    ]);
  });
});

it('an answer that does not come in time is told as that', () => {
  const timeout = Object.assign(new Error('late'), { name: 'TimeoutError' });
  expect(awsError(timeout, context).message).toContain('(StsUnreachable, TIMEOUT). Check the network');
});
