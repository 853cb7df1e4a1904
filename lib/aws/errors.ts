import { errors } from 'undici';
import { type Consequence, RolevendError } from '../errors.ts';
import { type Advice, accessDenied, advice, unreachable } from './advice.ts';

/** What a failed call asks of the code that made it, beyond its consequence. */
export type Trouble =
  /** The service wants fewer requests. */
  | 'throttled'
  /** The credentials that signed the request are refused: get new ones. */
  | 'credentials'
  /** The requested duration is more than the role, or role chaining, allows. */
  | 'duration'
  /** No answer, or none that AWS gives. */
  | 'unreachable'
  | 'other';

/** Where an error comes from, for its code and its message. Everything in it may be shown to users. */
export interface AwsContext extends Advice {
  service: 'STS' | 'ECR' | 'ECR Public';
  /** Such as `AssumeRole`. */
  operation: string;
  region: string;
}

/**
 * A failed AWS call. Its message holds the code, the request id and what to do; nothing of the request or the answer.
 * It keeps no cause either: what it came from quotes the answer, and printing an error prints its cause.
 */
export class AwsError extends RolevendError {
  readonly trouble: Trouble;

  constructor(
    message: string,
    details: {
      code: string;
      trouble: Trouble;
      consequence: Consequence;
      requestId?: string | undefined;
    },
  ) {
    super(message, details);
    this.trouble = details.trouble;
  }
}

/** Codes that trying again does not cure: somebody has to change a policy, a role or the object. */
export const permanentCodes: ReadonlySet<string> = new Set([
  'AccessDenied',
  'ValidationError',
  'MalformedPolicyDocument',
  'PackedPolicyTooLarge',
  'RegionDisabled',
  'InvalidIdentityToken',
  'IDPRejectedClaim',
  'InvalidParameter',
  'InvalidParameterValue',
  'InvalidParameterCombination',
  'MissingParameter',
]);

/** Codes that doubt the credentials, or the clock, with which the request was signed. */
const credentialCodes: ReadonlySet<string> = new Set([
  'ExpiredToken',
  'InvalidClientTokenId',
  'UnrecognizedClient',
  'InvalidSignature',
  'SignatureDoesNotMatch',
  'IncompleteSignature',
  'MissingAuthenticationToken',
  'RequestExpired',
  'RequestTimeTooSkewed',
]);

/** All spellings of "too many requests", without a trailing `Exception`. STS sends `Throttling` with HTTP 400. */
const throttlingCodes: ReadonlySet<string> = new Set([
  'BandwidthLimitExceeded',
  'EC2Throttled',
  'LimitExceeded',
  'PriorRequestNotComplete',
  'ProvisionedThroughputExceeded',
  'RequestLimitExceeded',
  'RequestThrottled',
  'SlowDown',
  'Throttled',
  'Throttling',
  'TooManyRequests',
  'TransactionInProgress',
]);

/** Spellings that mean the same, and the name under which they are shown. */
const sameAs: Readonly<Record<string, string>> = { Validation: 'ValidationError', AccessDeniedError: 'AccessDenied' };

interface Seen {
  code: string;
  /** HTTP status, 0 where there was no answer. */
  status: number;
  requestId: string | undefined;
  /** What the network said where there was no answer, as `ECONNREFUSED`. */
  network: string | undefined;
  /** The service's own words: looked at, never passed on, because they may quote the request. */
  text: string;
}

/** Turns whatever the SDK or `StsClient` threw into our error. An error of our own is handed back as it is. */
export function awsError(error: unknown, context: AwsContext): RolevendError {
  if (error instanceof RolevendError) return error;
  const seen = look(error);
  const { code, trouble } = classify(seen, context);
  const consequence: Consequence = permanentCodes.has(code) ? 'stop' : 'retry';
  return new AwsError(explain(code, trouble, seen, context), {
    code,
    trouble,
    consequence,
    requestId: seen.requestId,
  });
}

/** Whether the service asked for fewer requests. */
export function isThrottle(error: unknown): boolean {
  return error instanceof AwsError && error.trouble === 'throttled';
}

