import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '../support/eventually.ts';
import { type TemporaryDirectory, temporaryDirectory } from './guard.ts';
import { exists } from './install/cache.ts';
import { run } from './install/run.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));

describe('make lab', () => {
  let directory: TemporaryDirectory;
  let lab: ChildProcess;
  let output: string;

  beforeEach(async () => {
    directory = await temporaryDirectory('rolevend-main-');
    lab = spawn(process.execPath, [MAIN], { env: { ...process.env, TMPDIR: directory.path }, stdio: 'pipe' });
    output = '';
    lab.stdout?.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
  });
  afterEach(async () => {
    lab.kill('SIGKILL');
    await directory.remove();
  });

  it('prints what to export, and leaves nothing after Ctrl-C', async () => {
    await eventually('the lab to be up', () => output.includes('Ctrl-C ends everything'));
    const file = /^# Or in one go: \. (.*)$/m.exec(output)?.[1] ?? '';
    const script = `. ${file} && kubectl get crd -o name && kubectl --kubeconfig "$KUBECONFIG_SECOND" get crd -o name &&
      echo "$AWS_ENDPOINT_URL $AWS_REGION"`;
    const { stdout, stderr } = await run(['sh', '-c', script]);
    expect({ lines: stdout.trim().split('\n'), stderr }).toEqual({
      lines: [
        ...Array(2)
          .fill([crd('awsassumeroles.pincette.net'), crd('rolegrants.rolevend.dev')])
          .flat(),
        expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+ eu-central-1$/),
      ],
      stderr: '',
    });
    lab.kill('SIGINT');
    expect(await once(lab, 'exit')).toEqual([0, null]);
    expect(await readdir(directory.path)).toEqual([]);
  });

  it('leaves nothing after Ctrl-C while it starts', async () => {
    await eventually('a part to run', async () => {
      const names = await readdir(directory.path);
      const logs = names.map((name) => exists(join(directory.path, name, 'kube-apiserver.log')));
      return (await Promise.all(logs)).includes(true);
    });
    lab.kill('SIGINT');
    await once(lab, 'exit');
    await eventually('its directories to go', async () => (await readdir(directory.path)).length === 0);
  });
});

function crd(name: string): string {
  return `customresourcedefinition.apiextensions.k8s.io/${name}`;
}
