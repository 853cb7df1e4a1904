import type { JWTPayload } from 'jose';
import { type Answer, type Call, members } from './call.ts';
import type { CallRecord, IssuedTriple } from './records.ts';
import { errorCode, Refusal } from './refusal.ts';
import { type GatewayParts, packedPolicySize, recordSession, rewriteSession } from './sessions.ts';
import { signAgain, verifySignature } from './signature.ts';
import { trustsSourceIdentity } from './trust.ts';
import { parseArn, type RoleFacts } from './upstream.ts';
import { issuerOf } from './web-identity.ts';
import { setXml } from './xml.ts';

const DEFAULT_SECONDS = 3600;
const CHAINED_SECONDS = 3600;

/** Codes after which AWS does not look at the parameters, since it does not know who asks. */
const unauthenticated = new Set([
  'ExpiredToken',
  'IncompleteSignature',
  'InvalidClientTokenId',
  'MissingAuthenticationToken',
  'SignatureDoesNotMatch',
]);

/** AssumeRole: ministack decides on signature, identity policy and trust policy, the rest of AWS's rules stands here. */
export async function assumeRole(call: Call, record: CallRecord, parts: GatewayParts): Promise<Answer> {
  const base = parts.records.sessions.get(call.accessKeyId ?? '');
  const answer = await parts.upstream.send(withInheritedTags(call, base, parts));
  const code = errorCode(answer);
  if (code !== undefined && unauthenticated.has(code)) return answer;
  checkShape(call.params);
  if (code !== undefined) return inFullWords(answer, code, record);
  const role = await parts.upstream.role(record.role ?? '');
  if (role === undefined) throw denied(record, 'sts:AssumeRole');
  const tags = { ...base?.transitiveTags, ...requestedTags(call.params) };
  if (Object.keys(tags).length > 0) await checkIdentityPolicy(record, 'sts:TagSession', parts);
  const sourceIdentity = await checkSourceIdentity(call, record, role, base, parts);
  const seconds = grantedSeconds(call.params, role, base?.roleArn !== undefined);
  const packed = packedPolicySize({ ...packedParts(call.params), tags });
  const terms = { seconds, roleArn: role.arn, caller: record.caller, sourceIdentity };
  const session = recordSession(answer, record, { ...terms, transitiveTags: transitive(call.params, base) }, parts);
  return rewriteSession(answer, session, packed);
}

/** AssumeRoleWithWebIdentity: the token is verified here, the trust policy by ministack. */
export async function assumeRoleWithWebIdentity(call: Call, record: CallRecord, parts: GatewayParts): Promise<Answer> {
  checkShape(call.params);
  const token = call.params.get('WebIdentityToken') ?? '';
  parts.records.webIdentityTokens.push(token);
  const issuer = issuerOf(token);
  const provider = await parts.upstream.provider(parseArn(record.role ?? '').accountId, issuer);
  if (provider === undefined) {
    throw new Refusal('InvalidIdentityToken', `No OpenIDConnect provider found in your account for ${issuer}`);
  }
  const claims = await parts.identities.verify(token, provider.clientIds);
  record.caller = claims.sub ?? '';
  const audience = [claims.aud].flat().find((one) => one !== undefined && provider.clientIds.includes(one)) ?? '';
  const answer = await parts.upstream.send(withClaims(call, { ...claims, aud: audience }));
  if (answer.status !== 200) return answer;
  const role = await parts.upstream.role(record.role ?? '');
  if (role === undefined) throw new Refusal('AccessDenied', 'Not authorized to perform sts:AssumeRoleWithWebIdentity');
  const packed = packedPolicySize(packedParts(call.params));
  const terms = { seconds: grantedSeconds(call.params, role, false), roleArn: role.arn, caller: claims.sub };
  const rewritten = rewriteSession(answer, recordSession(answer, record, terms, parts), packed);
  return withTokenFacts(rewritten, claims.sub ?? '', audience, provider.arn);
}

/** Any other STS action: what it issues is recorded. */
export async function otherSts(call: Call, record: CallRecord, parts: GatewayParts): Promise<Answer> {
  const answer = await parts.upstream.send(call);
  if (answer.status !== 200 || !answer.body.includes('<SessionToken>')) return answer;
  const seconds = Number(call.params.get('DurationSeconds') ?? 43_200);
  const terms = { seconds, roleArn: undefined, caller: record.caller };
  return rewriteSession(answer, recordSession(answer, record, terms, parts), 0);
}

/** Transitive tags of the base session belong to the request; ministack gets to see them, so that it asks for sts:TagSession. */
function withInheritedTags(call: Call, base: IssuedTriple | undefined, parts: GatewayParts): Call {
  const inherited = Object.entries(base?.transitiveTags ?? {});
  if (base === undefined || inherited.length === 0 || !verifySignature(call, base.secretAccessKey)) return call;
  const params = new URLSearchParams(call.body.toString());
  let index = members(params, 'Tags').length;
  for (const [key, value] of inherited) {
    index += 1;
    params.set(`Tags.member.${index}.Key`, key);
    params.set(`Tags.member.${index}.Value`, value);
  }
  return signAgain(call, base.secretAccessKey, { body: Buffer.from(params.toString()), at: parts.upstream.now() });
}

/**
 * The call with these claims in its token. ministack does not verify it, and cannot compare a condition with a list,
 * as which Kubernetes always writes the audience.
 */