/** A code under its shown name: no `Exception` at the end, one name for spellings that mean the same. */
export function normalizeCode(code: string): string {
  const short = code.replace(/^.*#/, '').replace(/Exception$/, '');
  return sameAs[short] ?? short;
}

function nameOf(error: unknown): string {
  const name = (error as { name?: unknown } | null | undefined)?.name;
  return typeof name === 'string' ? name : '';
}

function look(error: unknown): Seen {
  const raw = (typeof error === 'object' && error !== null ? error : {}) as {
    message?: unknown;
    $metadata?: { httpStatusCode?: number; requestId?: string };
    $response?: { statusCode?: number };
  };
  return {
    code: nameOf(error),
    status: raw.$metadata?.httpStatusCode ?? raw.$response?.statusCode ?? 0,
    requestId: raw.$metadata?.requestId,
    network: networkOf(error),
    text: typeof raw.message === 'string' ? raw.message : '',
  };
}

/** What the network said, or the proxy; undici hides what is wrong with a proxy's certificate behind a code of its own. */
function networkOf(error: unknown): string | undefined {
  if (isProxyRefusal(error)) return 'ERR_PROXY_TUNNEL';
  const code = codeOf(error);
  const cause = codeOf((error as { cause?: unknown } | null | undefined)?.cause);
  return networkCode(code === 'UND_ERR_PRX_TLS' ? cause : (code ?? cause));
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null | undefined)?.code;
}

/**
 * Whether a proxy did not open the way, as undici tells it; the text is undici's own. What a signal ended never comes here,
 * which has the same code.
 */
function isProxyRefusal(error: unknown): boolean {
  if (error instanceof errors.RequestAbortedError || codeOf(error) === 'UND_ERR_PRX_CONN') return true;
  return error instanceof errors.InvalidArgumentError && error.message.startsWith('Proxy Authentication Required');
}

/** Codes of Node.js and OpenSSL are words of their own and quote nothing. */
function networkCode(code: unknown): string | undefined {
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,63}$/.test(code) ? code : undefined;
}

function classify(seen: Seen, context: AwsContext): { code: string; trouble: Trouble } {
  const unreachable = {
    code: `${context.service === 'STS' ? 'Sts' : 'Ecr'}Unreachable`,
    trouble: 'unreachable',
  } as const;
  if (seen.code === 'CredentialsProviderError' || seen.code === 'TokenProviderError')
    return { code: 'NoIdentity', trouble: 'credentials' };
  if (seen.status === 0) return unreachable;
  const code = normalizeCode(seen.code);
  if (throttlingCodes.has(code) || throttlingCodes.has(code.replace(/Error$/, '')) || seen.status === 429)
    return { code, trouble: 'throttled' };
  if (credentialCodes.has(code)) return { code, trouble: 'credentials' };
  if (code === 'ValidationError' && /durationseconds/i.test(seen.text)) return { code, trouble: 'duration' };
  return isAwsCode(code) ? { code, trouble: 'other' } : unreachable;
}

/** Names that stand in where the answer named no code, for instance a proxy's HTML page. */
function isAwsCode(code: string): boolean {
  return (
    /^[A-Z][A-Za-z0-9.]{2,63}$/.test(code) &&
    !['Error', 'SyntaxError', 'TypeError', 'Unknown', 'UnknownError', 'NotFound', 'TimeoutError'].includes(code)
  );
}

function explain(code: string, trouble: Trouble, seen: Seen, context: AwsContext): string {
  const id = seen.requestId === undefined ? '' : `, request id ${seen.requestId}`;
  const about = context.roleArn === undefined ? '' : ` for ${context.roleArn}`;
  const call = `${context.service} ${context.operation}${about} in ${context.region}`;
  if (trouble === 'unreachable') {
    const why = [code, seen.network].filter((text) => text !== undefined).join(', ');
    return `${call} got no answer from AWS (${why}${id}). ${unreachable(seen.network)}`;
  }
  const then = code === 'AccessDenied' ? accessDenied(context) : advice(code, trouble, seen.text, context);
  return `${call} failed (${code}${id}). ${then}`;
}
