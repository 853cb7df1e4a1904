import { type Consequence, RolevendError } from '../errors.ts';
import { accessDenied } from './access-denied.ts';
import { type Advice, advice } from './advice.ts';
import { meaningOf, normalizeCode, type Trouble } from './codes.ts';
import { denialIn } from './denial.ts';
import { look, type Seen } from './seen.ts';
import { notSent, unreachable, whoAnswered } from './unreachable.ts';

/** Where an error comes from, for its code and its message. Everything in it may be shown to users. */
export interface AwsContext extends Advice {
  service: 'STS' | 'ECR' | 'ECR Public';
  /** Such as `AssumeRole`. */
  operation: string;
  region: string;
  /** Whom the request went to, where that is known. */
  host?: string | undefined;
  /** Whether an answer of any kind has begun. */
  answered?: boolean | undefined;
}

/**
 * A failed AWS call. Its message holds the code, the request id and what to do; nothing of the request or the answer.
 * It keeps no cause either: what it came from quotes the answer, and printing an error prints its cause.
 */
export class AwsError extends RolevendError {
  readonly trouble: Trouble;
  /** Where no answer of any kind came: what to tell those who wait for the same host. */
  readonly silence: string | undefined;

  constructor(
    message: string,
    details: {
      code: string;
      trouble: Trouble;
      consequence: Consequence;
      requestId?: string | undefined;
      silence?: string | undefined;
      cause?: unknown;
    },
  ) {
    super(message, details);
    this.trouble = details.trouble;
    this.silence = details.silence;
  }
}

/** Turns whatever the SDK or `StsClient` threw into our error. An error of our own is handed back as it is. */
export function awsError(error: unknown, context: AwsContext): RolevendError {
  if (error instanceof RolevendError) return error;
  const seen = look(error);
  const { code, trouble } = classify(seen, context);
  const consequence: Consequence = meaningOf(code).lasts === 'passes' ? 'retry' : 'stop';
  return new AwsError(explain(code, trouble, seen, context), {
    code,
    trouble,
    consequence,
    requestId: seen.requestId,
    silence: trouble === 'unreachable' && context.answered === false ? silence(code, seen, context) : undefined,
    // A fault of the program is no answer of AWS: the log tells where it comes from.
    cause: error,
  });
}

/** Whether the service asked for fewer requests. */
export function isThrottle(error: unknown): boolean {
  return error instanceof AwsError && error.trouble === 'throttled';
}

/** Errors of what comes before a request is sent: a value that it cannot hold, or settings that exclude each other. */
const unsendable: readonly string[] = ['URIError', 'EndpointError'];

function classify(seen: Seen, context: AwsContext): { code: string; trouble: Trouble } {
  if (seen.code === 'CredentialsProviderError' || seen.code === 'TokenProviderError')
    return { code: 'NoIdentity', trouble: 'credentials' };
  if (seen.header !== undefined || unsendable.includes(seen.code)) return { code: 'RequestNotSent', trouble: 'other' };
  const code = normalizeCode(seen.code);
  const isNamed = seen.status !== 0 && isAwsCode(code);
  if (seen.status === 429) return { code: isNamed ? code : 'TooManyRequests', trouble: 'throttled' };
  if (!isNamed) return { code: `${context.service === 'STS' ? 'Sts' : 'Ecr'}Unreachable`, trouble: 'unreachable' };
  return { code, trouble: troubleOf(code, seen, context) };
}

function troubleOf(code: string, { text }: Seen, { operation }: AwsContext): Trouble {
  if (code === 'ValidationError' && /durationseconds/i.test(text)) return 'duration';
  const { trouble } = meaningOf(code);
  // No credentials sign it: it is the token that is refused, and each try has a new one.
  return trouble === 'credentials' && operation === 'AssumeRoleWithWebIdentity' ? 'other' : trouble;
}

/** Names that stand in where the answer named no code, for instance a proxy's HTML page. */
function isAwsCode(code: string): boolean {
  return (
    /^[A-Z][A-Za-z0-9.]{2,63}$/.test(code) &&
    !['Error', 'SyntaxError', 'TypeError', 'Unknown', 'UnknownError', 'NotFound', 'TimeoutError'].includes(code)
  );
}

function explain(code: string, trouble: Trouble, seen: Seen, context: AwsContext): string {
  const about = context.roleArn === undefined ? '' : ` for ${context.roleArn}`;
  const call = `${context.service} ${context.operation}${about} in ${context.region}`;
  const id = seen.requestId === undefined ? '' : `, request id ${seen.requestId}`;
  if (code === 'RequestNotSent') return `${call} cannot be sent (${code}). ${notSent(seen, context)}`;
  if (trouble === 'unreachable')
    return `${call}${at(context)} got no answer from AWS (${reasons(code, seen)}${id}). ${unreachable(seen)}`;
  const then =
    code === 'AccessDenied' ? accessDenied(context, denialIn(seen.text)) : advice(code, trouble, seen.text, context);
  return `${call} failed (${code}${id}). ${then}`;
}

function silence(code: string, seen: Seen, context: AwsContext): string {
  const why = `${context.service} in ${context.region}${at(context)} gives no answer (${reasons(code, seen)})`;
  return `${why}. ${unreachable(seen)} Until then only one object at a time asks, and this one waits.`;
}

function reasons(code: string, seen: Seen): string {
  return [code, ...whoAnswered(seen)].join(', ');
}

function at({ host }: AwsContext): string {
  return host === undefined ? '' : ` (${host})`;
}
