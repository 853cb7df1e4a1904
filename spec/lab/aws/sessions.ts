import { deflateRawSync } from 'node:zlib';
import { rfc3339 } from '../../../lib/clock.ts';
import type { Answer } from './call.ts';
import { type CallFilter, type CallRecord, type IssuedTriple, matches, type Records } from './records.ts';
import { Refusal } from './refusal.ts';
import type { Upstream } from './upstream.ts';
import type { WebIdentities } from './web-identity.ts';
import { dropXml, setXml, xmlText } from './xml.ts';

/** What the gateway's rules work with. */
export interface GatewayParts {
  upstream: Upstream;
  records: Records;
  identities: WebIdentities;
  lifetimes: Lifetimes;
  /** AWS's own time, milliseconds since 1970. */
  now(): number;
}

/** How long sessions and registry tokens live on command, instead of as asked. */
export class Lifetimes {
  #sessions: { seconds: number; filter: CallFilter; left: number }[] = [];
  /** Seconds of an ECR token; undefined: AWS's 12 hours. */
  ecrTokenSeconds: number | undefined;

  /** The latest rule that matches counts. Undefined seconds: all rules go. */
  setSessions(seconds: number | undefined, filter: CallFilter, times = Number.POSITIVE_INFINITY): void {
    if (seconds === undefined) this.#sessions = [];
    else this.#sessions.unshift({ seconds, filter, left: times });
  }

  /** Seconds that a new session lives where `granted` were asked for and allowed. */
  sessionSeconds(record: CallRecord, granted: number): number {
    const rule = this.#sessions.find(({ filter, left }) => left > 0 && matches(record, filter));
    if (rule !== undefined) rule.left -= 1;
    return Math.min(granted, rule?.seconds ?? granted);
  }
}

/** What makes up a session besides its three fields. */
export interface SessionTerms {
  seconds: number;
  roleArn: string | undefined;
  caller: string | undefined;
  transitiveTags?: Readonly<Record<string, string>>;
  sourceIdentity?: string | undefined;
}

/** Records the session that an answer of STS carries. Its end is whole seconds, as AWS grants it. */
export function recordSession(
  answer: Answer,
  record: CallRecord,
  terms: SessionTerms,
  parts: GatewayParts,
): IssuedTriple {
  const issuedAt = Math.floor(parts.now() / 1000) * 1000;
  const session = {
    accessKeyId: xmlText(answer.body, 'AccessKeyId') ?? '',
    secretAccessKey: xmlText(answer.body, 'SecretAccessKey') ?? '',
    sessionToken: xmlText(answer.body, 'SessionToken') ?? '',
    action: record.action,
    roleArn: terms.roleArn,
    arn: xmlText(answer.body, 'Arn') ?? terms.caller ?? '',
    caller: terms.caller,
    issuedAt,
    expiresAt: issuedAt + parts.lifetimes.sessionSeconds(record, terms.seconds) * 1000,
    transitiveTags: terms.transitiveTags ?? {},
    sourceIdentity: terms.sourceIdentity,
  };
  parts.records.addSession(session);
  return session;
}

/** The answer with the session's real end, its packed size (only where something was packed) and its source identity. */
export function rewriteSession(answer: Answer, session: IssuedTriple, packedPercent: number): Answer {
  const result = `${session.action}Result`;
  let xml = setXml(answer.body.toString(), 'Expiration', rfc3339(session.expiresAt), 'Credentials');
  xml =
    packedPercent > 0
      ? setXml(xml, 'PackedPolicySize', String(packedPercent), result)
      : dropXml(xml, 'PackedPolicySize');
  if (session.sourceIdentity !== undefined) xml = setXml(xml, 'SourceIdentity', session.sourceIdentity, result);
  return { ...answer, body: Buffer.from(xml) };
}

/** What AWS packs into a session. */
export interface PackedContent {
  policy?: string | null;
  policyArns?: string[];
  tags?: Readonly<Record<string, string>>;
}

/** Chosen so that the six tags of a usual EKS Pod Identity session take about 74 %, as they do on AWS. */
const PACKED_LIMIT_BYTES = 214;

/**
 * Share of the packed size limit in percent, rounded up; 0 where there is nothing to pack.
 * AWS does not publish its packing. Here it is deflate, which comes near and grows with the content.
 * Throws `Refusal` PackedPolicyTooLarge over 100.
 */
export function packedPolicySize(content: PackedContent): number {
  const tags = Object.entries(content.tags ?? {}).map(([key, value]) => `${key}=${value}`);
  const pieces = [content.policy ?? '', ...(content.policyArns ?? []), ...tags].filter((piece) => piece !== '');
  if (pieces.length === 0) return 0;
  const packed = deflateRawSync(pieces.join('\0'), { level: 9 }).length;
  const percent = Math.ceil((100 * packed) / PACKED_LIMIT_BYTES);
  if (percent <= 100) return percent;
  const what = tags.length > 0 ? 'Packed size of session tags' : 'Packed size of the policy';
  throw new Refusal('PackedPolicyTooLarge', `${what} consumes ${percent}% of allotted space.`);
}

/** Refuses a session that has ended, by the gateway's own record. */
export function refuseExpired(accessKeyId: string | undefined, service: string, parts: GatewayParts): void {
  const session = accessKeyId === undefined ? undefined : parts.records.sessions.get(accessKeyId);
  if (session === undefined || parts.now() < session.expiresAt) return;
  const text =
    service === 's3' ? 'The provided token has expired.' : 'The security token included in the request is expired';
  throw new Refusal('ExpiredToken', text);
}
