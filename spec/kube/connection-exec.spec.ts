import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { systemClock } from '../../lib/clock.ts';
import { ExecCredentials, runPlugin } from '../../lib/kube/exec-credentials.ts';
import type { ExecConfig } from '../../lib/kube/kubeconfig.ts';
import { ManualClock } from '../support/clock.ts';

const apiVersion = 'client.authentication.k8s.io/v1';
const startMs = Date.parse('2026-01-01T00:00:00Z');

describe('a credential plugin', () => {
  let dir: string;
  let runs: string;
  let count = 0;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'rolevend-plugin-'));
  });

  beforeEach(async () => {
    count += 1;
    runs = join(dir, `runs-${count}`);
    await writeFile(runs, '');
  });

  afterAll(() => rm(dir, { recursive: true }));

  /** A plugin that runs this code, where `run` is the number of the run and `answer` prints a status. */
  const plugin = async (code: string, rest: Partial<ExecConfig> = {}): Promise<ExecConfig> => {
    const file = join(dir, `plugin-${count}.mjs`);
    const prelude = `import { appendFileSync, readFileSync } from 'node:fs';
      appendFileSync(${JSON.stringify(runs)}, 'x');
      const run = readFileSync(${JSON.stringify(runs)}, 'utf8').length;
      const answer = (status) => console.log(JSON.stringify({ apiVersion: '${apiVersion}', kind: 'ExecCredential', status }));\n`;
    await writeFile(file, prelude + code);
    return { apiVersion, command: process.execPath, args: [file], env: {}, ...rest };
  };
  const timesRun = async () => (await readFile(runs, 'utf8')).length;
  const failure = (work: Promise<unknown>) =>
    work.then(
      () => undefined,
      (error: Error & { code?: string }) => error,
    );

  it('gets its environment and what it has to know, and gives a credential', async () => {
    const code = `
      const { A, B, KUBERNETES_EXEC_INFO } = process.env;
      answer({ token: JSON.stringify([A, B, JSON.parse(KUBERNETES_EXEC_INFO)]), clientCertificateData: 'C', clientKeyData: 'K',
        expirationTimestamp: '2026-01-01T01:00:00Z' });`;
    const exec = await plugin(code, { env: { B: 'kubeconfig' }, cluster: { server: 'https://example.test' } });
    const credential = await runPlugin({ exec, clock: systemClock, environment: { A: 'process', B: 'process' } });
    const info = {
      apiVersion,
      kind: 'ExecCredential',
      spec: { interactive: false, cluster: { server: 'https://example.test' } },
    };
    expect({ ...credential, token: JSON.parse(credential.token as string) }).toEqual({
      token: ['process', 'kubeconfig', info],
      clientCertificate: { certificate: 'C', key: 'K' },
      expiresAt: startMs + 3_600_000,
    });
  });

  it.each([
    ['fails', `console.error('hunter2'); process.exit(3)`, 'ended with exit code 3'],
    ['says nothing', '', 'did not answer with JSON'],
    ['gives no credential', 'answer({})', 'gave neither a token nor a client certificate'],
    [
      'speaks another version',
      `console.log('{"kind":"ExecCredential","apiVersion":"v0"}')`,
      `did not answer with an ExecCredential of ${apiVersion}`,
    ],
  ])('that %s is named with what is wrong, and how to get it', async (_, code, problem) => {
    const exec = await plugin(code, { installHint: 'Get it from example.test.' });
    const error = await failure(runPlugin({ exec, clock: systemClock, environment: {} }));
    expect({ code: error?.code, message: error?.message }).toEqual({
      code: 'ExecPluginFailed',
      message: `the credential plugin ${process.execPath} of the kubeconfig ${problem}. Get it from example.test.`,
    });
  });

  it('that does not exist is named', async () => {
    const exec = { apiVersion, command: join(dir, 'nothing'), args: [], env: {} };
    expect((await failure(runPlugin({ exec, clock: systemClock, environment: {} })))?.message).toContain(
      'cannot be started (ENOENT)',
    );
  });

  it('that hangs is ended', async () => {
    const exec = await plugin('setInterval(() => {}, 1000)');
    const error = await failure(runPlugin({ exec, clock: systemClock, environment: {}, timeoutMs: 300 }));
    expect(error?.message).toContain('gave nothing within 300 ms');
  });

  it('runs once for all who ask, ahead of the expiry, and not before', async () => {
    const clock = new ManualClock(startMs);
    const exec = await plugin('answer({ token: `${run}`, expirationTimestamp: `2026-01-01T0${run}:00:00Z` })');
    const credentials = new ExecCredentials({ exec, clock, environment: {} });
    const tokens = async () =>
      (await Promise.all([1, 2, 3].map(() => credentials.current()))).map(({ token }) => token);
    expect(await tokens()).toEqual(['1', '1', '1']);
    await clock.advance(3_539_000);
    expect(await tokens()).toEqual(['1', '1', '1']);
    await clock.advance(1_000);
    expect(await tokens()).toEqual(['2', '2', '2']);
    expect(await timesRun()).toBe(2);
  });

  it('that fails leaves the old credential while that is valid', async () => {
    const clock = new ManualClock(startMs);
    const exec = await plugin(
      `if (run > 1) process.exit(1); answer({ token: 'old', expirationTimestamp: '2026-01-01T01:00:00Z' })`,
    );
    const credentials = new ExecCredentials({ exec, clock, environment: {} });
    await credentials.current();
    await clock.advance(3_550_000);
    expect((await credentials.current()).token).toBe('old');
    await clock.advance(50_000);
    expect((await failure(credentials.current()))?.code).toBe('ExecPluginFailed');
  });

  it('runs again for a refused credential, but not more often than every 5 s', async () => {
    const clock = new ManualClock(startMs);
    const credentials = new ExecCredentials({
      exec: await plugin('answer({ token: `${run}` })'),
      clock,
      environment: {},
    });
    const renewed = async () => {
      await Promise.all([credentials.renew(), credentials.renew()]);
      return (await credentials.current()).token;
    };
    expect((await credentials.current()).token).toBe('1');
    expect(await renewed()).toBe('2');
    expect(await renewed()).toBe('2');
    await clock.advance(5_000);
    expect(await renewed()).toBe('3');
  });
});
