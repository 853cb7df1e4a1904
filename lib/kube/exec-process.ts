import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import type { Clock } from '../clock.ts';

export interface ProcessOptions {
  command: string;
  args: readonly string[];
  environment: Readonly<Record<string, string | undefined>>;
  clock: Clock;
  /** When it is ended, with all that it started. */
  timeoutMs: number;
  /** Ends it at once, too. */
  signal: AbortSignal;
}

/** What a program left behind. */
export interface ProcessResult {
  /** Its output, where it ended well. It may hold a credential: never to be shown. */
  output?: string;
  /** What went wrong otherwise, as the end of a sentence about the program. */
  problem?: string;
  /** The last line of its error output, fit to be shown; empty where there is none. */
  lastLine: string;
}

/** Most bytes of output, far above what any credential takes. */
const maxOutput = 1_048_576;
/** So much of the end of the error output is kept. */
const maxErrorOutput = 4_096;
const maxLine = 200;

/** How a program ended. */
type End = { output: string } | { problem: string };

/** Runs a program without a shell and without input, in a process group of its own. Never rejects. */
export async function runProcess(options: ProcessOptions): Promise<ProcessResult> {
  const { command, args, environment } = options;
  const child = spawn(command, args, {
    env: { ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    windowsHide: true,
  });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-maxErrorOutput);
  });
  const end = await endOf(child, options);
  return { ...end, lastLine: lastLine(errors, environment) };
}

type Child = ChildProcessByStdio<null, Readable, Readable>;

async function endOf(child: Child, { clock, timeoutMs, signal }: ProcessOptions): Promise<End> {
  const ended = new AbortController();
  const end = await new Promise<End>((resolve) => {
    const give = (problem: string) => resolve({ problem });
    const stopAndGive = (problem: string) => {
      stop(child);
      give(problem);
    };
    const cancel = clock.after(timeoutMs, () => stopAndGive(`gave nothing within ${timeoutMs} ms`));
    ended.signal.addEventListener('abort', cancel);
    signal.addEventListener('abort', () => stopAndGive('was ended with the connection'), { signal: ended.signal });
    const output = collect(child.stdout, () => stopAndGive(`gave more than ${maxOutput} bytes`));
    child.on('error', (error: NodeJS.ErrnoException) => give(`cannot be started (${error.code})`));
    child.on('close', (code, by) => {
      if (code === 0) return resolve({ output: output() });
      give(code === null ? `was ended by ${by}` : `ended with exit code ${code}`);
    });
  });
  ended.abort();
  return end;
}

/** Gives what came, once it is asked for. */
function collect(stream: Readable, tooMuch: () => void): () => string {
  const chunks: Buffer[] = [];
  let size = 0;
  stream.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > maxOutput) return tooMuch();
    chunks.push(chunk);
  });
  return () => Buffer.concat(chunks).toString('utf8');
}

/** Also what the program started, which would otherwise wait on for good. */
function stop(child: Child): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // All have ended.
  }
  child.stdout.destroy();
  child.stderr.destroy();
}

const secretName = /secret|token|passw|key/i;
/** What a credential may look like. Words, times and ids of requests do not. */
const secretTexts: readonly RegExp[] = [
  /(?<=\b(?:bearer|basic)\s+)\S+/gi,
  /(?<=(?:secret|token|passw\w*|key|signature|credential|assertion|code)["']?=)\S+/gi,
  /\beyJ[\w.-]+/g,
  /\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b/g,
  /\b[0-9a-fA-F]{32,}\b/g,
  /(?=[\w+=~-]*[a-z])(?=[\w+=~-]*[A-Z])(?=[\w+=~-]*\d)[\w+=~-]{16,}/g,
];

/**
 * The last line that is not blank: without control characters, without what looks like a credential or stands in a secret
 * variable of the environment, and of at most 200 characters.
 */
export function lastLine(text: string, environment: Readonly<Record<string, string | undefined>> = {}): string {
  const lines = stripVTControlCharacters(text).split(/[\r\n]+/);
  const last = lines.findLast((line) => line.trim() !== '') ?? '';
  const hidden = Object.entries(environment)
    .filter(([name, value]) => secretName.test(name) && value !== undefined && value.length >= 8)
    .reduce((line, [, value]) => line.replaceAll(value as string, '…'), last);
  const shown = secretTexts.reduce((line, pattern) => line.replace(pattern, '…'), hidden);
  const plain = shown.replace(/[\s\p{Cc}\p{Cf}]+/gu, ' ').trim();
  return plain.length > maxLine ? `${plain.slice(0, maxLine)}…` : plain;
}
