import { createServer, type Server } from 'node:http';
import { createSecureServer, type Http2SecureServer } from 'node:http2';
import { createServer as createTlsServer } from 'node:https';
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { SecretValue, type Session } from '../../lib/api/credentials.ts';
import { awsDispatcher } from '../../lib/aws/dispatcher.ts';
import { Ecr } from '../../lib/aws/ecr.ts';
import type { AwsOptions } from '../../lib/aws/options.ts';
import { StsClient, type StsContext } from '../../lib/aws/sts-client.ts';
import { Transport } from '../../lib/aws/transport.ts';
import { systemClock, withDeadline } from '../../lib/clock.ts';
import { exchange } from '../../lib/exchange.ts';
import { createLogger } from '../../lib/log.ts';
import { createMetrics } from '../../lib/metrics.ts';
import { createAuthority } from '../lab/certificates.ts';
import { eventually, HANG_LIMIT_MS } from '../support/eventually.ts';
import { callerXml } from './stub-aws.ts';

/** Of a call that nothing else ends, where that is what the test is about. */
const LIMIT_MS = 300;
const closers: (() => void)[] = [];
const session: Session = {
  accessKeyId: 'ASIA1',
  secretAccessKey: new SecretValue('secret'),
  sessionToken: new SecretValue('token'),
  issuedAt: 0,
  expiresAt: 0,
  assumedRoleArn: 'arn',
};

afterEach(() => {
  for (const close of closers.splice(0)) close();
});

const portOf = (address: string) => Number(address.split(':').at(-1));

async function listen(server: Server | TcpServer | Http2SecureServer): Promise<string> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A server that says this to whoever connects and sends something, and then no more. */
const saying = (text: string) =>
  listen(createTcpServer((socket) => socket.on('error', () => {}).once('data', () => socket.write(text))));

interface Given extends Partial<AwsOptions> {
  limitMs?: number;
  signal?: AbortSignal;
}

/** Posts within a deadline; gives the text of the answer, or the code or name of what went wrong. */
async function outcome(url: string, { limitMs = HANG_LIMIT_MS, signal, ...options }: Given = {}): Promise<unknown> {
  const dispatcher = awsDispatcher({ region: 'eu-west-1', ...options });
  const { origin } = new URL(url);
  const request = { origin, path: '/', method: 'POST' as const, body: 'x=1' };
  try {
    const send = (limited: AbortSignal) => exchange(dispatcher, request, limited);
    return (await withDeadline(systemClock, limitMs, signal, send)).text();
  } catch (error) {
    const { code, name } = error as { code?: unknown; name?: string };
    return typeof code === 'string' ? code : name;
  } finally {
    await dispatcher.destroy();
  }
}

test('a post gives the whole answer', async () => {
  const server = createServer((request, response) => {
    request.resume().once('end', () => {
      response.write('a');
      response.end('ü');
    });
  });
  expect(await outcome(`http://${await listen(server)}/`)).toBe('aü');
});

test.each([
  ['opens the way and then says nothing', 'HTTP/1.1 200 Connection established\r\n\r\n'],
  ['never ends the head of its answer', 'HTTP/1.1 200 Connection'],
  ['says nothing', ''],
])('a post through a proxy that %s ends at its deadline, or with the time for a connection', async (_what, text) => {
  const proxyEnv = { HTTPS_PROXY: `http://${await saying(text)}` };
  const url = 'https://sts.example.com/';
  expect(await outcome(url, { proxyEnv, limitMs: LIMIT_MS })).toBe('TimeoutError');
  const short = { proxyEnv, connectTimeoutMs: 50 };
  expect(await outcome(url, short)).toMatch(/^UND_ERR_(CONNECT|HEADERS)_TIMEOUT$/);
});

