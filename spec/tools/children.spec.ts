import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { expect, test } from '@jest/globals';
import { eventually } from '../support/eventually.ts';

const module = new URL('./children.ts', import.meta.url).href;

/** A program that runs `script` in a shell as its child and ends as `make test` does. */
function parentOf(script: string) {
  const code = `
    import { Children } from '${module}';
    const children = new Children();
    const code = await children.run('sh', ['-c', ${JSON.stringify(script)}]);
    console.log('code', code, 'ending', children.ending, 'next', await children.run('true', []));
    process.exit(children.endingCode);`;
  const flags = ['--no-warnings', '--experimental-strip-types', '--input-type=module', '-e', code];
  const parent = spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'inherit'] });
  return { parent, lines: createInterface(parent.stdout)[Symbol.asyncIterator]() };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s ends the child with all that it started, and nothing is started after it', async (signal, code) => {
  const { parent, lines } = parentOf('trap "exit 7" INT TERM; sleep 300 & echo $!; wait');
  const exit = once(parent, 'exit');
  const grandchild = Number((await lines.next()).value);
  expect(isAlive(grandchild)).toBe(true);

  parent.kill(signal);

  expect((await lines.next()).value).toBe(`code 7 ending ${signal} next ${code}`);
  expect(await exit).toEqual([code, null]);
  await eventually('the grandchild is gone', () => !isAlive(grandchild));
});

test('what a child leaves behind is ended with it', async () => {
  const { parent, lines } = parentOf('sleep 300 >/dev/null 2>&1 & echo $!; exit 3');
  const exit = once(parent, 'exit');
  const grandchild = Number((await lines.next()).value);

  expect((await lines.next()).value).toBe('code 3 ending undefined next 0');
  await exit;
  await eventually('the grandchild is gone', () => !isAlive(grandchild));
});
