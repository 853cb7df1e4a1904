import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Agent, type Dispatcher } from 'undici';
import { exchange, type Hooks } from '../lib/exchange.ts';
import { eventually } from './support/eventually.ts';

let answer: (response: ServerResponse) => void;
let came: string[] = [];
let cut = 0;
const server = createServer((request: IncomingMessage, response) => {
  came.push(request.url ?? '');
  response.once('close', () => {
    if (!response.writableFinished) cut += 1;
  });
  answer(response);
});
/** Has one connection, so that a second request waits for it. */
const agent = new Agent({ connections: 1 });

beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));

afterAll(async () => {
  await agent.destroy();
  server.close();
});

beforeEach(() => {
  [came, cut] = [[], 0];
  answer = (response) => response.end('ok');
});

function ask(path: string, signal = new AbortController().signal, hooks: Hooks = {}) {
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const request: Dispatcher.DispatchOptions = { origin, path, method: 'GET', headersTimeout: 0, bodyTimeout: 0 };
  return exchange(agent, request, signal, hooks);
}

/** What the promise comes to: the text of its answer, or what it rejects with. */
const outcome = (asked: ReturnType<typeof ask>) =>
  asked.then(
    ({ statusCode, text }) => `${statusCode} ${text()}`,
    (error: Error & { code?: string }) => error.code ?? error.message,
  );

test('an exchange gives the whole answer, however it comes', async () => {
  answer = (response) => {
    const bytes = Buffer.from('aüb');
    response.writeHead(201, { 'x-note': 'n' });
    response.write(bytes.subarray(0, 2), () => response.end(bytes.subarray(2)));
  };
  const { statusCode, headers, text } = await ask('/');
  expect([statusCode, headers['x-note'], text()]).toEqual([201, 'n', 'aüb']);
});

test('an exchange whose answer is cut off fails', async () => {
  answer = (response) => {
    response.writeHead(200, { 'content-length': '9' });
    response.write('a', () => response.destroy());
  };
  expect(await outcome(ask('/'))).toBe('UND_ERR_SOCKET');
});

test('an exchange gives the bytes of its answer as they come to whoever takes them', async () => {
  const got: string[] = [];
  let more = () => {};
  answer = (response) => {
    response.write('a');
    more = () => response.end('b');
  };
  const onHead: Hooks['onHead'] = ({ statusCode }) => {
    got.push(`${statusCode}`);
    return (chunk) => got.push(chunk.toString());
  };
  const asked = ask('/', undefined, { onHead });
  await eventually('the first bytes', () => got.length === 2);
  more();
  expect([(await asked).text(), got]).toEqual(['', ['200', 'a', 'b']]);
});

test('an exchange tells the head of its answer alone, and none of the hints before it', async () => {
  const heads: number[] = [];
  answer = (response) => {
    response.writeEarlyHints({ link: '</a>; rel=preload' });
    response.end('ok');
  };
  const onHead: Hooks['onHead'] = ({ statusCode }) => {
    heads.push(statusCode);
    return undefined;
  };
  expect([await outcome(ask('/', undefined, { onHead })), heads]).toEqual(['200 ok', [200]]);
});

test.each(['onHead', 'the taker'])('an exchange ends with what %s throws, and its connection with it', async (who) => {
  answer = (response) => response.write('a');
  const refuse = () => {
    throw new Error('enough');
  };
  const onHead = who === 'onHead' ? refuse : () => refuse;
  expect(await outcome(ask('/', undefined, { onHead }))).toBe('enough');
  await eventually('the connection to have been cut', () => cut === 1);
});

test.each([
  ['says its size', { 'content-length': '1025' }, 0],
  ['does not', {}, 1_025],
])('an answer that is too large and %s ends, and its connection with it', async (_what, headers, bytes) => {
  const taken: number[] = [];
  answer = (response) => {
    response.writeHead(200, headers);
    response.write('x'.repeat(bytes || 1));
  };
  const onHead: Hooks['onHead'] = () => (chunk) => taken.push(chunk.length);
  expect(await outcome(ask('/', undefined, { onHead, mostBytes: () => 1_024 }))).toBe('AnswerTooLarge');
  expect(taken).toEqual([]);
  await eventually('the connection to have been cut', () => cut === 1);
});

test('an answer may be as large as it may, by its head', async () => {
  answer = (response) => response.end('x'.repeat(1_024));
  const mostBytes: Hooks['mostBytes'] = ({ statusCode }) => (statusCode === 200 ? 1_024 : 0);
  expect(await outcome(ask('/', undefined, { mostBytes }))).toBe(`200 ${'x'.repeat(1_024)}`);
});

test('that an answer is too large says whose it was and what was the most', async () => {
  answer = (response) => response.end('x'.repeat(3_000_000));
  const { port } = server.address() as AddressInfo;
  const most = (bytes: number) => ask('/', undefined, { mostBytes: () => bytes }).catch(String);
  expect([await most(2_048), await most(2 * 1_048_576)]).toEqual([
    `TooLarge: the answer of http://127.0.0.1:${port} is larger than 2 KiB`,
    `TooLarge: the answer of http://127.0.0.1:${port} is larger than 2 MiB`,
  ]);
});

test('an exchange that may not start is not sent', async () => {
  const mayStart = () => {
    throw new Error('the term is over');
  };
  expect([await outcome(ask('/no', undefined, { mayStart })), await outcome(ask('/next'))]).toEqual([
    'the term is over',
    '200 ok',
  ]);
  expect(came).toEqual(['/next']);
});

test('an exchange ends at once with its signal, whether it is under way, waits for a connection, or comes too late', async () => {
  answer = () => {};
  const stop = new AbortController();
  const asked = [ask('/running', stop.signal), ask('/waiting', stop.signal)];
  await eventually('the first to have come', () => came.length === 1);
  stop.abort(new Error('ended'));
  expect(await Promise.all([...asked, ask('/late', stop.signal)].map(outcome))).toEqual(['ended', 'ended', 'ended']);
  answer = (response) => response.end('ok');
  expect(await outcome(ask('/next'))).toBe('200 ok');
  expect(came).toEqual(['/running', '/next']);
  await eventually('the connection of the first to have been cut', () => cut === 1);
});