test.each([
  [
    'another protocol',
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n',
    'UND_ERR_SOCKET',
  ],
  ['no HTTP', 'hello\r\n\r\n', 'HTTPParserError'],
  ['a head alone', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab', 'TimeoutError'],
])('a post that is answered with %s ends', async (_what, text, code) => {
  const limit = code === 'TimeoutError' ? { limitMs: LIMIT_MS } : {};
  expect(await outcome(`http://${await saying(text)}/`, limit)).toBe(code);
});

test('a post whose answer is cut off fails', async () => {
  const server = createServer((request, response) => {
    request.resume().once('end', () => {
      response.writeHead(200, { 'content-length': '50' });
      response.write('<a>', () => response.destroy());
    });
  });
  expect(await outcome(`http://${await listen(server)}/`)).toBe('UND_ERR_SOCKET');
});

test('a post ends with its signal, before it is sent and while it waits for the answer', async () => {
  const url = `http://${await saying('')}/`;
  const stop = new AbortController();
  const reason = Object.assign(new Error('ended'), { code: 'ENDED' });
  const waiting = outcome(url, { signal: stop.signal });
  stop.abort(reason);
  expect([await waiting, await outcome(url, { signal: AbortSignal.abort(reason) })]).toEqual(['ENDED', 'ENDED']);
});

/** A proxy that notes what it is asked for and refuses it. */
async function refusing(status: number): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.writeHead(status).end();
  });
  server.on('connect', (request, socket) => {
    asked.push(`${request.method} ${request.url}`);
    socket.end(`HTTP/1.1 ${status} No\r\n\r\n`);
  });
  return { url: `http://${await listen(server)}`, asked };
}

test.each([
  ['HTTPS_PROXY', 'https://a.example/', ['CONNECT a.example:443']],
  ['https_proxy', 'https://a.example:8443/', ['CONNECT a.example:8443']],
  ['HTTP_PROXY', 'http://a.example/', ['POST http://a.example/']],
  ['http_proxy', 'http://a.example/', ['POST http://a.example/']],
  ['HTTP_PROXY', 'https://localhost:1/', []],
  ['HTTPS_PROXY', 'http://localhost:1/', []],
])('the proxy of %s is asked for %s as curl asks it: %j', async (name, url, expected) => {
  const { url: proxy, asked } = await refusing(407);
  await outcome(url, { proxyEnv: { [name]: proxy } });
  expect(asked).toEqual(expected);
});

/** A transport with these options, and what its calls of STS and ECR come to: the text of the error. */
function callers(options: Partial<AwsOptions>) {
  const log = createLogger({ level: 'error' });
  const aws = { region: 'eu-west-1', ...options };
  const transport = new Transport({ aws, clock: systemClock, log, metrics: createMetrics() });
  closers.push(() => void transport.close());
  const context: StsContext<'GetCallerIdentity'> = {
    service: 'STS',
    operation: 'GetCallerIdentity',
    region: 'eu-west-1',
  };
  const credentials = { accessKeyId: 'AKIA1', secretAccessKey: 'secret' };
  const text = (asked: Promise<unknown>) => asked.then(() => 'answered', String);
  return {
    transport,
    sts: () => text(new StsClient(transport).ask(context, {}, credentials, undefined)),
    ecr: () => text(new Ecr({ transport }).authorizationToken({ region: 'eu-west-1', roleArn: 'arn', session })),
  };
}

const refused = (service: string) => `(${service}Unreachable, ERR_PROXY_TUNNEL). The proxy of HTTPS_PROXY refused`;

test.each(['https://a.example', 'http://a.example'])(
  'that the proxy refuses a call to %s is told as such',
  async (endpoint) => {
    const { url } = await refusing(407);
    const { sts, ecr } = callers({ endpoint, proxyEnv: { HTTPS_PROXY: url, HTTP_PROXY: url } });
    expect(await sts()).toContain(refused('Sts'));
    expect(await ecr()).toContain(refused('Ecr'));
  },
);

test('that the proxy cuts the connection is told as a refusal, too', async () => {
  const cutting = await listen(createTcpServer((socket) => socket.once('data', () => socket.destroy())));
  const { sts, ecr } = callers({ endpoint: 'https://a.example', proxyEnv: { HTTPS_PROXY: `http://${cutting}` } });
  expect(await sts()).toContain(refused('Sts'));
  expect(await ecr()).toContain(refused('Ecr'));
});

