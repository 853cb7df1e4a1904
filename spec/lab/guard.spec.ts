import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '../support/eventually.ts';
import { startGuarded, type TemporaryDirectory, temporaryDirectory } from './guard.ts';
import { groupIsGone } from './processes.ts';

describe('a guarded process', () => {
  let directory: TemporaryDirectory;
  beforeEach(async () => {
    directory = await temporaryDirectory('rolevend-guard-');
  });
  afterEach(() => directory.remove());

  const start = (...command: string[]) =>
    startGuarded({ name: 'part', command, logFile: join(directory.path, 'part.log') });

  it('gives its exit code and its last lines', async () => {
    const part = start('sh', '-c', 'echo one; echo two >&2; exit 7');
    expect({ code: await part.exited, running: part.running, tail: await part.tail(1) }).toEqual({
      code: 7,
      running: false,
      tail: 'two',
    });
  });

  it('has code 127 when there is no such program', async () => {
    expect(await start('/nowhere/program').exited).toBe(127);
  });

  it('is gone with its guard after stop, and stop may be called again', async () => {
    const part = start('sleep', '1000');
    expect(part.running).toBe(true);
    await part.stop();
    await part.stop();
    expect(part.running).toBe(false);
    await eventually('the process group to be gone', () => groupIsGone(part.group ?? 0));
  });

  it('is gone with its directory when the process that started it is killed', async () => {
    const file = join(directory.path, 'child');
    const parent = spawn(process.execPath, ['--input-type=module', '--eval', PARENT, file], { stdio: 'inherit' });
    await eventually('the child to run', () => existsSync(file));
    const { group, path } = JSON.parse(await readFile(file, 'utf8'));
    expect({ gone: await groupIsGone(group), there: existsSync(path) }).toEqual({ gone: false, there: true });
    parent.kill('SIGKILL');
    await eventually('the process group to be gone', () => groupIsGone(group));
    await eventually('the directory to be gone', () => !existsSync(path));
  });
});

describe('a temporary directory', () => {
  it('goes with what is in it', async () => {
    const directory = await temporaryDirectory('rolevend-guard-');
    await writeFile(join(directory.path, 'file'), 'text');
    await directory.remove();
    await directory.remove();
    expect(existsSync(directory.path)).toBe(false);
  });
});

const PARENT = `
  import { renameSync, writeFileSync } from 'node:fs';
  const { startGuarded, temporaryDirectory } = await import('${new URL('./guard.ts', import.meta.url)}');
  const { path } = await temporaryDirectory('rolevend-guard-');
  const { group } = startGuarded({ name: 'part', command: ['sleep', '1000'], logFile: path + '/log' });
  writeFileSync(process.argv[1] + '.new', JSON.stringify({ group, path }));
  renameSync(process.argv[1] + '.new', process.argv[1]);
  setInterval(() => {}, 1000);
`;
