import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parse } from 'ini';
import { type EcrToken, type Issued, SecretValue } from '../../lib/api/credentials.ts';
import { digest, render } from '../../lib/secrets/render.ts';

const URL = '123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app';
const KEYS = { accessKeyId: 'ASIAEXAMPLE', secret: 'se+cr/et=', token: 'to+k/en==' };

function issued(values = KEYS, password = 'pass'): Issued {
  const times = { issuedAt: 0, expiresAt: 3_600_000 };
  const ecr: EcrToken = { username: 'AWS', password: new SecretValue(password), ...times };
  const session = {
    accessKeyId: values.accessKeyId,
    secretAccessKey: new SecretValue(values.secret),
    sessionToken: new SecretValue(values.token),
    assumedRoleArn: 'arn:aws:sts::123456789012:assumed-role/reader/x',
    ...times,
  };
  return { session, ecr };
}

describe('render', () => {
  it('Map: exactly the three legacy keys', () => {
    expect(render({ secretType: 'Map' }, issued())).toEqual({
      type: 'Opaque',
      data: { awsAccessKeyId: 'ASIAEXAMPLE', awsSecretAccessKey: 'se+cr/et=', awsSessionToken: 'to+k/en==' },
    });
  });

  it('File: byte for byte the legacy file', () => {
    expect(render({ secretType: 'File' }, issued())).toEqual({
      type: 'Opaque',
      data: {
        credentials:
          '[default]\naws_access_key_id=ASIAEXAMPLE\naws_secret_access_key=se+cr/et=\naws_session_token=to+k/en==',
      },
    });
  });

  it('EcrDockerConfigJson: the URL verbatim, with auth', () => {
    expect(render({ secretType: 'EcrDockerConfigJson', ecrRepositoryUrl: URL }, issued())).toEqual({
      type: 'kubernetes.io/dockerconfigjson',
      data: { '.dockerconfigjson': `{"auths":{"${URL}":{"username":"AWS","password":"pass","auth":"QVdTOnBhc3M="}}}` },
    });
  });

  it.each([
    ['without a URL', { secretType: 'EcrDockerConfigJson' as const }, issued(), 'InvalidSpec'],
    [
      'without a token',
      { secretType: 'EcrDockerConfigJson' as const, ecrRepositoryUrl: URL },
      { session: issued().session },
      'EcrUnreachable',
    ],
  ])('EcrDockerConfigJson %s is refused', (_what, spec, values, code) => {
    expect(() => render(spec, values)).toThrow(expect.objectContaining({ code }));
  });
});

describe('a control character', () => {
  const control = fc.constantFrom('\n', '\r', '\t', '\0', '\u001b', '\u007f', '\u0085', '\u2028', '\u2029');
  const field = fc.constantFrom(...(['accessKeyId', 'secret', 'token'] as const));
  const names = { accessKeyId: 'aws_access_key_id', secret: 'aws_secret_access_key', token: 'aws_session_token' };

  it('in any value of a File is refused; the error names the field and not the value', () => {
    const property = fc.property(field, control, fc.nat(6), (name, character, at) => {
      const value = `VAL${KEYS[name].slice(0, at)}${character}UE`;
      const write = () => render({ secretType: 'File' }, issued({ ...KEYS, [name]: value }));
      expect(write).toThrow(expect.objectContaining({ code: 'InvalidCredentials', consequence: 'stop' }));
      expect(write).toThrow(names[name]);
      expect(write).not.toThrow('VAL');
    });
    fc.assert(property);
  });
});

/** Printable ASCII but for what INI readers take for a comment, an escape or a quote; AWS uses base64 and `:_-.` only. */
const printable = Array.from({ length: 94 }, (_, n) => String.fromCharCode(33 + n)).filter(
  (c) => !'"\';#\\'.includes(c),
);
const token = fc.string({ unit: fc.constantFrom(...printable), minLength: 1, maxLength: 1200 });

describe('what was written', () => {
  it('reads back from a File as exactly what was issued', () => {
    const property = fc.property(token, token, token, (accessKeyId, secret, sessionToken) => {
      const { data } = render({ secretType: 'File' }, issued({ accessKeyId, secret, token: sessionToken }));
      expect(parse(data['credentials'] ?? '')).toEqual({
        default: { aws_access_key_id: accessKeyId, aws_secret_access_key: secret, aws_session_token: sessionToken },
      });
    });
    fc.assert(property);
  });

  it('reads back from a docker config whatever URL and password', () => {
    const property = fc.property(
      fc.string({ minLength: 1 }),
      fc.string({ unit: 'binary', minLength: 1 }),
      (url, password) => {
        const { data } = render({ secretType: 'EcrDockerConfigJson', ecrRepositoryUrl: url }, issued(KEYS, password));
        const { auths } = JSON.parse(data['.dockerconfigjson'] ?? '') as {
          auths: Record<string, { username: string; password: string; auth: string }>;
        };
        expect(Object.keys(auths)).toEqual([url]);
        const { auth, ...entry } = Object.values(auths)[0] ?? { auth: '' };
        expect([entry, Buffer.from(auth, 'base64').toString('utf8')]).toEqual([
          { username: 'AWS', password },
          `AWS:${password}`,
        ]);
      },
    );
    fc.assert(property);
  });
});

describe('digest', () => {
  it('never changes for the same data', () => {
    expect(digest({ a: '1', b: '2' })).toBe('5f13efef7cdd95e7a0171a4cc6ef643955a42f10ad9dd98c6b2f1f4e6903f7f5');
  });

  it('does not depend on the order of keys', () => {
    const property = fc.property(fc.dictionary(fc.string(), fc.string()), (data) => {
      expect(digest(Object.fromEntries(Object.entries(data).reverse()))).toBe(digest(data));
    });
    fc.assert(property);
  });

  it('differs for different data', () => {
    const property = fc.property(
      fc.dictionary(fc.string(), fc.string()),
      fc.dictionary(fc.string(), fc.string()),
      (a, b) => {
        const same =
          Object.keys(a).length === Object.keys(b).length &&
          Object.entries(a).every(([key, value]) => Object.hasOwn(b, key) && b[key] === value);
        expect(digest(a) === digest(b)).toBe(same);
      },
    );
    fc.assert(property);
  });
});
