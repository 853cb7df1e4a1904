import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

const root = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);

let dir: string;
let bundle: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'rolevend-bundle-'));
  bundle = join(dir, 'rolevend.mjs');
  await run(process.execPath, ['spec/tools/build.ts', 'lib/main.ts', bundle], { cwd: root });
});

afterAll(() => rm(dir, { recursive: true }));

test('the bundle is one executable file that prints its help without node_modules', async () => {
  const { stdout, stderr } = await run(process.execPath, [bundle, '--help'], { cwd: dir });

  expect({ usage: stdout.split('\n')[0], stderr }).toEqual({
    usage: 'Usage: rolevend [options] [command]',
    stderr: '',
  });
  expect(stdout).toContain('controller');
  expect((await readFile(bundle, 'utf8')).split('\n')[0]).toBe('#!/usr/bin/env node');
  expect((await stat(bundle)).mode & 0o111).toBe(0o111);
});

test('the bundle prints the version of package.json', async () => {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };

  expect((await run(process.execPath, [bundle, '--version'])).stdout).toBe(`${version}\n`);
});
