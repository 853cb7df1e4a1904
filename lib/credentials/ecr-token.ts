import type { EcrToken, Session } from '../api/credentials.ts';
import type { Ecr } from '../aws/ecr.ts';
import type { IssueRequest } from './request.ts';

/** The registry token that the request asks for, made with the vended session; undefined when it asks for none. */
export async function ecrToken(
  ecr: Pick<Ecr, 'authorizationToken'>,
  request: IssueRequest,
  session: Session,
  signal?: AbortSignal,
): Promise<EcrToken | undefined> {
  if (request.ecrRegion === undefined) return undefined;
  return ecr.authorizationToken({ session, region: request.ecrRegion, roleArn: request.roleArn }, signal);
}
