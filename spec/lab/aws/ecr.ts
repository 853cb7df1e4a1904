import { randomBytes } from 'node:crypto';
import type { Answer, Call } from './call.ts';
import type { CallRecord, IssuedEcrToken } from './records.ts';
import { Refusal } from './refusal.ts';
import type { GatewayParts } from './sessions.ts';
import { verifySignature } from './signature.ts';
import { parseArn } from './upstream.ts';

const ECR_TOKEN_SECONDS = 12 * 3600;

/** ecr:GetAuthorizationToken: ministack decides whether the caller may, the token is ours, a fresh one each time. */
export async function ecrAuthorizationToken(call: Call, record: CallRecord, parts: GatewayParts): Promise<Answer> {
  const answer = await parts.upstream.send(call);
  if (answer.status !== 200) return asJson11(answer, record);
  const given = JSON.parse(answer.body.toString()) as { authorizationData: Record<string, unknown>[] };
  const asked = registryIds(call);
  const accounts = asked.length > 0 ? asked : [parseArn(record.caller ?? '').accountId];
  const authorizationData = accounts.map((accountId) => ({
    ...given.authorizationData[0],
    ...issue(call, 'ecr', accountId, parts),
    proxyEndpoint: `https://${accountId}.dkr.ecr.${call.region}.amazonaws.com`,
  }));
  return { ...answer, body: Buffer.from(JSON.stringify({ authorizationData })) };
}

/** ecr-public:GetAuthorizationToken, which ministack does not know: checked and answered here. It exists in us-east-1 only. */
export async function ecrPublicAuthorizationToken(
  call: Call,
  record: CallRecord,
  parts: GatewayParts,
): Promise<Answer> {
  const secret = parts.records.secretOf(call.accessKeyId ?? '');
  const session = parts.records.sessions.get(call.accessKeyId ?? '');
  const token = call.headers['x-amz-security-token'];
  if (secret === undefined || session?.sessionToken !== token) {
    throw new Refusal('InvalidClientTokenId', 'The security token included in the request is invalid.');
  }
  if (!verifySignature(call, secret)) {
    throw new Refusal(
      'SignatureDoesNotMatch',
      'The request signature we calculated does not match the signature you provided.',
    );
  }
  for (const action of ['ecr-public:GetAuthorizationToken', 'sts:GetServiceBearerToken']) {
    if (!(await parts.upstream.allows(record.caller ?? '', action))) throw deniedByIdentity(record, action);
  }
  const authorizationData = issue(call, 'ecr-public', parseArn(record.caller ?? '').accountId, parts);
  return {
    status: 200,
    headers: { 'content-type': 'application/x-amz-json-1.1' },
    body: Buffer.from(JSON.stringify({ authorizationData })),
  };
}

function issue(call: Call, service: IssuedEcrToken['service'], accountId: string, parts: GatewayParts) {
  const issuedAt = parts.now();
  const expiresAt = issuedAt + (parts.lifetimes.ecrTokenSeconds ?? ECR_TOKEN_SECONDS) * 1000;
  const password = randomBytes(1200).toString('base64');
  const { region, accessKeyId = '' } = call;
  parts.records.ecrTokens.push({ password, service, accountId, region, accessKeyId, issuedAt, expiresAt });
  return { authorizationToken: Buffer.from(`AWS:${password}`).toString('base64'), expiresAt: expiresAt / 1000 };
}

function registryIds(call: Call): string[] {
  const input = JSON.parse(call.body.toString() || '{}') as { registryIds?: string[] };
  return input.registryIds ?? [];
}

function deniedByIdentity(record: CallRecord, action: string): Refusal {
  const reason = `because no identity-based policy allows the ${action} action`;
  const message = `User: ${record.caller} is not authorized to perform: ${action} on resource: * ${reason}`;
  return new Refusal('AccessDenied', message);
}

/** ministack denies with HTTP 403 and without the resource; ECR's protocol has 400 for every client error. */
function asJson11(answer: Answer, record: CallRecord): Answer {
  const error = JSON.parse(answer.body.toString()) as { __type?: string };
  if (error.__type !== 'AccessDeniedException') return answer;
  const message = deniedByIdentity(record, 'ecr:GetAuthorizationToken').message;
  const headers = { ...answer.headers, 'content-type': 'application/x-amz-json-1.1' };
  return { status: 400, headers, body: Buffer.from(JSON.stringify({ ...error, message })) };
}
