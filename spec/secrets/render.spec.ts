import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parse } from 'ini';
import { type AWSAssumeRoleSpec, withDefaults } from '../../lib/api/aws-assume-role.ts';
import { type EcrToken, type Issued, SecretValue } from '../../lib/api/credentials.ts';
import { type Include, writtenKeys } from '../../lib/api/output.ts';
import type { SecretType } from '../../lib/api/secret-type.ts';
import { digest, type Form, render } from '../../lib/secrets/render.ts';

const URL = '123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app';
const KEYS = { accessKeyId: 'ASIAEXAMPLE', secret: 'se+cr/et=', token: 'to+k/en==' };

function issued(values = KEYS, password = 'pass'): Issued {
  const times = { issuedAt: 0, expiresAt: 3_600_000 };
  const token: EcrToken = { username: 'AWS', password: new SecretValue(password), ...times };
  const session = {
    accessKeyId: values.accessKeyId,
    secretAccessKey: new SecretValue(values.secret),
    sessionToken: new SecretValue(values.token),
    assumedRoleArn: 'arn:aws:sts::123456789012:assumed-role/reader/x',
    ...times,
  };
  return {
    session,
    logins: [{ url: URL, token }],
    region: 'eu-west-1',
    roleArn: 'arn:aws:iam::123456789012:role/reader',
  };
}

/** What an object of this type asks for, with these fields. */
function form(secretType: SecretType, fields: Partial<AWSAssumeRoleSpec> = {}): Form {
  return withDefaults({ roleName: 'reader', secretName: 'aws', secretType, ...fields });
}

describe('render', () => {
  it('Map: exactly the three legacy keys', () => {
    expect(render(form('Map'), issued())).toEqual({
      type: 'Opaque',
      data: { awsAccessKeyId: 'ASIAEXAMPLE', awsSecretAccessKey: 'se+cr/et=', awsSessionToken: 'to+k/en==' },
    });
  });

  it('File: byte for byte the legacy file', () => {
    expect(render(form('File'), issued())).toEqual({
      type: 'Opaque',
      data: {
        credentials:
          '[default]\naws_access_key_id=ASIAEXAMPLE\naws_secret_access_key=se+cr/et=\naws_session_token=to+k/en==',
      },
    });
  });

  it('Env: the variables that AWS SDKs read', () => {
    expect(render(form('Env'), issued())).toEqual({
      type: 'Opaque',
      data: { AWS_ACCESS_KEY_ID: 'ASIAEXAMPLE', AWS_SECRET_ACCESS_KEY: 'se+cr/et=', AWS_SESSION_TOKEN: 'to+k/en==' },
    });
  });

  it('Process: what a credential_process prints, and the file that names it', () => {
    expect(render(form('Process'), issued())).toEqual({
      type: 'Opaque',
      data: {
        'credentials.json':
          '{"Version":1,"AccessKeyId":"ASIAEXAMPLE","SecretAccessKey":"se+cr/et=","SessionToken":"to+k/en==","Expiration":"1970-01-01T01:00:00Z"}',
        config: '[default]\ncredential_process=cat /.aws/credentials.json',
      },
    });
  });

  it('EcrDockerConfigJson: the URL verbatim, with auth', () => {
    expect(render(form('EcrDockerConfigJson'), issued())).toEqual({
      type: 'kubernetes.io/dockerconfigjson',
      data: { '.dockerconfigjson': `{"auths":{"${URL}":{"username":"AWS","password":"pass","auth":"QVdTOnBhc3M="}}}` },
    });
  });

  it('EcrDockerConfigJson without a registry is refused', () => {
    const { logins: _, ...none } = issued();
    expect(() => render(form('EcrDockerConfigJson'), none)).toThrow(expect.objectContaining({ code: 'InvalidSpec' }));
  });

  it('of more registries than a Secret may hold is refused under their field', () => {
    const { logins, ...rest } = issued();
    const login = (logins ?? [])[0] as NonNullable<typeof logins>[number];
    const many = Array.from({ length: 400 }, (_, at) => ({ ...login, url: `${at}.${'h'.repeat(2_800)}` }));
    expect(() => render(form('EcrDockerConfigJson'), { ...rest, logins: many })).toThrow(
      expect.objectContaining({
        code: 'InvalidSpec',
        message: expect.stringMatching(
          /^spec.ecr.registries makes the Secret \d+ bytes large, .* name fewer registries/,
        ),
      }),
    );
  });
});

