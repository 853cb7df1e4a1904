import { TooLarge } from '../exchange.ts';
import { objectBytes } from './answer-limits.ts';

const newline = 0x0a;

/**
 * Cuts a stream of bytes into lines. An event of a watch is one line; it may come in many chunks, many may come in one,
 * and a chunk may end within a character, so bytes are joined before they are decoded.
 */
export class LineFramer {
  readonly #maxBytes: number;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;

  /** `maxBytes`: the longest line to hold. Default: what an object may have. */
  constructor(maxBytes = objectBytes) {
    this.#maxBytes = maxBytes;
  }

  /** The lines that this chunk completes, without line ends and empty ones. Throws `TooLarge` beyond `maxBytes`. */
  push(chunk: Uint8Array): string[] {
    const lines: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      this.#hold(chunk.subarray(start, end));
      const line = this.#take();
      if (line !== '') lines.push(line);
      start = end + 1;
    }
    this.#hold(chunk.subarray(start));
    return lines;
  }

  /** Bytes of the line that has not ended yet. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  #hold(part: Uint8Array): void {
    if (part.length === 0) return;
    this.#pending.push(part);
    this.#pendingBytes += part.length;
    if (this.#pendingBytes > this.#maxBytes) throw new TooLarge('an event of the watch', this.#maxBytes);
  }

  #take(): string {
    const line = Buffer.concat(this.#pending).toString('utf8');
    this.#pending = [];
    this.#pendingBytes = 0;
    return line.endsWith('\r') ? line.slice(0, -1) : line;
  }
}
