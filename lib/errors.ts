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

/** One line of a stack as V8 writes it: a function, and a file with line and column; or the place alone. */
const FRAME = /^ {4}at (?<what>[\w$.#<>[\] ]*?) ?\(?(?<place>(?:file:\/\/|node:|\/)[^\s():]+:\d+:\d+)\)?$/;
/** Frames beyond these tell nothing more. */
const MOST_FRAMES = 10;
/** Causes of causes are looked at so deep. */
const MOST_CAUSES = 5;

/**
 * Where something that nobody foresaw was thrown, innermost first: function, file, line and column of each frame (the
 * program is one file with long lines). Undefined for our own errors, whose code and message say it all, unless such a
 * fault is behind them, and for ends by signal. The text of the error, which may hold a body, is
 * never in it: it stands before the frames, and of what follows only lines that have the form of a frame are taken.
 */
export function framesOf(error: unknown): string[] | undefined {
  const found = unforeseen(error);
  if (found === undefined) return undefined;
  const { stack = '', message } = found;
  const end = message === '' ? 0 : stack.indexOf(message) + message.length;
  const lines = stack.slice(Math.max(0, end)).split('\n').slice(1);
  return lines
    .map(frameOf)
    .filter((frame) => frame !== undefined)
    .slice(0, MOST_FRAMES);
}

function frameOf(line: string): string | undefined {
  const { what, place } = FRAME.exec(line)?.groups ?? {};
  return place === undefined ? undefined : [what, place].filter(Boolean).join(' ');
}

/** What the language itself throws: behind an error of ours a fault of the program, and not what another side answered. */
const faults = [TypeError, RangeError, ReferenceError, SyntaxError];

/** The error, or the fault behind one of ours. */
function unforeseen(error: unknown, depth = 0): Error | undefined {
  if (!(error instanceof Error) || isAbort(error) || depth > MOST_CAUSES) return undefined;
  if (error instanceof RolevendError) return unforeseen(error.cause, depth + 1);
  const isFault = faults.some((fault) => error instanceof fault) && (error as { code?: unknown }).code === undefined;
  return depth === 0 || isFault ? error : undefined;
}
