import { readFileSync, type Stats, statSync } from 'node:fs';
import type { Clock } from '../clock.ts';
import { RolevendError } from '../errors.ts';
import type { Logger } from '../log.ts';

export interface FileCopyOptions<T> {
  path: string;
  /** What the text means. What it throws says that the file is broken or not written to its end. */
  parse: (text: string) => T;
  /** Stands in while the file was never read. Default: the constructor throws what is wrong. */
  absent?: T;
  clock: Clock;
  log: Logger;
  /** Least milliseconds between two looks at the file. Default 5,000. */
  everyMs?: number;
}

const LOOK_EVERY_MS = 5_000;

/**
 * What a file says, read again when it changes: somebody replaces it at any time, by a rename or by writing over it. A file
 * that is missing, empty of sense or half-written never takes the place of what was read before; it is told once, and looked
 * at again soon.
 */
export class FileCopy<T> {
  readonly #options: FileCopyOptions<T>;
  #value: T;
  #text: string | undefined;
  /** Of the file that was read last, whether it was good or not. */
  #mark: string | undefined;
  #lookedAt: number;
  #problem: string | undefined;

  /** Throws what reading or `parse` throws, unless there is an `absent` one. */
  constructor(options: FileCopyOptions<T>) {
    this.#options = options;
    this.#lookedAt = options.clock.monotonic();
    try {
      this.#value = this.#read();
    } catch (error) {
      if (!('absent' in options)) throw error;
      this.#value = options.absent as T;
    }
  }

  /** What the file says now. The same object is given until the text changes. */
  get value(): T {
    const { clock, everyMs = LOOK_EVERY_MS } = this.#options;
    if (clock.monotonic() - this.#lookedAt >= everyMs) this.look();
    return this.#value;
  }

  /** Looks at the file at once. Whether there is something new. */
  look(): boolean {
    const before = this.#value;
    this.#lookedAt = this.#options.clock.monotonic();
    try {
      if (this.#problem === undefined && markOf(this.#options.path) === this.#mark) return false;
      this.#value = this.#read();
      this.#problem = undefined;
    } catch (error) {
      this.#tell(error);
    }
    return this.#value !== before;
  }

  #read(): T {
    const { path, parse } = this.#options;
    // The mark is older than the text where the two do not belong together, so that it is read once more.
    this.#mark = markOf(path);
    const text = readFileSync(path, 'utf8');
    if (text === this.#text) return this.#value;
    const value = parse(text);
    this.#text = text;
    return value;
  }

  #tell(error: unknown): void {
    const { path, log } = this.#options;
    const code = (error as NodeJS.ErrnoException).code;
    if ('absent' in this.#options && code === 'ENOENT') return;
    const problem = error instanceof RolevendError ? error.message : `cannot be read (${code})`;
    if (problem !== this.#problem)
      log.warn({ path, problem }, 'a file cannot be used, going on with what it said before');
    this.#problem = problem;
  }
}

function markOf(path: string): string {
  const { dev, ino, size, mtimeMs, ctimeMs }: Stats = statSync(path);
  return [dev, ino, size, mtimeMs, ctimeMs].join(' ');
}
