import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { readImage } from '../lab/image.ts';
import { buildProgram, type Program } from '../support/process.ts';

/** Options of Node.js for a module that does this in the very first turn in which the process handles what is named. */
function atOnce(name: string, act: string): string {
  const code = `const turn = () => process.listenerCount('${name}') ? ${act} : setTimeout(turn, 0); turn();`;
  return `--import=data:text/javascript,${encodeURIComponent(code)}`;
}

let program: Program;
let hole: Server;
let kubeconfig: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  program = await buildProgram();
  // Takes connections and never answers.
  hole = createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1');
  await once(hole, 'listening');
  kubeconfig = await written('kubeconfig', { server: address() });
});
afterAll(async () => {
  hole?.close();
  await program?.remove();
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

const address = () => `http://127.0.0.1:${(hole.address() as { port: number }).port}`;

async function written(file: string, cluster: object, user: object = {}): Promise<string> {
  const contexts = [{ name: 'one', context: { cluster: 'one', user: 'one' } }];
  const [clusters, users] = [[{ name: 'one', cluster }], [{ name: 'one', user }]];
  const path = join(program.directory, file);
  await writeFile(path, JSON.stringify({ 'current-context': 'one', contexts, clusters, users }));
  return path;
}

function start(env: Record<string, string> = {}, file = kubeconfig): ChildProcess {
  const off = ['--metrics-bind-address=0', '--health-probe-bind-address=0'];
  const args = [join(program.directory, 'rolevend.mjs'), 'controller', `--kubeconfig=${file}`, ...off];
  const more = { AWS_REGION: 'eu-central-1', AWS_EC2_METADATA_DISABLED: 'true', HOME: program.directory, ...env };
  return started(spawn(process.execPath, args, { env: more, stdio: ['ignore', 'pipe', 'pipe'] }));
}

function started(child: ChildProcess): ChildProcess {
  children.push(child);
  return child;
}

/** How it ended, and what it wrote to standard error. */
async function outcome(child: ChildProcess) {
  let text = '';
  child.stderr?.on('data', (chunk) => {
    text += chunk;
  });
  const [code, signal] = await once(child, 'close');
  return { end: code ?? signal, text };
}

/** How it ended, and the messages of its log. */
async function ending(child: ChildProcess) {
  const { end, text } = await outcome(child);
  return { end, log: entries(text).map(({ msg }) => msg) };
}

function entries(text: string): Record<string, unknown>[] {
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe.each(['SIGTERM', 'SIGINT'] as const)('%s', (name) => {
  test('right after the start ends the process', async () => {
    const child = start();
    await once(child, 'spawn');
    child.kill(name);
    expect([0, name]).toContain((await ending(child)).end);
  });

  test('ends it in order, in the first turn that the program takes', async () => {
    const child = start({ NODE_OPTIONS: atOnce(name, `process.kill(process.pid, '${name}')`) });
    expect((await ending(child)).end).toBe(0);
  });

  test('ends it in order in the image, before the program is read', async () => {
    const [, ...settings] = (await readImage()).entrypoint.slice(0, -1);
    const endless = 'data:text/javascript,console.log("reading");setInterval(()=>{},1e6)';
    const args = [...settings, `--import=${endless}`, '--eval', ''];
    const child = started(spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] }));
    await once(child.stdout as NonNullable<typeof child.stdout>, 'data');
    child.kill(name);
    expect(await ending(child)).toEqual({ end: 0, log: [] });
  });

  test('ends it in order while the API server gives no answer', async () => {
    const asked = once(hole, 'connection');
    const child = start({
      AWS_ACCESS_KEY_ID: 'x',
      AWS_SECRET_ACCESS_KEY: 'x',
      AWS_ENDPOINT_URL_STS: 'http://127.0.0.1:9',
    });
    const ended = ending(child);
    await asked;
    child.kill(name);
    expect(await ended).toMatchObject({ end: 0, log: expect.arrayContaining(['ending']) });
  });

  test('ends it in order while nobody says who it is', async () => {
    const elsewhere = await written('elsewhere', { server: 'http://127.0.0.1:9' });
    const asked = once(hole, 'connection');
    const child = start({ AWS_CONTAINER_CREDENTIALS_FULL_URI: address() }, elsewhere);
    const ended = ending(child);
    await asked;
    child.kill(name);
    expect(await ended).toMatchObject({ end: 0, log: expect.arrayContaining(['ending']) });
  });

  test('ends it in order while its kubeconfig waits for a program', async () => {
    const plugin = join(program.directory, `plugin-${name}`);
    const connect = `const s=require('net').connect(${(hole.address() as { port: number }).port},'127.0.0.1');s.on('close',()=>process.exit(1))`;
    await writeFile(plugin, `#!${process.execPath}\n${connect}\n`, { mode: 0o755 });
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: plugin, interactiveMode: 'Never' };
    const file = await written('exec', { server: 'http://127.0.0.1:9' }, { exec });
    const asked = once(hole, 'connection');
    const child = start({}, file);
    const ended = ending(child);
    const [socket] = await asked;
    child.kill(name);
    expect(await ended).toMatchObject({ end: 0 });
    socket.destroy();
  });
});

describe('an error that nobody has caught', () => {
  const frames = expect.arrayContaining([expect.stringMatching(/^\S+ node:internal\/timers:\d+:\d+$/)]);

  test.each([
    ['thrown', `(() => { throw new TypeError('secret') })()`],
    ['rejected', `Promise.reject(new TypeError('secret'))`],
  ])('is logged with its frames and without its text, and ends the process (%s)', async (_how, act) => {
    const { end, text } = await outcome(start({ NODE_OPTIONS: atOnce('uncaughtException', act) }));
    expect(end).toBe(1);
    expect(entries(text).at(-1)).toMatchObject({ level: 'error', err: 'TypeError', frames, msg: 'unforeseen error' });
    expect(text).not.toContain('secret');
  });

  test('says the same before there is a log', async () => {
    const first = fileURLToPath(new URL('../../lib/commands/first-moments.ts', import.meta.url));
    const broken = join(program.directory, 'broken.mjs');
    await writeFile(broken, "throw new TypeError('secret');\n");
    const child = started(spawn(process.execPath, ['--import', first, broken], { stdio: ['ignore', 'pipe', 'pipe'] }));
    const { end, text } = await outcome(child);
    expect(end).toBe(1);
    expect(text).toMatch(/^unforeseen error: TypeError\n {2}at file:\/\/\S+\/broken\.mjs:1:7\n/);
    expect(text).not.toContain('secret');
  });
});
