import { createServer, Agent as HttpAgent, type Server } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Socket, type Server as TcpServer } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { post } from '../../lib/aws/post.ts';
import { systemClock, withDeadline } from '../../lib/clock.ts';

const LIMIT_MS = 300;
const closers: (() => void)[] = [];

afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function listen(server: Server | TcpServer): Promise<string> {
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

interface Given {
  proxy?: string;
  connectTimeoutMs?: number;
  signal?: AbortSignal;
}

/** Posts within a deadline; gives the text of the answer, or the name or code of what went wrong. */
async function outcome(url: string, { proxy, connectTimeoutMs = 5_000, signal }: Given = {}): Promise<unknown> {
  const common = { keepAlive: true, ...(proxy && { proxyEnv: { HTTPS_PROXY: `http://${proxy}` } }) };
  const agents = { httpAgent: new HttpAgent(common), httpsAgent: new HttpsAgent(common) };
  const course = { sent: () => {}, answered: () => {} };
  const options = { url: new URL(url), headers: {}, body: 'x=1', agents, clock: systemClock, connectTimeoutMs, course };
  try {
    const sent = withDeadline(systemClock, LIMIT_MS, signal, (limited) => post({ ...options, signal: limited }));
    return (await sent).text;
  } catch (error) {
    const { code, name } = error as { code?: unknown; name?: string };
    return typeof code === 'string' ? code : name;
  } finally {
    agents.httpAgent.destroy();
    agents.httpsAgent.destroy();
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
  const proxy = await saying(text);
  expect(await outcome('https://sts.example.com/', { proxy })).toBe('TimeoutError');
  expect(await outcome('https://sts.example.com/', { proxy, connectTimeoutMs: 50 })).toBe('ETIMEDOUT');
});

test.each([
  ['another protocol', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n', 'ECONNRESET'],
  ['no HTTP', 'hello\r\n\r\n', 'HPE_INVALID_CONSTANT'],
  ['a head alone', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab', 'TimeoutError'],
])('a post that is answered with %s ends', async (_what, text, code) => {
  expect(await outcome(`http://${await saying(text)}/`)).toBe(code);
});

test('a post whose answer is cut off fails', async () => {
  const server = createServer((request, response) => {
    request.resume().once('end', () => {
      response.writeHead(200, { 'content-length': '50' });
      response.write('<a>', () => response.destroy());
    });
  });
  expect(await outcome(`http://${await listen(server)}/`)).toBe('ECONNRESET');
});

test('a post ends with its signal, before it is sent and while it waits for the answer', async () => {
  const url = `http://${await saying('')}/`;
  const stop = new AbortController();
  const reason = Object.assign(new Error('ended'), { code: 'ENDED' });
  const waiting = outcome(url, { signal: stop.signal });
  stop.abort(reason);
  expect([await waiting, await outcome(url, { signal: AbortSignal.abort(reason) })]).toEqual(['ENDED', 'ENDED']);
});
