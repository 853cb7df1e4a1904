import type { V1Status } from '@kubernetes/client-node';
import { type Consequence, RolevendError } from '../errors.ts';
import { keyOf, type ObjectRef, type Raw, type Resource } from './objects.ts';
import { type Refuser, refuserIn, refuserText } from './refusal.ts';
import { parseRetryAfter } from './retry-after.ts';

/** What was being done when a request failed. */
export interface RequestContext {
  /** `get`, `list`, `create`, `update`, `patch`, `delete` or `watch`. */
  verb: string;
  resource: Resource;
  subresource?: string | undefined;
  ref?: Partial<ObjectRef> | undefined;
}

export interface KubeErrorDetails {
  /** The HTTP status, 0 where no answer came. */
  status: number;
  /** The API server's reason, e.g. `NotFound`, or `Unreachable`. */
  code: string;
  /** Shown to people; leave it out where it may quote what was sent. */
  message?: string | undefined;
  /** `details.causes[].reason` of the answer. */
  causes?: string[];
  /** `details.causes[].field` of the answer. */
  fields?: string[];
  uidMismatch?: boolean;
  timedOut?: boolean;
  retryAfterMs?: number | undefined;
  /** The part of the cluster that refused. */
  refuser?: Refuser | undefined;
  /** Media type of an answer that is none of an API server, as `text/html`. */
  media?: string | undefined;
  cause?: unknown;
}

/**
 * A request to an API server that failed. The message names verb, resource, object, status, reason and who refused. What the
 * server wrote is part of it only where it cannot quote a credential: never for Secrets and tokens.
 */
export class KubeError extends RolevendError {
  /** The HTTP status, 0 where no answer came. */
  readonly status: number;
  /** Reasons of the single causes, e.g. `NamespaceTerminating`. */
  readonly causes: readonly string[];
  /** Paths of the fields that were refused, e.g. `metadata.uid`. They hold no values. */
  readonly fields: readonly string[];
  /** The object of that name has another uid than the one that the request asked for. */
  readonly uidMismatch: boolean;
  /** The part of the cluster that refused, where the answer tells. */
  readonly refuser: Refuser | undefined;
  /** Nothing came in time. */
  readonly timedOut: boolean;

  constructor(context: RequestContext, details: KubeErrorDetails) {
    super(describe(context, details), {
      code: details.code,
      consequence: consequence(details),
      retryAfterMs: details.retryAfterMs,
      cause: details.cause,
    });
    this.status = details.status;
    this.causes = details.causes ?? [];
    this.fields = details.fields ?? [];
    this.uidMismatch = details.uidMismatch ?? false;
    this.refuser = details.refuser;
    this.timedOut = details.timedOut ?? false;
  }
}

/** What an API server answers where it refuses. */
export type KubeStatus = Raw<V1Status>;

/** What an answer tells beside its status. */
export interface Told {
  /** The header `Retry-After`; without one, what the body says counts. */
  retryAfter?: string | undefined;
  /** The server's time, milliseconds since 1970. Default 0. */
  now?: number | undefined;
  /** The media type of an answer that holds no status. */
  media?: string | undefined;
}

/** The error for an answer of the API server. */
export function errorOfStatus(
  context: RequestContext,
  status: KubeStatus,
  code: number,
  { retryAfter, now = 0, media }: Told = {},
): KubeError {
  const causes = status.details?.causes ?? [];
  return new KubeError(context, {
    status: code,
    code: reasonOf(status, code),
    message: isSensitive(context) ? undefined : status.message,
    causes: causes.flatMap(({ reason }) => reason ?? []),
    fields: causes.flatMap(({ field }) => field ?? []),
    uidMismatch: namesUid(code, status),
    retryAfterMs: parseRetryAfter(retryAfter ?? status.details?.retryAfterSeconds?.toString(), now),
    refuser: refuserIn(status),
    media,
  });
}

/** This process has no right to it, or a policy is against it. */
export function isForbidden(error: unknown): boolean {
  return hasStatus(error, 403);
}

export function isNotFound(error: unknown): boolean {
  return hasStatus(error, 404);
}

