import { describe, expect, it } from '@jest/globals';
import { holdsRegistryToken, holdsSession } from '../../lib/api/contents.ts';
import type { SecretType } from '../../lib/api/secret-type.ts';

const tokens = [{ name: 'ecr', ecr: {} }];
const held = (secretType: SecretType, text?: string) => {
  const spec = { secretType, tokens, ...(text !== undefined && { template: { data: { a: text } } }) };
  return { session: holdsSession(spec), token: holdsRegistryToken(spec) };
};

describe('what a Secret holds', () => {
  it.each<[SecretType, string | undefined, ReturnType<typeof held>]>([
    ['Map', undefined, { session: true, token: false }],
    ['Process', '${region}', { session: true, token: false }],
    ['Env', '${ecr.auth}', { session: true, token: true }],
    ['EcrDockerConfigJson', undefined, { session: false, token: true }],
    ['Template', '${ecr.registry}', { session: false, token: true }],
    ['Template', '${ecr.password}${issuedAt}', { session: true, token: true }],
    ['Template', '$${ecr.password}', { session: true, token: false }],
  ])('of type %s with the template %j', (secretType, text, expected) => {
    expect(held(secretType, text)).toEqual(expected);
  });

  it('is told also of what may have been stored before the schema', () => {
    for (const garbage of [{}, 'x', 1, [null], [{}]]) {
      const spec = { secretType: 'Map', tokens: garbage, template: { data: { a: 1 } } } as never;
      expect([holdsSession(spec), holdsRegistryToken(spec)]).toEqual([true, false]);
    }
  });
});