describe('through a proxy with TLS, which offers HTTP/2, too', () => {
  /** A proxy under this name to a server that knows one answer, both with certificates of one authority. */
  async function proxied(name: string): Promise<Partial<AwsOptions>> {
    const authority = await createAuthority();
    const server = createTlsServer(await authority.issue('localhost'), (_request, response) => {
      response.end(callerXml('arn:aws:iam::123456789012:user/ci'));
    });
    const port = portOf(await listen(server));
    const proxy = createSecureServer({ ...(await authority.issue(name)), allowHTTP1: true });
    proxy.on('connect', (request: { httpVersion: string }, socket: Socket) => {
      if (request.httpVersion !== '1.1') return;
      const onward = connect(port, '127.0.0.1', () => socket.write('HTTP/1.1 200 Connection established\r\n\r\n'));
      onward.pipe(socket).pipe(onward);
      for (const end of [socket, onward]) end.on('error', () => onward.destroy());
    });
    const proxyEnv = { HTTPS_PROXY: `https://localhost:${portOf(await listen(proxy))}` };
    return { endpoint: `https://localhost:${port}`, proxyEnv, ca: authority.cert };
  }

  test('a call is answered', async () => {
    expect(await callers(await proxied('localhost')).sts()).toBe('answered');
  });

  test('a call says what is wrong with the certificate of the proxy', async () => {
    expect(await callers(await proxied('other')).sts()).toContain(
      '(StsUnreachable, ERR_TLS_CERT_ALTNAME_INVALID). The certificate of the other side is not trusted',
    );
  });
});

test.each([
  ['directly', () => undefined],
  ['through a proxy', (server: string) => ({ HTTP_PROXY: `http://${server}` })],
])('a request without a deadline ends %s when nothing comes for long', async (_what, proxyEnvOf) => {
  const server = await saying('');
  const options = { callTimeoutMs: 50, proxyEnv: proxyEnvOf(server) };
  expect(await outcome(`http://${server}/`, options)).toBe('UND_ERR_HEADERS_TIMEOUT');
});

/** A server of STS that promises to keep connections for long; tells how many are open. */
async function keeping(): Promise<{ endpoint: string; open: () => number }> {
  let open = 0;
  const server = createServer((request, response) => {
    response.setHeader('keep-alive', 'timeout=600');
    request.resume().once('end', () => response.end(callerXml('arn:aws:iam::123456789012:user/ci')));
  });
  server.keepAliveTimeout = 600_000;
  server.on('connection', (socket: Socket) => {
    open += 1;
    socket.once('close', () => {
      open -= 1;
    });
  });
  return { endpoint: `http://${await listen(server)}`, open: () => open };
}

test('a connection is closed before AWS would, also where the other side promises to keep it for longer', async () => {
  const { endpoint, open } = await keeping();
  expect([await callers({ endpoint }).sts(), open()]).toEqual(['answered', 1]);
  await eventually('the connection to be closed', () => open() === 0);
});

test('a transport that is closed leaves no connection', async () => {
  const [kept, left] = [await keeping(), await keeping()];
  const { sts, transport } = callers({ endpoint: left.endpoint });
  expect([await callers(kept).sts(), await sts(), kept.open(), left.open()]).toEqual(['answered', 'answered', 1, 1]);
  await transport.close();
  await eventually('the connection to be closed', () => left.open() === 0);
  // The older one of a transport that is not closed would have ended first for want of use.
  expect(kept.open()).toBe(1);
});

test.each([
  ['localhost', []],
  ['.localhost', []],
  ['x.example, localhost:1', []],
  ['*', []],
  ['x.example,localhost:2', ['CONNECT localhost:1']],
  ['', ['CONNECT localhost:1']],
])('what NO_PROXY names, as %j, is reached without the proxy', async (noProxy, expected) => {
  const { url, asked } = await refusing(407);
  await outcome('https://localhost:1/', { proxyEnv: { HTTPS_PROXY: url, NO_PROXY: noProxy } });
  expect(asked).toEqual(expected);
});

test('the process has no proxy but what it is told', async () => {
  const { url, asked } = await refusing(407);
  const before = process.env.HTTPS_PROXY;
  process.env.HTTPS_PROXY = url;
  try {
    expect(await outcome('https://localhost:1/', { proxyEnv: {} })).toBe('ECONNREFUSED');
    const none = { HTTP_PROXY: '', HTTPS_PROXY: '', NO_PROXY: '' };
    expect(await outcome('https://localhost:1/', { proxyEnv: none })).toBe('ECONNREFUSED');
    expect(await outcome('https://localhost:1/')).toBe('ECONNREFUSED');
  } finally {
    if (before === undefined) delete process.env.HTTPS_PROXY;
    else process.env.HTTPS_PROXY = before;
  }
  expect(asked).toEqual([]);
});
