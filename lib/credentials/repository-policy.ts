import { repositoryIn } from '../api/ecr-host.ts';
import { partitionOf } from '../api/role-arn.ts';
import { RolevendError } from '../errors.ts';
import type { WantedLogin } from './registries.ts';

/** Longest session policy that STS takes, in characters. */
const MAX_CHARACTERS = 2048;

const PULL = ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'];

/**
 * The session policy of `ecr.restrictToRepositories`: tokens, and pulling from the repositories that the logins name.
 * Images of ECR Public need no permission but that of the token.
 * @throws RolevendError `InvalidSpec` (stop) where it is longer than STS takes
 */
export function repositoryPolicy(logins: readonly WantedLogin[], roleArn: string): string {
  const partition = partitionOf(roleArn);
  const repositories = logins.flatMap(({ url, source }) =>
    source.kind === 'public'
      ? []
      : [`arn:${partition}:ecr:${source.region}:${source.accountId}:repository/${repositoryIn(url)}`],
  );
  const isPublic = logins.some(({ source }) => source.kind === 'public');
  const tokens = [
    ...(repositories.length > 0 ? ['ecr:GetAuthorizationToken'] : []),
    ...(isPublic ? ['ecr-public:GetAuthorizationToken', 'sts:GetServiceBearerToken'] : []),
  ];
  const policy = JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Allow', Action: tokens, Resource: '*' },
      ...(repositories.length > 0 ? [{ Effect: 'Allow', Action: PULL, Resource: [...new Set(repositories)] }] : []),
    ],
  });
  if (policy.length <= MAX_CHARACTERS) return policy;
  const message = `spec.ecr.restrictToRepositories makes a session policy of ${policy.length} characters, and STS takes ${MAX_CHARACTERS}; name fewer repositories, or leave it out`;
  throw new RolevendError(message, { code: 'InvalidSpec', consequence: 'stop' });
}
