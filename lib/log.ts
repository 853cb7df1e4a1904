import { type DestinationStream, type LogFn, type Logger, pino } from 'pino';
import { describeError, framesOf, isAbort } from './errors.ts';

export type { Logger } from 'pino';

export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

export const logFormats = ['json', 'text'] as const;
export type LogFormat = (typeof logFormats)[number];

export interface LogOptions {
  /** Default `info`. */
  level?: LogLevel;
  /** Default `json`: one object a line with `time` (RFC 3339), `level` and `msg`. `text` is for people. */
  format?: LogFormat;
  /** Default: standard error. */
  destination?: { write(line: string): void };
}

/**
 * The process's logger. Errors given as `err`, or under any other name, are reduced to code and message, so that neither a
 * request body nor a text of a library that quotes one can reach a log. For those that nobody foresaw, `frames` says where
 * they were thrown.
 */
export function createLogger(options: LogOptions = {}): Logger {
  const out = options.destination ?? process.stderr;
  const destination: DestinationStream =
    options.format === 'text'
      ? { write: (line) => void out.write(asText(line)) }
      : { write: (line) => void out.write(line) };
  return pino(
    {
      level: options.level ?? 'info',
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: shown },
      hooks: {
        logMethod(args, method) {
          method.apply(this, withFrames(withMessage(args)));
        },
      },
    },
    destination,
  );
}

function shown(error: unknown): string {
  return isAbort(error) ? 'aborted' : describeError(error);
}

/** Where an error comes without a message, pino takes the error's own text as one, which may hold a body. */
function withMessage(args: Parameters<LogFn>): Parameters<LogFn> {
  const [first, message] = args as [unknown, unknown];
  const error = first instanceof Error ? first : (first as { err?: unknown } | null)?.err;
  return error === undefined || message !== undefined ? args : [first, shown(error)];
}

/** Adds where errors come from, and reduces those that no serializer does. */
function withFrames(args: Parameters<LogFn>): Parameters<LogFn> {
  const [first, ...rest] = args as [unknown, ...unknown[]];
  if (typeof first !== 'object' || first === null) return args;
  const fields = first instanceof Error ? { err: first } : first;
  const errors = Object.entries(fields).filter(([, value]) => value instanceof Error);
  const reduced = errors.filter(([name]) => name !== 'err').map(([name, error]) => [name, shown(error)]);
  const frames = errors.flatMap(([, error]) => framesOf(error) ?? []);
  const entry = { ...fields, ...Object.fromEntries(reduced), ...(frames.length > 0 && { frames }) };
  return [entry, ...rest] as unknown as Parameters<LogFn>;
}

function asText(line: string): string {
  const { time, level, msg, ...rest } = JSON.parse(line) as Record<string, unknown>;
  const fields = Object.entries(rest).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  return `${[time, String(level).toUpperCase().padEnd(5), msg, ...fields].join(' ')}\n`;
}
