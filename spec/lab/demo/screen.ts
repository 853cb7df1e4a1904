import { systemClock } from '../../../lib/clock.ts';

const RESET = '\u001b[0m';
const ERASE_LINE = '\r\u001b[2K';
const styles = { bold: '\u001b[1m', dim: '\u001b[2m', green: '\u001b[32m', red: '\u001b[31m' } as const;

/** What a demo writes to: a terminal with colours and a line that shows what goes on, or plain text for a file. */
export class Screen {
  readonly #out: NodeJS.WriteStream;
  readonly #styled: boolean;
  #sections = 0;
  #closed = false;

  constructor(out: NodeJS.WriteStream = process.stdout) {
    this.#out = out;
    this.#styled = out.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
  }

  line(text = ''): void {
    this.#write(`${text}\n`);
  }

  /** Shows nothing more, whoever still writes. */
  close(): void {
    this.#closed = true;
  }

  title(text: string, note: string): void {
    this.line(`${this.#style('bold', text)}\n${note}`);
  }

  section(text: string): void {
    this.#sections += 1;
    this.line(`\n${this.#style('bold', `${this.#sections}  ${text}`)}`);
  }

  /** A remark on what is seen. */
  note(text: string): void {
    this.line(`   ${this.#style('dim', text)}`);
  }

  /** Does something that takes a while and says its result, with the time it took. What it throws is thrown. */
  async step<T>(doing: string, work: () => Promise<T>, done: (result: T) => string = () => doing): Promise<T> {
    const start = systemClock.monotonic();
    if (this.#styled) this.#write(`   ${this.#style('dim', `… ${doing}`)}`);
    try {
      const result = await work();
      const seconds = ((systemClock.monotonic() - start) / 1000).toFixed(1);
      this.#result('green', '✓', 'ok', `${done(result)}  ${this.#style('dim', `${seconds} s`)}`);
      return result;
    } catch (error) {
      this.#result('red', '✗', 'failed', doing);
      throw error;
    }
  }

  /** A command and what it printed. */
  command(command: string, output: string): void {
    this.line(`   ${this.#style('bold', `$ ${command}`)}`);
    for (const line of output.trimEnd().split('\n')) this.line(`   ${line}`);
  }

  /** Rows of a table whose width is known before they are; a number of columns below zero aligns to the right. */
  table(widths: readonly number[], heads: readonly string[]): (cells: readonly string[]) => void {
    const row = (cells: readonly string[]) =>
      cells.map((cell, i) => ((widths[i] ?? 0) < 0 ? cell.padStart(-(widths[i] ?? 0)) : cell.padEnd(widths[i] ?? 0)));
    const write = (cells: readonly string[], styled: (text: string) => string) =>
      this.line(`   ${styled(row(cells).join('  ').trimEnd())}`);
    write(heads, (text) => this.#style('dim', text));
    return (cells) => write(cells, (text) => text);
  }

  #result(style: 'green' | 'red', symbol: string, word: string, text: string): void {
    const mark = this.#styled ? this.#style(style, symbol) : word;
    this.line(`${this.#styled ? ERASE_LINE : ''}   ${mark} ${text}`);
  }

  #write(text: string): void {
    if (!this.#closed) this.#out.write(text);
  }

  #style(style: keyof typeof styles, text: string): string {
    return this.#styled ? `${styles[style]}${text}${RESET}` : text;
  }
}
