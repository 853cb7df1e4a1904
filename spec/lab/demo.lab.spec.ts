import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '../support/eventually.ts';
import { type TemporaryDirectory, temporaryDirectory } from './guard.ts';

const DEMO = fileURLToPath(new URL('./demo.ts', import.meta.url));

describe('make demo', () => {
  let directory: TemporaryDirectory;
  let demo: ChildProcess;
  let output: string;

  beforeEach(async () => {
    directory = await temporaryDirectory('rolevend-demo-test-');
    output = '';
  });
  afterEach(async () => {
    demo?.kill('SIGKILL');
    await directory.remove();
  });

  function start(env: Record<string, string> = {}): Promise<unknown[]> {
    demo = spawn(process.execPath, [DEMO], { env: { ...process.env, TMPDIR: directory.path, ...env }, stdio: 'pipe' });
    for (const stream of [demo.stdout, demo.stderr]) {
      stream?.setEncoding('utf8').on('data', (text) => {
        output += text;
      });
    }
    return once(demo, 'close');
  }

  it('shows three Secrets that are replaced twice, as plain text without a credential, and ends by itself', async () => {
    expect(await start()).toEqual([0, null]);

    const rows = [...output.matchAll(/^ +(\S+) +([23]) {2}ASIA\w+ +(\d+\.\d) s$/gm)];
    expect(rows.map(([, secret, revision]) => `${secret} ${revision}`)).toEqual(
      expect.arrayContaining(['reports-aws 2', 'reports-aws 3', 'backup-aws 2', 'backup-aws 3', 'registry-pull 3']),
    );
    for (const [, , , left] of rows) expect(Number(left)).toBeGreaterThan(0);
    expect(output).not.toMatch(/[A-Za-z0-9/+=]{40}/);
    expect(output).not.toContain('\u001b');
    expect(await readdir(directory.path)).toEqual([]);
  });

  it('leaves nothing after Ctrl-C', async () => {
    const end = start();
    await eventually('the objects', () => output.includes('Objects become Secrets'));
    demo.kill('SIGINT');
    expect(await end).toEqual([130, null]);
    await eventually('its directories to go', async () => (await readdir(directory.path)).length === 0);
  });

  it('says what is missing', async () => {
    expect(await start({ XDG_CACHE_HOME: directory.path, KUBEBUILDER_ASSETS: '', PATH: '/nowhere' })).toEqual([
      1,
      null,
    ]);
    expect(output).toMatch(/Go.*Fix: /s);
  });
});