/** The object has changed since it was read, or is another one. A conflict of server-side apply counts, too. */
export function isConflict(error: unknown): boolean {
  return hasStatus(error, 409) && (error as KubeError).code !== 'AlreadyExists';
}

export function isAlreadyExists(error: unknown): boolean {
  return hasStatus(error, 409) && (error as KubeError).code === 'AlreadyExists';
}

/** The resource version is too old to be read or watched from, or a continue token has expired. */
export function isExpired(error: unknown): boolean {
  return hasStatus(error, 410);
}

/** The server does not know the resource version yet, or never will: it may have been restored from a backup. */
export function isTooNew(error: unknown): boolean {
  return error instanceof KubeError && error.causes.includes('ResourceVersionTooLarge');
}

/** The object was deleted and created anew under its name: 409 for PUT and DELETE, 422 for PATCH. */
export function isUidMismatch(error: unknown): boolean {
  return error instanceof KubeError && error.uidMismatch;
}

/** The answer was larger than what is taken, or did not come in time, be it here or on the way. Less of it may. */
export function isTooMuch(error: unknown): boolean {
  if (!(error instanceof KubeError)) return false;
  return error.timedOut || error.status === 504 || error.code === 'AnswerTooLarge';
}

/** The namespace is being deleted and takes nothing new. */
export function isNamespaceTerminating(error: unknown): boolean {
  return error instanceof KubeError && error.causes.includes('NamespaceTerminating');
}

function hasStatus(error: unknown, status: number): boolean {
  return error instanceof KubeError && error.status === status;
}

/** Reasons for answers that carry none, for instance those of a load balancer. */
const reasons: Record<number, string> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  410: 'Expired',
  413: 'RequestEntityTooLarge',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

/**
 * All reasons that an API server itself gives (`metav1.StatusReason`). A webhook may give any other text, which may quote what it
 * was asked about, and becomes a condition's reason and the label of a metric.
 */
const known: ReadonlySet<string> = new Set([
  ...Object.values(reasons),
  'AlreadyExists',
  'Gone',
  'MethodNotAllowed',
  'NotAcceptable',
  'ServerTimeout',
  'StorageReadError',
  'UnsupportedMediaType',
]);

function reasonOf({ reason = '' }: KubeStatus, code: number): string {
  return known.has(reason) ? reason : (reasons[code] ?? `Http${code}`);
}

/** Answers that stay the same however often the request is repeated. */
const permanent: readonly number[] = [400, 405, 406, 413, 415, 422];

function consequence({ status, causes, uidMismatch }: KubeErrorDetails): Consequence {
  if (causes?.includes('NamespaceTerminating')) return 'wait';
  return permanent.includes(status) && !uidMismatch ? 'stop' : 'retry';
}

function namesUid(code: number, status: KubeStatus): boolean {
  // The server has no field for it: PUT says "UID in precondition: …", DELETE "the UID in the precondition (…)".
  if (code === 409) return /UID in (the )?precondition/.test(status.message ?? '');
  return code === 422 && (status.details?.causes?.some(({ field }) => field === 'metadata.uid') ?? false);
}

function isSensitive({ resource, subresource }: RequestContext): boolean {
  return (resource.group === '' && resource.plural === 'secrets') || subresource === 'token';
}

/** Where it is busy the API server itself answers in plain text. */
function pageText(media: string): string {
  return media === 'text/plain' ? media : `${media}, not from the API server`;
}

function describe(context: RequestContext, { status, code, message, refuser, media }: KubeErrorDetails): string {
  const { verb, resource, subresource, ref } = context;
  const what = [resource.plural, subresource].filter(Boolean).join('/');
  const where = ref?.name === undefined ? ref?.namespace : keyOf({ namespace: ref.namespace, name: ref.name });
  // Where the server's own words are shown, they tell who refused.
  const who = refuser === undefined || message ? '' : ` ${refuserText(refuser)}`;
  const page = media === undefined ? '' : ` (${pageText(media)})`;
  const answer = status === 0 ? code : `${status} ${code}${page}${who}`;
  return `${[verb, what, where].filter(Boolean).join(' ')}: ${answer}${message ? `: ${message}` : ''}`;
}
