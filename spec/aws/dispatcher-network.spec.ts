import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import { type AddressInfo, connect, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Dispatcher } from 'undici';
import { SecretValue, type Session } from '../../lib/api/credentials.ts';
import { awsDispatcher } from '../../lib/aws/dispatcher.ts';
import { Ecr } from '../../lib/aws/ecr.ts';
import type { AwsOptions } from '../../lib/aws/options.ts';
import { Transport } from '../../lib/aws/transport.ts';
import { systemClock } from '../../lib/clock.ts';
import { awsNetwork } from '../../lib/commands/network.ts';
import { exchange } from '../../lib/exchange.ts';
import { createLogger } from '../../lib/log.ts';
import { createMetrics } from '../../lib/metrics.ts';
import { Lookup } from '../../lib/net/lookup.ts';
import { createAuthority } from '../lab/certificates.ts';
import { ManualClock } from '../support/clock.ts';
import { eventually } from '../support/eventually.ts';
import { type NameServer, startNameServer, type Zone } from '../support/name-server.ts';

const OWN = 'sts.eu-west-1.aws.test';
const closers: (() => unknown)[] = [];
const { signal } = new AbortController();
let directory: string;
let lines: { path?: string; problem?: string }[] = [];
const log = createLogger({ destination: { write: (line) => lines.push(JSON.parse(line)) } });

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rolevend-dispatcher-'));
});
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  lines = [];
});
afterAll(() => rm(directory, { recursive: true }));

async function listen<T extends Server>(server: T): Promise<{ server: T; port: number }> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => server.close());
  return { server, port: (server.address() as AddressInfo).port };
}

/** Answers each request on a connection of its own. */
const once =
  (text = 'ok'): RequestListener =>
  (request, response) => {
    request.resume().once('end', () => response.setHeader('connection', 'close').end(text));
  };

async function names(zones: Record<string, Zone>): Promise<{ lookup: Lookup; server: NameServer }> {
  const server = await startNameServer(zones);
  closers.push(() => server.stop());
  const none = join(directory, 'none');
  const machine = { servers: [server.address], hostsFile: none, resolvConf: none, families: () => [4 as const] };
  return { lookup: new Lookup({ ...machine, clock: systemClock, log }), server };
}

function open(options: Partial<AwsOptions>): Dispatcher {
  const dispatcher = awsDispatcher({ region: 'eu-west-1', ...options });
  closers.push(() => dispatcher.destroy());
  return dispatcher;
}

/** The text of the answer, or the code of what went wrong. */
const post = (dispatcher: Dispatcher, origin: string) =>
  exchange(dispatcher, { origin, path: '/', method: 'POST', body: 'x=1' }, signal).then(
    ({ text }) => text(),
    (error: { code: string }) => error.code,
  );

describe('names', () => {
  test('of a zone that no name server answers for do not hold up those of the own Region', async () => {
    const { port } = await listen(createServer(once()));
    const { lookup } = await names({ [OWN]: { ipv4: ['127.0.0.1'] }, '*.iso.test': 'silent' });
    const dispatcher = open({ lookup: lookup.forSockets });
    let ended = 0;
    const dead = Array.from({ length: 12 }, async (_, n) => {
      const code = await post(dispatcher, `http://sts.r${n}.iso.test:${port}`);
      ended += 1;
      return code;
    });
    const good: string[] = [];
    for (let n = 0; n < 18; n += 1) good.push(await post(dispatcher, `http://${OWN}:${port}`));
    expect({ good: new Set(good), ended }).toEqual({ good: new Set(['ok']), ended: 0 });
    const codes = new Set(await Promise.all(dead));
    // On a busy machine the time for a connection may be over first.
    expect([...codes].filter((code) => !['EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT'].includes(code))).toEqual([]);
  });

  test('are asked for once for all connections, and calls go on when all name servers are gone', async () => {
    const { port } = await listen(createServer(once()));
    const { lookup, server } = await names({ [OWN]: { ipv4: ['127.0.0.1'], ttl: 1 } });
    const dispatcher = open({ lookup: lookup.forSockets });
    const all = await Promise.all(Array.from({ length: 20 }, () => post(dispatcher, `http://${OWN}:${port}`)));
    expect([new Set(all), server.asked]).toEqual([new Set(['ok']), [`A ${OWN}`]]);
    const { zones } = server;
    server.zones = { [OWN]: 'silent' };
    await eventually('the time of the answer to be over', async () => {
      expect(await post(dispatcher, `http://${OWN}:${port}`)).toBe('ok');
      return server.asked.length > 1;
    });
    server.zones = zones;
    await eventually('the question to be asked again', () => server.asked.length > 2);
  });

  test('of proxies are looked up, too, and those behind them by the proxy alone', async () => {
    const asked: string[] = [];
    const { port } = await listen(createServer(once()));
    const proxy = await listen(createServer());
    proxy.server.on('connect', (request, socket: Socket) => {
      asked.push(request.url ?? '');
      const onward = connect(port, '127.0.0.1', () => socket.write('HTTP/1.1 200 Connection established\r\n\r\n'));
      onward.pipe(socket).pipe(onward);
      for (const end of [socket, onward]) end.on('error', () => onward.destroy());
    });
    const { lookup, server } = await names({ 'proxy.corp.test': { ipv4: ['127.0.0.1'] } });
    const proxyEnv = { HTTPS_PROXY: `http://proxy.corp.test:${proxy.port}` };
    const dispatcher = open({ lookup: lookup.forSockets, proxyEnv });
    // The other side speaks no TLS, which is as far as the proxy is concerned.
    expect(await post(dispatcher, `https://${OWN}`)).toMatch(/SSL|UND_ERR_SOCKET|EPROTO|ECONNRESET/);
    expect([asked, server.asked]).toEqual([[`${OWN}:443`], ['A proxy.corp.test']]);
  });
});

