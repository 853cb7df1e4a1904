import { createHash, createHmac } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { SignatureV4 } from '@smithy/signature-v4';
import * as fc from 'fast-check';
import type { BaseCredentials } from '../../lib/aws/options.ts';
import { RequestSigner } from '../../lib/aws/signature.ts';

const contentType = 'application/x-www-form-urlencoded';
const example = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
const exampleTime = Date.parse('2015-08-30T12:36:00Z');

test('a form is signed as in the test suite that AWS publishes (post-x-www-form-urlencoded)', () => {
  const request = { url: new URL('https://example.amazonaws.com/'), contentType, body: 'Param1=value1' };
  const scope = { region: 'us-east-1', service: 'service' };
  expect(new RequestSigner().headers(request, example, scope, exampleTime)).toEqual({
    'content-type': contentType,
    host: 'example.amazonaws.com',
    'x-amz-date': '20150830T123600Z',
    authorization:
      'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a',
  });
});

test('every request is signed as the AWS SDK signs it', async () => {
  const text = fc.string({ minLength: 1, maxLength: 40 });
  const secret = fc.stringMatching(/^[A-Za-z0-9/+=]{16,40}$/);
  const request = fc.record({
    host: fc.constantFrom('sts.eu-west-1.amazonaws.com', '127.0.0.1:4566', 'vpce-0a.sts.amazonaws.com:8443'),
    path: fc.constantFrom('/', '/sts', '/a/b/', '/a//b/', "/it's (a) path!*/ü"),
    body: fc.record({ Action: text, Policy: text }).map((form) => String(new URLSearchParams(form))),
  });
  const credentials = fc.record(
    { accessKeyId: fc.stringMatching(/^[A-Z0-9]{16,20}$/), secretAccessKey: secret, sessionToken: secret },
    { requiredKeys: ['accessKeyId', 'secretAccessKey'] },
  );
  const time = fc.integer({ min: Date.parse('2020-01-01'), max: Date.parse('2099-12-31') });
  const signer = new RequestSigner();
  await fc.assert(
    fc.asyncProperty(request, credentials, time, async ({ host, path, body }, { ...keys }, now) => {
      const url = new URL(`https://${host}${path}`);
      const scope = { region: 'eu-west-1', service: 'sts' };
      const ours = signer.headers({ url, contentType, body }, keys, scope, now);
      expect(ours['authorization']).toBe(await authorizationOfSdk(url, body, keys, now));
      // The key at hand is used again.
      expect(signer.headers({ url, contentType, body }, keys, scope, now)).toEqual(ours);
    }),
  );
});

test('a signature of another day or with other credentials is made with another key', () => {
  const request = { url: new URL('https://sts.amazonaws.com/'), contentType, body: 'Action=x' };
  const signer = new RequestSigner();
  const signatureOf = (credentials: BaseCredentials, time: number, region = 'us-east-1') => {
    const { authorization = '' } = signer.headers(request, credentials, { region, service: 'sts' }, time);
    return authorization.split('Signature=')[1];
  };
  const day = 86_400_000;
  const signatures = [
    signatureOf(example, exampleTime),
    signatureOf(example, exampleTime + day),
    signatureOf(example, exampleTime, 'eu-west-1'),
    signatureOf({ ...example, secretAccessKey: 'other' }, exampleTime),
  ];
  expect(new Set(signatures).size).toBe(4);
  expect(signatureOf(example, exampleTime)).toBe(signatures[0]);
});

async function authorizationOfSdk(url: URL, body: string, credentials: BaseCredentials, now: number) {
  const signer = new SignatureV4({
    credentials,
    region: 'eu-west-1',
    service: 'sts',
    sha256: Sha256,
    applyChecksum: false,
  });
  const headers = { 'content-type': contentType, host: url.host };
  const { protocol, hostname, pathname: path } = url;
  const request = { method: 'POST', protocol, hostname, path, query: {}, headers, body };
  return (await signer.sign(request, { signingDate: new Date(now) })).headers['authorization'];
}

/** What the SDK's signer asks of a hash. */
class Sha256 {
  readonly #hash;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret as Buffer);
  }

  update(data: Uint8Array | string): void {
    this.#hash.update(data);
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {}
}
