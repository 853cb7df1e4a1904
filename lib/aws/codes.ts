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

/** How long a refusal lasts. */
type Lasts =
  /** It passes by itself, so it is tried again with back-off. */
  | 'passes'
  /** It passes within seconds or not at all: some quick tries tell which. */
  | 'settles'
  /** Trying again does not cure it: somebody has to change a policy, a role, a setting or the object. */
  | 'stays';

/** Codes of an endpoint that is none of the service, or that lacks the call: an emulator, or another service. */
const ofEndpoint: readonly string[] = [
  'InvalidAction',
  'InvalidQueryParameter',
  'MalformedHttpRequest',
  'MalformedQueryString',
  'MissingAction',
  'Serialization',
  'UnknownOperation',
  'UnsupportedCommand',
];

interface Meaning {
  trouble: Trouble;
  lasts: Lasts;
}

/**
 * The codes of STS (https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html and the pages of its actions), ECR
 * and ECR Public, by their shown names. A code that is not here is one of AWS that we do not know, and passes.
 */
const groups: readonly (Meaning & { codes: readonly string[] })[] = [
  {
    // STS sends `Throttling` with HTTP 400.
    trouble: 'throttled',
    lasts: 'passes',
    codes: [
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
    ],
  },
  {
    // Of the credentials, or of the clock, with which the request was signed. Both are fetched anew.
    trouble: 'credentials',
    lasts: 'passes',
    codes: [
      'ExpiredToken',
      'InvalidClientTokenId',
      'UnrecognizedClient',
      'InvalidSignature',
      'SignatureDoesNotMatch',
      'IncompleteSignature',
      'MissingAuthenticationToken',
      'RequestExpired',
      'RequestTimeTooSkewed',
    ],
  },
  {
    trouble: 'other',
    lasts: 'settles',
    codes: [
      // IAM takes seconds to spread a new role or a changed policy.
      'AccessDenied',
      // STS says so of a token that it will never accept, and also while it cannot fetch the keys of the issuer, has old
      // ones of an issuer that changed them, or does not know a provider that was just made.
      'InvalidIdentityToken',
      // Also of a token that was revoked or has ended. Each try has a new one.
      'IDPRejectedClaim',
    ],
  },
  {
    trouble: 'other',
    lasts: 'stays',
    codes: [
      // Of a value that cannot be sent, or of settings that exclude each other: our own.
      'RequestNotSent',
      // Of a value of the object.
      'ValidationError',
      'MalformedPolicyDocument',
      'PackedPolicyTooLarge',
      'InvalidParameter',
      'InvalidParameterValue',
      'InvalidParameterCombination',
      'MissingParameter',
      'RequestEntityTooLarge',
      // Of the account; what an administrator switches on takes minutes to hours, so that quick tries find nothing.
      'RegionDisabled',
      'OptInRequired',
      'SubscriptionRequired',
      ...ofEndpoint,
    ],
  },
  {
    // The issuer or AWS has trouble of its own.
    trouble: 'other',
    lasts: 'passes',
    codes: [
      'IDPCommunicationError',
      'InternalError',
      'InternalFailure',
      'RequestAborted',
      'RequestTimeout',
      'Server',
      'ServiceFailure',
      'ServiceUnavailable',
      'Unavailable',
    ],
  },
];

const meanings = new Map<string, Meaning>(
  groups.flatMap(({ codes, ...meaning }) => codes.map((code) => [code, meaning])),
);
const unknown: Meaning = { trouble: 'other', lasts: 'passes' };

/** What a code means that `normalizeCode` gave. */
export function meaningOf(code: string): Meaning {
  return meanings.get(code) ?? meanings.get(code.replace(/Error$/, '')) ?? unknown;
}

/** Whether a refusal of this code is final only after some quick tries. */
export function settles(code: string): boolean {
  return meanings.get(code)?.lasts === 'settles';
}

/** Whether the endpoint does not know what is asked of it. */
export function isOfEndpoint(code: string): boolean {
  return ofEndpoint.includes(code);
}

/** Spellings that mean the same, and the name under which they are shown. */
const sameAs: Readonly<Record<string, string>> = {
  Validation: 'ValidationError',
  AccessDeniedError: 'AccessDenied',
  NotAuthorized: 'AccessDenied',
};

/** A code under its shown name: no `Exception` at the end, one name for spellings that mean the same. */
export function normalizeCode(code: string): string {
  const short = code.replace(/^.*#/, '').replace(/Exception$/, '');
  return sameAs[short] ?? short;
}
