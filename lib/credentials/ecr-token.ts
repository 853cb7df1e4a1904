import type { EcrToken, Session } from '../api/credentials.ts';
import { PUBLIC_REGION } from '../api/ecr-host.ts';
import { accountOf } from '../api/role-arn.ts';
import type { Ecr } from '../aws/ecr.ts';
import { bucketName } from '../aws/rate.ts';
import { sessionPayer } from './chain.ts';
import { sourceKey, type TokenSource } from './registries.ts';
import type { IssueRequest } from './request.ts';

/** The distinct sources of tokens that the request names: one call for each account and Region. */
export function tokenSources({ logins, tokens }: Pick<IssueRequest, 'logins' | 'tokens'>): TokenSource[] {
  const byKey = new Map([...logins, ...tokens].map(({ source }) => [sourceKey(source), source]));
  return [...byKey.values()];
}

/**
 * The rate bucket of the call that fetches a token: that of the role whose session signs it, so that nobody waits for what
 * another role is throttled for. ECR Public is a service of its own.
 */
export function tokenBucket(roleArn: string, source: TokenSource): string {
  const payer = sessionPayer(roleArn);
  return source.kind === 'public'
    ? bucketName(payer, PUBLIC_REGION, 'ecr-public:GetAuthorizationToken')
    : bucketName(payer, source.region, 'GetAuthorizationToken');
}

/** One registry token, made with the vended session. Throws as `Ecr` does. */
export function ecrToken(
  ecr: Pick<Ecr, 'authorizationToken' | 'publicAuthorizationToken'>,
  { roleArn }: Pick<IssueRequest, 'roleArn'>,
  source: TokenSource,
  session: Session,
  signal?: AbortSignal,
): Promise<EcrToken> {
  if (source.kind === 'public') return ecr.publicAuthorizationToken({ session, roleArn }, signal);
  const { region, accountId } = source;
  // The role's own registry needs no name.
  const other = accountId === accountOf(roleArn) ? undefined : accountId;
  return ecr.authorizationToken({ session, region, roleArn, ...(other !== undefined && { accountId: other }) }, signal);
}
