import { describe, expect, it } from '@jest/globals';
import { type EcrToken, type Issued, SecretValue } from '../../lib/api/credentials.ts';
import { lifeOf } from '../../lib/secrets/life.ts';

const secret = new SecretValue('x');
const life = (issuedAt: number, expiresAt: number) => ({ issuedAt, expiresAt });
const token = (issuedAt: number, expiresAt: number): EcrToken => ({
  username: 'AWS',
  password: secret,
  ...life(issuedAt, expiresAt),
});

/** What an issue gave: a session from 0 to `end`, and these registry tokens. */
function issued(end: number, ...tokens: EcrToken[]): Issued {
  const session = { accessKeyId: 'A', secretAccessKey: secret, sessionToken: secret, assumedRoleArn: 'arn' };
  return {
    session: { ...session, ...life(0, end) },
    logins: tokens.map((one, at) => ({ url: `registry-${at}`, token: one })),
    region: 'eu-west-1',
    roleArn: 'arn:aws:iam::123456789012:role/reader',
  };
}

describe('the life of a Secret', () => {
  it('is that of the session', () => {
    expect(lifeOf({ secretType: 'Map' }, issued(10))).toEqual(life(0, 10));
  });

  it('is that of the registry token which ends first where it holds nothing else', () => {
    const several = issued(10, token(1, 43), token(2, 42), token(3, 44));
    expect(lifeOf({ secretType: 'EcrDockerConfigJson' }, several)).toEqual(life(2, 42));
  });

  const tokens = [{ name: 'ecr', ecr: {} }];
  const withToken = (end: number, one: EcrToken): Issued => ({
    ...issued(end),
    tokens: [{ name: 'ecr', registry: 'host', token: one }],
  });

  it.each([
    ['a template names the token alone', 'Template', '${ecr.password}', life(1, 43)],
    ['a template names the token and the role', 'Template', '${ecr.password} ${roleArn}', life(1, 43)],
    ['a template names the session, too', 'Template', '${ecr.password} ${accessKeyId}', life(0, 10)],
    ['a template names the end of the session', 'Template', '${ecr.password} ${expiration}', life(0, 10)],
    ['the token stands beside the keys of a type', 'Map', '${ecr.password}', life(0, 10)],
  ] as const)('counts everything that it holds: %s', (_what, secretType, text, expected) => {
    const form = { secretType, template: { data: { a: text } }, tokens };
    expect(lifeOf(form, withToken(10, token(1, 43)))).toEqual(expected);
  });

  it('is that of a token that ends before the session', () => {
    const form = { secretType: 'Map', template: { data: { a: '${ecr.password}' } }, tokens } as const;
    expect(lifeOf(form, withToken(10, token(1, 9)))).toEqual(life(1, 9));
  });

  it('is that of the session where a template names nothing that ends', () => {
    expect(lifeOf({ secretType: 'Template', template: { data: { a: '${region}' } } }, issued(10))).toEqual(life(0, 10));
  });
});
