/**
 * What the caller of a failed operation does next:
 * - `retry`: passing trouble, try again with back-off;
 * - `wait`: nothing is wrong, the thing needed is not there yet (a rate token, a namespace that is going away);
 * - `stop`: trying again cannot help until somebody changes something.
 */
export type Consequence = 'retry' | 'wait' | 'stop';

export interface ErrorDetails {
  /** A stable word: an AWS error code, a Kubernetes reason or one of our own condition reasons. */
  code: string;
  consequence: Consequence;
  /** The service's request id, safe to show to users. */
  requestId?: string | undefined;
  /** The least time in milliseconds that the other side asked us to wait. */
  retryAfterMs?: number | undefined;
  /** Kept for debuggers only; never printed, because it may hold a request or response body. */
  cause?: unknown;
}

/** Every error that leaves a module of this project. Its message is safe to show: no credential, token or body. */
export class RolevendError extends Error {
  readonly code: string;
  readonly consequence: Consequence;
  readonly requestId: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(message: string, details: ErrorDetails) {
    super(message);
    this.name = new.target.name;
    this.code = details.code;
    this.consequence = details.consequence;
    this.requestId = details.requestId;
    this.retryAfterMs = details.retryAfterMs;
    if (details.cause !== undefined) {
      // A getter, since Node prints the value of a cause even where it is not enumerable.
      Object.defineProperty(this, 'cause', { get: () => details.cause, enumerable: false });
    }
  }
}

/** Whether the error only says that a signal ended the work. */
export function isAbort(error: unknown): boolean {
  const name = (error as { name?: unknown } | null | undefined)?.name;
  return name === 'AbortError' || name === 'TimeoutError';
}

/** The message of anything thrown, for logs. Foreign errors give only their name and code, since their text may hold a body. */
export function describeError(error: unknown): string {
  if (error instanceof RolevendError) return `${error.code}: ${error.message}`;
  if (!(error instanceof Error)) return typeof error;
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' ? `${error.name} (${code})` : error.name;
}