describe('output', () => {
  const data = (secretType: SecretType, output: NonNullable<AWSAssumeRoleSpec['output']>) =>
    render(form(secretType, { output }), issued()).data;

  it('renames the keys that it names, and no others', () => {
    expect(data('Map', { keys: { awsAccessKeyId: 'id', awsSessionToken: 'token' } })).toEqual({
      id: 'ASIAEXAMPLE',
      awsSecretAccessKey: 'se+cr/et=',
      token: 'to+k/en==',
    });
  });

  it('names the profile in every file', () => {
    const { credentials, config } = data('File', { profile: 'backup', include: ['config'] });
    expect(parse(credentials ?? '')).toEqual({ backup: expect.objectContaining({ aws_access_key_id: 'ASIAEXAMPLE' }) });
    expect(config).toBe('[profile backup]\nregion=eu-west-1');
  });

  it('has the command print the file where it is mounted, under its new name', () => {
    const output = { keys: { 'credentials.json': 'c.json', config: 'c' }, mountPath: '/run/aws', profile: 'x' };
    expect(data('Process', { ...output, include: ['config'] })).toEqual({
      'c.json': expect.stringContaining('"AccessKeyId":"ASIAEXAMPLE"'),
      c: '[profile x]\ncredential_process=cat /run/aws/c.json\nregion=eu-west-1',
    });
  });

  it.each<[SecretType, Record<string, string>]>([
    ['Map', { expiration: '1970-01-01T01:00:00Z', region: 'eu-west-1', roleArn: issued().roleArn }],
    ['File', { expiration: '1970-01-01T01:00:00Z', region: 'eu-west-1', roleArn: issued().roleArn }],
    ['Process', { expiration: '1970-01-01T01:00:00Z', region: 'eu-west-1', roleArn: issued().roleArn }],
    [
      'Env',
      {
        AWS_CREDENTIAL_EXPIRATION: '1970-01-01T01:00:00Z',
        AWS_REGION: 'eu-west-1',
        AWS_DEFAULT_REGION: 'eu-west-1',
        AWS_ROLE_ARN: issued().roleArn,
      },
    ],
  ])('adds what is included to %s, beside its own keys', (secretType, added) => {
    expect(data(secretType, { include: ['expiration', 'region', 'roleArn'] })).toEqual({
      ...data(secretType, {}),
      ...added,
    });
  });

  it('writes the keys that the rules of the schema know of', () => {
    const types = fc.constantFrom<SecretType>('Map', 'File', 'Env', 'Process');
    const include = fc.uniqueArray(fc.constantFrom<Include>('expiration', 'region', 'roleArn', 'config'));
    const property = fc.property(types, include, (secretType, wanted) => {
      const spec = form(secretType, { output: { include: wanted } });
      expect(Object.keys(render(spec, issued()).data).sort()).toEqual(writtenKeys(secretType, spec.output).sort());
    });
    fc.assert(property);
  });
});

describe('template', () => {
  const data = (secretType: SecretType, template: Record<string, string>, values?: typeof KEYS) =>
    render(form(secretType, { template: { data: template } }), issued(values)).data;

  it('gives exactly its keys for type Template, every name replaced', () => {
    const names =
      'accessKeyId secretAccessKey sessionToken expiration expirationUnix issuedAt region roleArn accountId';
    const text = names.replaceAll(/\w+/g, '${$&}');
    expect(data('Template', { all: text, 'a.json': '{"key": "$${x} ${accessKeyId}"}\n' })).toEqual({
      all: `ASIAEXAMPLE se+cr/et= to+k/en== 1970-01-01T01:00:00Z 3600 1970-01-01T00:00:00Z eu-west-1 ${issued().roleArn} 123456789012`,
      'a.json': '{"key": "${x} ASIAEXAMPLE"}\n',
    });
  });

  it('knows each field of a token', () => {
    const names = ['username', 'password', 'auth', 'registry', 'expiration'].map((field) => `\${ecr.${field}}`);
    const tokens = (issued().logins ?? []).map(({ token }) => ({ name: 'ecr', registry: 'host', token }));
    const spec = form('Template', { template: { data: { all: names.join(' ') } } });
    expect(render(spec, { ...issued(), tokens }).data).toEqual({
      all: 'AWS pass QVdTOnBhc3M= host 1970-01-01T01:00:00Z',
    });
  });

  it('adds its keys to those of another type', () => {
    expect(data('Env', { CREDS: '${accessKeyId}:${secretAccessKey}' })).toEqual({
      ...data('Env', {}),
      CREDS: 'ASIAEXAMPLE:se+cr/et=',
    });
  });

  it('is refused where it gives more than a Secret may hold', () => {
    const many = Object.fromEntries(Array.from({ length: 32 }, (_, at) => [`k${at}`, '${sessionToken}'.repeat(128)]));
    const long = { ...KEYS, token: 't'.repeat(256) };
    expect(Object.keys(data('Template', many, long))).toHaveLength(32);
    expect(() => data('Template', { ...many, more: 'x' }, long)).toThrow(
      expect.objectContaining({
        code: 'InvalidSpec',
        consequence: 'stop',
        message:
          'spec.template.data makes the Secret 1048577 bytes large, more than the 1048576 that Kubernetes takes; use fewer names or templates',
      }),
    );
  });

  it('is refused where a value would break out of its line; the error has the name alone', () => {
    const write = () => data('Template', { a: '${sessionToken}' }, { ...KEYS, token: 'VAL\nUE' });
    expect(write).toThrow(expect.objectContaining({ code: 'InvalidCredentials' }));
    expect(write).toThrow('sessionToken');
    expect(write).not.toThrow('VAL');
  });
});

describe('a control character', () => {
  const control = fc.constantFrom('\n', '\r', '\t', '\0', '\u001b', '\u007f', '\u0085', '\u2028', '\u2029');
  const field = fc.constantFrom(...(['accessKeyId', 'secret', 'token'] as const));
  const names = { accessKeyId: 'aws_access_key_id', secret: 'aws_secret_access_key', token: 'aws_session_token' };

  it('in any value of a File is refused; the error names the field and not the value', () => {
    const property = fc.property(field, control, fc.nat(6), (name, character, at) => {
      const value = `VAL${KEYS[name].slice(0, at)}${character}UE`;
      const write = () => render(form('File'), issued({ ...KEYS, [name]: value }));
      expect(write).toThrow(expect.objectContaining({ code: 'InvalidCredentials', consequence: 'stop' }));
      expect(write).toThrow(names[name]);
      expect(write).not.toThrow('VAL');
    });
    fc.assert(property);
  });
});

describe('what was written', () => {
  it('reads back from a docker config whatever URL and password', () => {
    const property = fc.property(
      fc.string({ minLength: 1 }),
      fc.string({ unit: 'binary', minLength: 1 }),
      (url, password) => {
        const { logins = [], ...rest } = issued(KEYS, password);
        const written = { ...rest, logins: logins.map((login) => ({ ...login, url })) };
        const { data } = render(form('EcrDockerConfigJson'), written);
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
