import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { findPython } from '../install/python.ts';

/** What a program found on one call: who AWS says it is and the key that signed, or why it failed. */
export type Found = { arn: string; accessKeyId: string; error?: undefined } | { error: string };

/** A user's program that lives on and calls AWS when it is told to. */
export interface Consumer {
  /**
   * Makes it call AWS once.
   * @param aheadMs how far its clock is ahead of the machine's, in milliseconds, default 0
   */
  call(aheadMs?: number): Promise<Found>;
  /** Ends it and gives its exit code, and what it wrote to standard error. */
  stop(): Promise<{ code: number | null; stderr: string }>;
}

/** The programs by the SDK that they are written with. */
export const consumers = {
  boto3: async () => [(await findPython()) ?? '', pathOf('program.py')],
  'the AWS SDK for JavaScript': async () => [process.execPath, pathOf('program.ts')],
} as const satisfies Record<string, () => Promise<string[]>>;

/** Starts a program with nothing but these variables. It ends with its standard input, so at the latest with us. */
export async function startConsumer(name: keyof typeof consumers, env: Record<string, string>): Promise<Consumer> {
  const [program = '', ...args] = await consumers[name]();
  const child = spawn(program, args, { env: { PATH: process.env['PATH'], ...env }, stdio: 'pipe' });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const exited = once(child, 'close');
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  return {
    async call(aheadMs = 0) {
      child.stdin.write(`${aheadMs}\n`);
      const { value, done } = await answers.next();
      return done ? { error: `it has ended: ${stderr}` } : (JSON.parse(value) as Found);
    },
    async stop() {
      child.stdin.end();
      const [code] = (await exited) as [number | null];
      return { code, stderr };
    },
  };
}

function pathOf(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url));
}
