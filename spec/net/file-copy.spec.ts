import { mkdtemp, rename, rm, symlink, unlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { RolevendError } from '../../lib/errors.ts';
import { createLogger } from '../../lib/log.ts';
import { FileCopy } from '../../lib/net/file-copy.ts';
import { ManualClock } from '../support/clock.ts';

let directory: string;
let path: string;
let clock: ManualClock;
let lines: { path: string; problem: string }[];
const log = createLogger({
  destination: {
    write(line) {
      const { path, problem } = JSON.parse(line) as { path: string; problem: string };
      lines.push({ path, problem });
    },
  },
});

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rolevend-files-'));
});
beforeEach(() => {
  [clock, lines] = [new ManualClock(), []];
  path = join(directory, expect.getState().currentTestName?.replaceAll(/\W/g, '-') ?? '');
});
afterAll(() => rm(directory, { recursive: true }));

/** Accepts what ends in a dot. */
function sentence(text: string): { text: string } {
  if (text.endsWith('.')) return { text };
  throw new RolevendError('has no end', { code: 'InvalidConfig', consequence: 'stop' });
}
const copy = () => new FileCopy({ path, parse: sentence, clock, log });

/** What it says after the next look. */
async function later(file: FileCopy<{ text: string }>): Promise<string> {
  await clock.advance(5_000);
  return file.value.text;
}

test('a file is read again when it was written over, and not before some seconds are over', async () => {
  await writeFile(path, 'one.');
  const file = copy();
  await writeFile(path, 'two.');
  await clock.advance(4_999);
  expect([file.value.text, await later(file)]).toEqual(['one.', 'two.']);
});

test('a file that is replaced by a rename or through a link, as a kubelet does, is read again', async () => {
  await writeFile(`${path}.1`, 'one.');
  await symlink(`${path}.1`, path);
  const file = copy();
  await writeFile(`${path}.2`, 'two.');
  await symlink(`${path}.2`, `${path}.new`);
  await rename(`${path}.new`, path);
  expect(await later(file)).toBe('two.');
  await writeFile(`${path}.new`, 'three.');
  await rename(`${path}.new`, path);
  expect(await later(file)).toBe('three.');
});

test('what is written anew with the same text is the same', async () => {
  await writeFile(path, 'one.');
  const file = copy();
  const { value } = file;
  await utimes(path, 1, 1);
  await later(file);
  expect(file.value).toBe(value);
});

test('a broken, empty or missing file changes nothing and is told once, and a good one counts at the next look', async () => {
  await writeFile(path, 'one.');
  const file = copy();
  const seen: string[] = [];
  for (const text of ['tw', '']) {
    await writeFile(path, text);
    seen.push(await later(file), await later(file));
  }
  await unlink(path);
  seen.push(await later(file));
  await writeFile(path, 'two.');
  expect([...seen, await later(file)]).toEqual(['one.', 'one.', 'one.', 'one.', 'one.', 'two.']);
  expect(lines).toEqual([
    { path, problem: 'has no end' },
    { path, problem: 'cannot be read (ENOENT)' },
  ]);
});

test('a file that is good again and then broken in the same way is told again', async () => {
  await writeFile(path, 'one.');
  const file = copy();
  for (const text of ['tw', 'two.', 'thre']) {
    await writeFile(path, text);
    await later(file);
  }
  expect(lines).toEqual([
    { path, problem: 'has no end' },
    { path, problem: 'has no end' },
  ]);
});

test('what cannot be read at first is refused, unless something stands in for it until it is there', async () => {
  expect(copy).toThrow('ENOENT');
  await writeFile(path, 'on');
  expect(copy).toThrow('has no end');
  await unlink(path);
  const file = new FileCopy({ path, parse: sentence, absent: { text: 'none' }, clock, log });
  expect(file.value.text).toBe('none');
  await writeFile(path, 'one.');
  expect([await later(file), lines]).toEqual(['one.', []]);
});

test('a look at once does not wait for its time', async () => {
  await writeFile(path, 'one.');
  const file = copy();
  expect(file.look()).toBe(false);
  await writeFile(path, 'two.');
  expect([file.look(), file.value.text]).toEqual([true, 'two.']);
});
