import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { AWSAssumeRoleSpec } from '../../lib/api/aws-assume-role.ts';
import { canonicalJson, type HashInput, inputHash, specHash } from '../../lib/credentials/input-hash.ts';

const caller = { partition: 'aws', accountId: '123456789012', role: 'operator' };
const spec: AWSAssumeRoleSpec = { roleName: 'reader', secretName: 'aws', secretType: 'Map' };
const base: HashInput = { spec, terms: {}, caller };

describe('inputHash', () => {
  // Golden values: they stand in the Secrets of every installation. A change here renews all of them at once.
  it.each([
    ['a short spec', base, 'v1:94ca56bb775718eace32e0ff672a54c2a413ff4510cbc2c8bf3f7c5f531455a5'],
    [
      'every field',
      {
        spec: {
          roleArn: 'arn:aws:iam::210987654321:role/x',
          durationSeconds: 3600,
          secretName: 'aws',
          secretType: 'EcrDockerConfigJson',
          ecrRepositoryUrl: '123456789012.dkr.ecr.eu-west-1.amazonaws.com',
          region: 'eu-west-1',
          externalId: 'ext-1',
          sessionName: 'mine',
        },
        terms: { maxDurationSeconds: 1800 },
        caller: { partition: 'aws', accountId: '123456789012' },
      } satisfies HashInput,
      'v1:e41aee0e2a8f70deb61c8dd40d98c1f01e82a77542413aa025535d0f5af4fa18',
    ],
  ])('of %s never changes', (_what, input, hash) => {
    expect(inputHash(input)).toBe(hash);
  });

  it.each<[string, Partial<AWSAssumeRoleSpec>]>([
    ['suspend', { suspend: true }],
    ['metadata', { metadata: { labels: { a: 'b' } } }],
    ['refresh', { refresh: { percent: 50 } }],
    ['deletionPolicy', { deletionPolicy: 'Retain' }],
    ['onExpiry', { onExpiry: 'Scrub' }],
    ['rolloutRestart', { rolloutRestart: { targets: [{ kind: 'Deployment', name: 'web' }] } }],
    ['adoption', { adoption: 'IfUnowned' }],
    ['secretName', { secretName: 'other' }],
  ])('does not depend on %s', (_field, change) => {
    expect(inputHash({ ...base, spec: { ...spec, ...change } })).toBe(inputHash(base));
  });

  it.each<[string, Partial<HashInput>]>([
    ['roleName', { spec: { ...spec, roleName: 'writer' } }],
    ['durationSeconds', { spec: { ...spec, durationSeconds: 900 } }],
    ['secretType', { spec: { ...spec, secretType: 'File' } }],
    ['ecrRepositoryUrl', { spec: { ...spec, ecrRepositoryUrl: 'x' } }],
    ['region', { spec: { ...spec, region: 'eu-west-2' } }],
    ['tokens', { spec: { ...spec, tokens: [{ name: 'ecr', ecr: {} }] } }],
    ['ecr', { spec: { ...spec, ecr: { registries: [{}] } } }],
    ['template', { spec: { ...spec, template: { data: { a: 'x' } } } }],
    ['output', { spec: { ...spec, output: { profile: 'x' } } }],
    ['externalId', { spec: { ...spec, externalId: 'e1' } }],
    ['sessionName', { spec: { ...spec, sessionName: 'mine' } }],
    ['chain', { spec: { ...spec, chain: [{ roleArn: 'arn:aws:iam::123456789012:role/hop' }] } }],
    ['auth', { spec: { ...spec, auth: { type: 'ServiceAccount', serviceAccountRef: { name: 'app' } } } }],
    ['sourceIdentity', { spec: { ...spec, sourceIdentity: 'jane' } }],
    ['sessionPolicy', { spec: { ...spec, sessionPolicy: '{}' } }],
    ['policyArns', { spec: { ...spec, policyArns: ['arn:aws:iam::aws:policy/p'] } }],
    ['sessionTags', { spec: { ...spec, sessionTags: { team: 'a' } } }],
    ['transitiveTagKeys', { spec: { ...spec, transitiveTagKeys: ['team'] } }],
    ['the grants', { terms: { maxDurationSeconds: 900 } }],
    ['a source identity that grants derive', { terms: { sourceIdentity: 'rolevend-a.b' } }],
    ['the account', { caller: { ...caller, accountId: '210987654321' } }],
    ['the partition', { caller: { ...caller, partition: 'aws-cn' } }],
    ["the operator's role", { caller: { ...caller, role: 'another' } }],
  ])('depends on %s', (_what, change) => {
    expect(inputHash({ ...base, ...change })).not.toBe(inputHash(base));
  });

  it("does not depend on the name of the operator's session", () => {
    const session = (name: string) => ({ ...caller, arn: `arn:aws:sts::123456789012:assumed-role/operator/${name}` });
    expect(inputHash({ ...base, caller: session('one') })).toBe(inputHash({ ...base, caller: session('two') }));
  });
});

describe('specHash', () => {
  it('of a spec never changes either', () => {
    expect(specHash(spec)).toBe('f807221b7bfc70f2ec95860b7eb5ea6a24b664b84c74ae8c92298adc1bb6252e');
  });
});

describe('canonicalJson', () => {
  it('is the same whatever the order of keys', () => {
    const property = fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
      const reversed = Object.fromEntries(Object.entries(value).reverse());
      expect(canonicalJson(reversed)).toBe(canonicalJson(value));
    });
    fc.assert(property);
  });

  it('sorts inner objects, keeps arrays and leaves out what is undefined', () => {
    expect(canonicalJson({ b: [2, { d: 1, c: undefined, a: 0 }], a: null })).toBe('{"a":null,"b":[2,{"a":0,"d":1}]}');
  });
});