describe('a certificate bundle', () => {
  async function file(text: string): Promise<string> {
    const path = join(directory, 'bundle.pem');
    await writeFile(`${path}.new`, text);
    await rename(`${path}.new`, path);
    return path;
  }

  async function setUp(text?: string) {
    const clock = new ManualClock();
    const [old, next] = await Promise.all([createAuthority(), createAuthority()]);
    const { server, port } = await listen<TlsServer>(createTlsServer(await old.issue('localhost'), once(text)));
    const path = await file(old.cert);
    const options = awsNetwork({ AWS_CA_BUNDLE: path }, { clock, log });
    const later = () => clock.advance(5_000);
    return { later, old, next, server, path, options, url: `https://localhost:${port}` };
  }

  test('that is replaced holds for the next connections, and one that is broken never does', async () => {
    const { later, old, next, server, path, options, url } = await setUp();
    const dispatcher = open(options);
    const seen = [await post(dispatcher, url)];
    for (const broken of ['', next.cert.slice(0, 300), `${old.cert}${next.cert.slice(0, 300)}`]) {
      await file(broken);
      await later();
      seen.push(await post(dispatcher, url));
    }
    server.setSecureContext(await next.issue('localhost'));
    seen.push(await post(dispatcher, url));
    await file(next.cert);
    await later();
    seen.push(await post(dispatcher, url));
    expect(seen).toEqual(['ok', 'ok', 'ok', 'ok', expect.stringMatching(/CERT|UNABLE/), 'ok']);
    expect(lines.filter((line) => line.path)).toMatchObject([
      { path, problem: 'is empty' },
      { path, problem: 'is cut off or damaged' },
    ]);
  });

  test('that is replaced holds for the clients of the AWS SDK, too', async () => {
    const token = { authorizationToken: Buffer.from('AWS:token').toString('base64') };
    const { later, next, server, options, url } = await setUp(JSON.stringify({ authorizationData: [token] }));
    const aws = { region: 'eu-west-1', endpoint: url, ...options };
    const transport = new Transport({ aws, clock: systemClock, log, metrics: createMetrics() });
    closers.push(() => transport.close());
    const session: Session = {
      accessKeyId: 'ASIA1',
      secretAccessKey: new SecretValue('secret'),
      sessionToken: new SecretValue('token'),
      issuedAt: 0,
      expiresAt: 0,
      assumedRoleArn: 'arn',
    };
    const input = { region: 'eu-west-1', roleArn: 'arn', session };
    const ecr = () =>
      new Ecr({ transport }).authorizationToken(input).then(
        ({ username }) => username,
        (error: { code: string }) => error.code,
      );
    server.setSecureContext(await next.issue('localhost'));
    const seen = [await ecr()];
    await file(next.cert);
    await later();
    expect([...seen, await ecr()]).toEqual(['EcrUnreachable', 'AWS']);
  });

  test('that is replaced leaves what is under way alone', async () => {
    const { later, next, options } = await setUp();
    const waiting: (() => void)[] = [];
    const { port } = await listen(createServer((_request, response) => waiting.push(() => response.end('ok'))));
    const dispatcher = open(options);
    const asked = post(dispatcher, `http://127.0.0.1:${port}`);
    await eventually('the request to come', () => waiting.length === 1);
    await file(next.cert);
    await later();
    const second = post(dispatcher, `http://127.0.0.1:${port}`);
    await eventually('the second to come', () => waiting.length === 2);
    for (const end of waiting) end();
    expect(await Promise.all([asked, second])).toEqual(['ok', 'ok']);
  });
});

test.each([
  ['body', 'UND_ERR_RES_EXCEEDED_MAX_SIZE', (write: (text: string) => boolean) => write('x'.repeat(65_536))],
  ['head', 'UND_ERR_HEADERS_OVERFLOW', (write: (text: string) => boolean) => write(`x-a: ${'x'.repeat(1_024)}\r\n`)],
])('an answer whose %s is too large ends the call and its connection', async (part, code, more) => {
  let isCut = false;
  const { port } = await listen(
    createTcpServer((socket) => {
      socket
        .on('error', () => {})
        .once('close', () => {
          isCut = true;
        });
      socket.write(`HTTP/1.1 200 OK\r\n${part === 'body' ? '\r\n' : ''}`);
      let left = 128;
      const go = () => {
        left -= 1;
        if (left === 0) return socket.end();
        if (!isCut && !more((text) => socket.write(text))) return socket.once('drain', go);
        return isCut ? undefined : setImmediate(go);
      };
      socket.once('data', go);
    }),
  );
  expect(await post(open({}), `http://127.0.0.1:${port}`)).toBe(code);
  await eventually('the connection to be cut', () => isCut);
});
