import { describe, expect, it } from '@jest/globals';
import type { WantedLogin } from '../../lib/credentials/registries.ts';
import { repositoryPolicy } from '../../lib/credentials/repository-policy.ts';

const ROLE = 'arn:aws-cn:iam::111122223333:role/app';
const login = (url: string, accountId = '111122223333'): WantedLogin => ({
  url,
  source: { kind: 'private', accountId, region: 'cn-north-1' },
});
const allow = (Action: string[], Resource: string | string[]) => ({ Effect: 'Allow', Action, Resource });
const publicTokens = ['ecr-public:GetAuthorizationToken', 'sts:GetServiceBearerToken'];

describe('repositoryPolicy', () => {
  it('allows tokens, and to pull from each repository that is named', () => {
    const logins = [
      login('host.cn/team/web:1.0'),
      login('https://host.cn:443/team/web@sha256:00/'),
      login('h/x', '444455556666'),
    ];
    const policy = repositoryPolicy([...logins, { url: 'public.ecr.aws/a', source: { kind: 'public' } }], ROLE);
    expect(JSON.parse(policy)).toEqual({
      Version: '2012-10-17',
      Statement: [
        allow(['ecr:GetAuthorizationToken', ...publicTokens], '*'),
        allow(
          ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
          [
            'arn:aws-cn:ecr:cn-north-1:111122223333:repository/team/web',
            'arn:aws-cn:ecr:cn-north-1:444455556666:repository/x',
          ],
        ),
      ],
    });
  });

  it('allows nothing of private registries where only ECR Public is named', () => {
    const policy = repositoryPolicy([{ url: 'public.ecr.aws/a', source: { kind: 'public' } }], ROLE);
    expect(JSON.parse(policy)).toEqual({ Version: '2012-10-17', Statement: [allow(publicTokens, '*')] });
  });

  it('is refused where it is longer than STS takes', () => {
    const many = Array.from({ length: 40 }, (_, at) => login(`host/team/repository-${at}`));
    expect(() => repositoryPolicy(many, ROLE)).toThrow(
      expect.objectContaining({
        code: 'InvalidSpec',
        consequence: 'stop',
        message: expect.stringMatching(/session policy of \d{4} characters, and STS takes 2048; name fewer/),
      }),
    );
    expect(repositoryPolicy(many.slice(0, 20), ROLE).length).toBeLessThanOrEqual(2048);
  });
});
