import { describe, expect, it } from '@jest/globals';
import type { AWSAssumeRoleSpec } from '../../lib/api/aws-assume-role.ts';
import { withDefaults } from '../../lib/api/aws-assume-role.ts';
import { matchRegion, namedRegions } from '../../lib/credentials/grant-regions.ts';
import { wantedLogins, wantedTokens } from '../../lib/credentials/registries.ts';

const OWN = 'eu-west-1';
const host = (region: string) => `111122223333.dkr.ecr.${region}.amazonaws.com`;
const template = { data: { key: '${one.password} ${two.password}' } };
const base = { roleName: 'reader', secretName: 's', secretType: 'Map' } as const;
const specOf = (change: Partial<AWSAssumeRoleSpec>): AWSAssumeRoleSpec => ({ ...base, ...change });
const pulling = { secretType: 'EcrDockerConfigJson' } as const;

describe('the Regions that an object names', () => {
  it.each<[string, Partial<AWSAssumeRoleSpec>, [string, string][]]>([
    ["none: the operator's own", {}, [['spec.region', OWN]]],
    ['its own', { region: 'eu-west-2' }, [['spec.region', 'eu-west-2']]],
    [
      'the host of its registry',
      { ...pulling, ecrRepositoryUrl: `https://${host('us-east-2')}/team-a` },
      [
        ['spec.region', OWN],
        ['spec.ecrRepositoryUrl', 'us-east-2'],
      ],
    ],
    ['a registry that nothing reads', { ecrRepositoryUrl: host('us-east-2') }, [['spec.region', OWN]]],
    [
      'the host of a mirror, which tells none',
      { ...pulling, ecrRepositoryUrl: 'mirror.example.com' },
      [['spec.region', OWN]],
    ],
    [
      'ECR Public',
      { ...pulling, ecrRepositoryUrl: 'public.ecr.aws' },
      [
        ['spec.region', OWN],
        ['spec.ecrRepositoryUrl', 'us-east-1'],
      ],
    ],
    [
      'registries in every way',
      {
        ...pulling,
        ecr: {
          registries: [
            { accountId: '111122223333' },
            {
              accountId: '111122223333',
              region: 'us-west-1',
              urls: ['mirror.example.com', host('us-west-2'), 'public.ecr.aws'],
            },
            { public: true },
          ],
        },
      },
      [
        ['spec.region', OWN],
        ['spec.ecr.registries[1].region', 'us-west-1'],
        ['spec.ecr.registries[1].urls[1]', 'us-west-2'],
        ['spec.ecr.registries[1].urls[2]', 'us-east-1'],
        ['spec.ecr.registries[2].public', 'us-east-1'],
      ],
    ],
    [
      'tokens that a template uses',
      {
        template,
        tokens: [
          { name: 'one', ecr: { region: 'us-east-2' } },
          { name: 'two', ecr: { public: true } },
          { name: 'unused', ecr: { region: 'us-west-1' } },
        ],
      },
      [
        ['spec.region', OWN],
        ['spec.tokens[0].ecr.region', 'us-east-2'],
        ['spec.tokens[1].ecr.public', 'us-east-1'],
      ],
    ],
  ])('%s', (_what, change, expected) => {
    const spec = specOf(change);
    expect(namedRegions(spec, OWN).map(({ field, region }) => [field, region])).toEqual(expected);
    const home = { roleArn: 'arn:aws:iam::111122223333:role/reader', region: spec.region ?? OWN };
    const resolved = withDefaults(spec);
    const called = [...wantedLogins(resolved, home), ...wantedTokens(resolved, home)].map(({ source }) =>
      source.kind === 'public' ? 'us-east-1' : source.region,
    );
    expect(expected.map(([, region]) => region)).toEqual(expect.arrayContaining(called));
  });
});

describe('a pattern of Regions', () => {
  it.each([
    ['eu-west-1', 'eu-west-1', true],
    ['eu-west-1', 'eu-west-10', false],
    ['eu-*-*', 'eu-central-2', true],
    ['us-*-*', 'us-gov-west-1', false],
    ['us-gov-*-*', 'us-gov-west-1', true],
    ['us-gov-*-*', 'us-east-1', false],
    ['*-*-*', 'ap-southeast-5', true],
    ['eu-*west-1', 'eu-northwest-1', true],
    ['eu-*west-1', 'eu-north-west-1', false],
  ])('%s and %s: %s', (pattern, region, expected) => {
    expect(matchRegion(pattern, region)).toBe(expected);
  });
});
