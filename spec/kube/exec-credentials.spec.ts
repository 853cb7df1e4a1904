import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { systemClock } from '../../lib/clock.ts';
import { ExecCredentials, type ExecOptions, runPlugin } from '../../lib/kube/exec-credentials.ts';
import type { ExecConfig } from '../../lib/kube/kubeconfig.ts';
import { createLogger } from '../../lib/log.ts';
import { Slots } from '../../lib/net/slots.ts';
import { createAuthority, type Issued } from '../lab/certificates.ts';
import { groupIsGone } from '../lab/processes.ts';
import { ManualClock } from '../support/clock.ts';
import { eventually } from '../support/eventually.ts';

const apiVersion = 'client.authentication.k8s.io/v1';
const startMs = Date.parse('2026-01-01T00:00:00Z');
/** Of nobody who gives up. */
const { signal } = new AbortController();
const log = createLogger({ destination: { write: () => undefined } });

describe('a credential plugin', () => {
  let dir: string;
  let runs: string;
  let count = 0;
  let issued: Issued;
  let other: Issued;

  beforeAll(async () => {
    const authority = await createAuthority();
    [issued, other] = [await authority.issue('one'), await authority.issue('other')];
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
  const run = (exec: ExecConfig, rest: Partial<ExecOptions> = {}) =>
    runPlugin({ exec, clock: systemClock, environment: {}, ...rest }, signal);
  const failure = (work: Promise<unknown>) =>
    work.then(
      () => undefined,
      (error: Error & { code?: string }) => error,
    );

  it('gets its environment and what it has to know, and gives a credential', async () => {
    const code = `
      const { A, B, KUBERNETES_EXEC_INFO } = process.env;
      answer({ token: JSON.stringify([A, B, JSON.parse(KUBERNETES_EXEC_INFO)]), 
        clientCertificateData: ${JSON.stringify(issued.cert)}, clientKeyData: ${JSON.stringify(issued.key)},
        expirationTimestamp: '2026-01-01T01:00:00Z' });`;
    const exec = await plugin(code, { env: { B: 'kubeconfig' }, cluster: { server: 'https://example.test' } });
    const credential = await run(exec, { environment: { A: 'process', B: 'process' } });
    const info = {
      apiVersion,
      kind: 'ExecCredential',
      spec: { interactive: false, cluster: { server: 'https://example.test' } },
    };
    expect({ ...credential, token: JSON.parse(credential.token as string) }).toEqual({
      token: ['process', 'kubeconfig', info],
      clientCertificate: { certificate: issued.cert.trim(), key: issued.key.trim() },
      expiresAt: startMs + 3_600_000,
    });
  });

  it.each([
    ['fails', `process.exit(3)`, 'ended with exit code 3'],
    ['is killed', `process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1000)`, 'was ended by SIGTERM'],
    ['says nothing', '', 'printed nothing'],
    ['prints garbage', `console.log('hunter2')`, 'did not answer with JSON'],
    ['prints no object', `console.log('null')`, 'did not answer with JSON'],
    ['gives no credential', 'answer({})', 'gave neither a token nor a client certificate'],
    ['gives a number', 'answer({ token: 1 })', 'gave a token that is no text'],
    [
      'gives several lines',
      `answer({ token: 'warning: old version\\nhunter2' })`,
      'gave a token that holds blanks or other characters that no token has',
    ],
    [
      'gives half of a pair',
      `answer({ token: 'x', clientCertificateData: 'x' })`,
      'gave a client certificate without its key, or a key alone',
    ],
    [
      'gives a time that is none',
      `answer({ token: 'x', expirationTimestamp: 'tomorrow' })`,
      'gave an expirationTimestamp that is no time',
    ],
    [
      'never ends its output',
      `setInterval(() => process.stdout.write('x'.repeat(100000)), 1)`,
      'gave more than 1048576 bytes',
    ],
    [
      'speaks another version',
      `console.log('{"kind":"ExecCredential","apiVersion":"v0"}')`,
      `did not answer with an ExecCredential of ${apiVersion}`,
    ],
  ])('that %s is named with what is wrong, what it said, and how to get it', async (_, code, problem) => {
    const text = `console.error('a line'); console.error('no session for hunter2.'); await new Promise((go) => process.stderr.write('', go));`;
    const exec = await plugin(text + code, { installHint: 'Get it from example.test.' });
    const error = await failure(run(exec, { environment: { SOME_PASSWORD: 'hunter2!' } }));
    expect({ code: error?.code, message: error?.message }).toEqual({
      code: 'ExecPluginFailed',
      message:
        `the credential plugin ${process.execPath} of the kubeconfig ${problem}; its last line of error output: ` +
        'no session for hunter2. Get it from example.test.',
    });
  });

  it('that gives a key of another certificate is named with that', async () => {
    const status = { clientCertificateData: issued.cert, clientKeyData: other.key };
    const error = await failure(run(await plugin(`answer(${JSON.stringify(status)})`)));
    expect(error?.message).toBe(
      `the credential plugin ${process.execPath} of the kubeconfig gave a client certificate that cannot be used: the key is ` +
        'that of another certificate.',
    );
  });

  it('that does not exist is named', async () => {
    const exec = { apiVersion, command: join(dir, 'nothing'), args: [], env: {} };
    expect((await failure(run(exec)))?.message).toContain('cannot be started (ENOENT)');
  });

  it('gives a token without the end of its line', async () => {
    const exec = await plugin(`answer({ token: 'abc\\n' })`);
    expect(await run(exec)).toEqual({ token: 'abc' });
  });

  /** A plugin that hangs beside a process of its own, and writes its id, which is that of their group, to a file. */
  const hanging = (file: string) =>
    plugin(`import { spawn } from 'node:child_process';
      spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' });
      await new Promise((written) => process.stderr.write('waiting for the browser\\n', written));
      (await import('node:fs')).writeFileSync(${JSON.stringify(file)}, String(process.pid));
      setInterval(() => {}, 1000);`);
  const groupIn = (file: string) => eventually('the plugin to run', () => readFile(file, 'utf8').catch(() => ''));

  it('that hangs is ended with all that it started, and told with what it said last', async () => {
    const clock = new ManualClock();
    const file = join(dir, `group-${count}`);
    const failed = failure(run(await hanging(file), { clock }));
    const group = Number(await groupIn(file));
    await clock.advance(29_999);
    expect(await groupIsGone(group)).toBe(false);
    await clock.advance(1);
    expect((await failed)?.message).toContain('gave nothing within 30000 ms; its last line of error output: waiting');
    await eventually('both to end', () => groupIsGone(group));
  });

  it('is ended with the connection', async () => {
    const file = join(dir, `group-${count}`);
    const exec = await hanging(file);
    const credentials = new ExecCredentials({ exec, clock: new ManualClock(), environment: {}, log });
    const failed = failure(credentials.current());
    const group = Number(await groupIn(file));
    credentials.close();
    expect((await failed)?.message).toContain('was ended with the connection');
    await eventually('both to end', () => groupIsGone(group));
  });

  it('waits while four others run, of whatever connection', async () => {
    const go = join(dir, `go-${count}`);
    const exec = await plugin(`import { existsSync } from 'node:fs';
      while (!existsSync(${JSON.stringify(go)})) await new Promise((next) => setTimeout(next, 5));
      answer({ token: 'x' });`);
    const clock = new ManualClock();
    const tokens = Array.from({ length: 6 }, () =>
      new ExecCredentials({ exec, clock, environment: {}, log }).current(),
    );
    await eventually('four to run', async () => (await timesRun()) >= 4);
    // A fifth one that was started with them would be there by now: this one takes as long.
    await run({ ...exec, args: ['-e', ''] }).catch(() => undefined);
    expect(await timesRun()).toBe(4);
    await writeFile(go, '');
    expect((await Promise.all(tokens)).map(({ token }) => token)).toEqual(Array(6).fill('x'));
    expect(await timesRun()).toBe(6);
  });

  it('does not start any more where its connection was closed while it waited', async () => {
    const slots = new Slots({ inAll: 1, inGroup: 1 });
    const { promise, resolve: leave } = Promise.withResolvers<void>();
    const before = slots.run('another', new AbortController().signal, () => promise);
    const exec = await plugin(`answer({ token: 'x' })`);
    const credentials = new ExecCredentials({ exec, clock: new ManualClock(), environment: {}, log }, slots);
    const failed = failure(credentials.current());
    credentials.close();
    leave();
    await before;
    expect([(await failed)?.name, await timesRun()]).toEqual(['AbortError', 0]);
  });

  it('that says much in one line is told with the end of it', async () => {
    const exec = await plugin(`process.stderr.write('begin ' + 'and so on '.repeat(10000) + 'so it failed');`);
    expect((await failure(run(exec)))?.message).toMatch(/error output: (?!begin).{1,200}…\.$/);
  });

  it('gives the old credential at once while it runs again, also where it hangs', async () => {
    const clock = new ManualClock(startMs);
    const exec = await plugin(
      `if (run > 1) setInterval(() => {}, 1000); else answer({ token: 'old', expirationTimestamp: '2026-01-01T01:00:00Z' })`,
    );
    const credentials = new ExecCredentials({ exec, clock, environment: {}, log }, new Slots({ inAll: 1, inGroup: 1 }));
    await credentials.current();
    await clock.advance(3_590_000);
    expect(await credentials.current()).toEqual({ token: 'old', expiresAt: startMs + 3_600_000 });
    await eventually('the second run', async () => (await timesRun()) === 2);
    expect((await credentials.current()).token).toBe('old');
    await clock.advance(10_000);
    const failed = failure(credentials.current());
    await clock.advance(20_000);
    expect((await failed)?.message).toContain('gave nothing within 30000 ms');
    credentials.close();
  });

  it('runs again for a refused credential', async () => {
    const clock = new ManualClock(startMs);
    const exec = await plugin('answer({ token: `${run}` })');
    const credentials = new ExecCredentials({ exec, clock, environment: {}, log });
    expect((await credentials.current()).token).toBe('1');
    await credentials.renew();
    expect((await credentials.current()).token).toBe('2');
  });
});
