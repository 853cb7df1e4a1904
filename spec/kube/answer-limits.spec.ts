import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { Agent } from 'undici';
import { mostBytes } from '../../lib/kube/answer-limits.ts';
import { KubeClient } from '../../lib/kube/client.ts';
import type { Connection } from '../../lib/kube/connection.ts';
import { type Resource, secrets } from '../../lib/kube/objects.ts';
import { createMetrics } from '../../lib/metrics.ts';
import { ManualClock } from '../support/clock.ts';
import { eventually } from '../support/eventually.ts';

const MIB = 1_048_576;
const metadata = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';

test.each([
  ['get', {}, 200, 16],
  ['update', {}, 201, 16],
  ['get', { accept: metadata }, 200, 4],
  ['list', {}, 200, 32],
  ['list', { accept: metadata.replace(';g=', 'List;g=') }, 200, 32],
  ['create', { subresource: 'token' }, 201, 0.25],
  ['list', {}, 403, 0.25],
  ['get', {}, 502, 0.25],
])('the answer to %s with %j and status %i has at most %d MiB', (verb, call, statusCode, size) => {
  expect(mostBytes({ verb, resource: secrets, ...call }, { statusCode, headers: {} })).toBe(size * MIB);
});

const closers: (() => unknown)[] = [];
let origin: string;
let isCut = false;
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** A client of something at the place of an API server that answers with 64 MiB. */
async function endless(statusCode: number): Promise<KubeClient> {
  isCut = false;
  const server = createServer((_request, response) => {
    response.writeHead(statusCode);
    response
      .on('error', () => {})
      .once('close', () => {
        isCut = true;
      });
    let left = 256;
    const more = () => {
      left -= 1;
      if (left === 0) return response.end();
      if (!isCut && !response.write(Buffer.alloc(MIB / 4, 'x'))) return response.once('drain', more);
      return isCut ? undefined : setImmediate(more);
    };
    more();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const agent = new Agent();
  closers.push(
    () => agent.destroy(),
    () => server.close(),
  );
  const connection: Connection = {
    server: origin,
    dispatcher: () => agent,
    headers: async () => ({}),
    refreshAuth: async () => {},
    reconnect() {},
    close: async () => {},
  };
  return new KubeClient({ connection, clock: new ManualClock(), metrics: createMetrics() });
}

const ref = { namespace: 'team', name: 'one' };
const problem = (call: Promise<unknown>) =>
  call.then(
    () => 'answered',
    ({ code, consequence, message }) => ({ code, consequence, message }),
  );
const tooLarge = (what: string) => ({
  code: 'AnswerTooLarge',
  consequence: 'retry',
  message: `${what}. No API server sends that much: check what answers at ${origin}`,
});

test.each<[string, (client: KubeClient, resource: Resource) => Promise<unknown>, string, string]>([
  [
    'an object',
    (client, kind) => client.get(kind, ref),
    'get secrets team/one',
    'the answer of ORIGIN is larger than 16 MiB',
  ],
  [
    'a page of a list',
    (client, kind) => client.list(kind),
    'list secrets',
    'the answer of ORIGIN is larger than 32 MiB',
  ],
  [
    'an event of a watch',
    (client, kind) =>
      client.watch(kind, {
        resourceVersion: '1',
        timeoutSeconds: 300,
        idleMs: 75_000,
        signal: new AbortController().signal,
        onEvent() {},
      }),
    'watch secrets',
    'an event of the watch is larger than 16 MiB',
  ],
])('%s that is too large ends the call with a code, and the connection', async (_what, ask, call, what) => {
  const client = await endless(200);
  expect(await problem(ask(client, secrets))).toEqual(
    tooLarge(`${call}: AnswerTooLarge: ${what.replace('ORIGIN', origin)}`),
  );
  await eventually('the connection to be cut', () => isCut);
});

test('of a refusal that is too large the status is told', async () => {
  const client = await endless(503);
  expect(await problem(client.get(secrets, ref))).toEqual({
    code: 'ServiceUnavailable',
    consequence: 'retry',
    message: 'get secrets team/one: 503 ServiceUnavailable',
  });
  await eventually('the connection to be cut', () => isCut);
});