function withClaims(call: Call, claims: JWTPayload): Call {
  const params = new URLSearchParams(call.body.toString());
  const [header = ''] = (params.get('WebIdentityToken') ?? '').split('.');
  const payload = Buffer.from(JSON.stringify(claims)).toString('base64url');
  params.set('WebIdentityToken', `${header}.${payload}.verified`);
  return { ...call, body: Buffer.from(params.toString()) };
}

function checkShape(params: URLSearchParams): void {
  const seconds = params.get('DurationSeconds');
  if (seconds !== null && Number(seconds) < 900) {
    throw constraint(seconds, 'durationSeconds', 'Member must have value greater than or equal to 900');
  }
  if (seconds !== null && Number(seconds) > 43_200) {
    throw constraint(seconds, 'durationSeconds', 'Member must have value less than or equal to 43200');
  }
  checkText(params, 'RoleSessionName', 2, 64);
  if (params.has('SourceIdentity')) checkText(params, 'SourceIdentity', 2, 64);
  if (params.has('ExternalId')) checkText(params, 'ExternalId', 2, 1224, ':/');
}

function checkText(params: URLSearchParams, name: string, least: number, most: number, also = ''): void {
  const value = params.get(name) ?? '';
  const field = name.charAt(0).toLowerCase() + name.slice(1);
  if (!new RegExp(`^[\\w+=,.@${also}-]*$`).test(value)) {
    throw constraint(value, field, `Member must satisfy regular expression pattern: [\\w+=,.@${also}-]*`);
  }
  if (value.length < least) {
    throw constraint(value, field, `Member must have length greater than or equal to ${least}`);
  }
  if (value.length > most) throw constraint(value, field, `Member must have length less than or equal to ${most}`);
}

function constraint(value: string, field: string, text: string): Refusal {
  const message = `1 validation error detected: Value '${value}' at '${field}' failed to satisfy constraint: ${text}`;
  return new Refusal('ValidationError', message);
}

function grantedSeconds(params: URLSearchParams, role: RoleFacts, chained: boolean): number {
  const seconds = Number(params.get('DurationSeconds') ?? DEFAULT_SECONDS);
  if (chained && seconds > CHAINED_SECONDS) {
    const text = 'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining';
    throw new Refusal('ValidationError', text);
  }
  if (seconds > role.maxSessionDuration) {
    const text = 'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.';
    throw new Refusal('ValidationError', text);
  }
  return seconds;
}

/** The source identity of the new session: the base's, which cannot be changed, or the one asked for. */
async function checkSourceIdentity(
  call: Call,
  record: CallRecord,
  role: RoleFacts,
  base: IssuedTriple | undefined,
  parts: GatewayParts,
): Promise<string | undefined> {
  const asked = call.params.get('SourceIdentity') ?? undefined;
  const sourceIdentity = base?.sourceIdentity ?? asked;
  if (sourceIdentity === undefined) return undefined;
  const changed = asked !== undefined && asked !== sourceIdentity;
  if (changed || !trustsSourceIdentity(role.trust, record.caller ?? '', sourceIdentity)) {
    throw denied(record, 'sts:SetSourceIdentity');
  }
  await checkIdentityPolicy(record, 'sts:SetSourceIdentity', parts);
  return sourceIdentity;
}

/** Of the two policies that must allow it, ministack looks only at the role's trust policy. */
async function checkIdentityPolicy(record: CallRecord, action: string, parts: GatewayParts): Promise<void> {
  if (!(await parts.upstream.allows(record.caller ?? '', action, record.role))) throw denied(record, action);
}

function denied(record: CallRecord, action: string): Refusal {
  const message = `User: ${record.caller} is not authorized to perform: ${action} on resource: ${record.role}`;
  return new Refusal('AccessDenied', message);
}

/** ministack leaves the caller out where the role is missing, and the role where the identity policy denies. */
function inFullWords(answer: Answer, code: string, record: CallRecord): Answer {
  if (code !== 'AccessDenied') return answer;
  const text = answer.body.toString();
  const action = /perform: (sts:\w+)/.exec(text)?.[1] ?? 'sts:AssumeRole';
  return { ...answer, body: Buffer.from(setXml(text, 'Message', denied(record, action).message, 'Error')) };
}

function requestedTags(params: URLSearchParams): Record<string, string> {
  return Object.fromEntries(members(params, 'Tags').map((tag) => [tag.Key ?? '', tag.Value ?? '']));
}

function transitive(params: URLSearchParams, base: IssuedTriple | undefined): Record<string, string> {
  const tags = requestedTags(params);
  const keys = members(params, 'TransitiveTagKeys').map((member) => member.value ?? '');
  const own = keys.filter((key) => key in tags).map((key) => [key, tags[key] ?? '']);
  return { ...base?.transitiveTags, ...Object.fromEntries(own) };
}

function packedParts(params: URLSearchParams): { policy: string | null; policyArns: string[] } {
  const policyArns = members(params, 'PolicyArns').map((member) => member.arn ?? '');
  return { policy: params.get('Policy'), policyArns };
}

function withTokenFacts(answer: Answer, subject: string, audience: string, provider: string): Answer {
  const result = 'AssumeRoleWithWebIdentityResult';
  let xml = setXml(answer.body.toString(), 'SubjectFromWebIdentityToken', subject, result);
  xml = setXml(xml, 'Audience', audience, result);
  return { ...answer, body: Buffer.from(setXml(xml, 'Provider', provider, result)) };
}
