import { describe, expect, test } from '@jest/globals';
import type { Dispatcher } from 'undici';
import type { Connection } from '../../lib/kube/connection.ts';
import { secrets } from '../../lib/kube/objects.ts';
import { Requests } from '../../lib/kube/requests.ts';
import { createMetrics } from '../../lib/metrics.ts';
import { ManualClock } from '../support/clock.ts';

/** A connection that opens new ways with each login, and notes on which way a request went. */
function connection(statuses: number[]): { connection: Connection; went: number[] } {
  const went: number[] = [];
  let way = 0;
  const dispatcher = (number: number) => ({
    dispatch(_request: unknown, handler: Dispatcher.DispatchHandler) {
      went.push(number);
      const running = {} as Dispatcher.DispatchController;
      handler.onRequestStart?.(running, {});
      handler.onResponseStart?.(running, statuses.shift() ?? 0, {});
      handler.onResponseData?.(running, Buffer.from('a'));
      handler.onResponseEnd?.(running, {});
    },
  });
  const renew = async () => {
    way += 1;
  };
  const headers = async () => {
    await renew();
    return {};
  };
  return {
    connection: {
      server: 'https://localhost:6443',
      dispatcher: () => dispatcher(way) as unknown as Dispatcher,
      headers,
      refreshAuth: renew,
      reconnect: () => {},
      close: async () => {},
    },
    went,
  };
}

test.each([
  ['the way that its login has opened', [200], [1]],
  ['the newest way when the first login is refused', [401, 200], [1, 3]],
])('a watch goes %s', async (_what, statuses, ways) => {
  const { connection: given, went } = connection(statuses);
  const requests = new Requests({ connection: given, clock: new ManualClock(), metrics: createMetrics() });
  const opened: string[] = [];
  await requests.stream({ verb: 'watch', resource: secrets }, new AbortController().signal, () => {
    opened.push('opened');
    return (chunk) => opened.push(chunk.toString());
  });
  expect({ went, opened }).toEqual({ went: ways, opened: ['opened', 'a'] });
});

describe('a page of a list', () => {
  const patience = { headMs: 60_000, gapMs: 30_000 };
  const call = { verb: 'list', resource: secrets } as const;

  /** A server whose answer the test gives piece by piece. */
  function slow() {
    const clock = new ManualClock();
    const reconnected: number[] = [];
    let handler: Dispatcher.DispatchHandler = {};
    const abort = (reason: Error) => handler.onResponseError?.(controller, reason);
    const controller = { abort } as unknown as Dispatcher.DispatchController;
    const dispatcher = {
      dispatch(_request: unknown, given: Dispatcher.DispatchHandler) {
        handler = given;
        handler.onRequestStart?.(controller, {});
      },
    } as unknown as Dispatcher;
    const given = { ...connection([]).connection, dispatcher: () => dispatcher };
    given.reconnect = (sentAt: number) => void reconnected.push(sentAt);
    const requests = new Requests({ connection: given, clock, metrics: createMetrics() });
    return {
      clock,
      requests,
      reconnected,
      head: (status = 200, headers = {}) => handler.onResponseStart?.(controller, status, headers),
      piece: (text: string) => handler.onResponseData?.(controller, Buffer.from(text)),
      end: () => handler.onResponseEnd?.(controller, {}),
    };
  }

  test('takes any time as long as its bytes come', async () => {
    const { clock, requests, head, piece, end } = slow();
    const page = requests.page(call, patience);
    await clock.advance(59_999);
    head();
    for (const text of ['{"items":', '["a",', '"b"', ']', '}']) {
      await clock.advance(29_999);
      piece(text);
    }
    end();
    expect(await page).toEqual({ value: { items: ['a', 'b'] }, bytes: 19 });
    expect(clock.pending).toBe(0);
  });

  test.each([
    ['before it begins', 60_000, false],
    ['after it has begun', 30_000, true],
  ])('ends on silence %s, and other connections are used', async (_what, ms, hasBegun) => {
    const { clock, requests, reconnected, head } = slow();
    const page = requests.page(call, patience).catch((error: unknown) => error);
    await clock.advance(0);
    if (hasBegun) head();
    await clock.advance(ms - 1);
    expect(reconnected).toEqual([]);
    await clock.advance(1);
    expect(await page).toMatchObject({ code: 'Unreachable', timedOut: true });
    expect(reconnected).toEqual([0]);
  });

  test('that is refused tells when to ask again, by the time of the server', async () => {
    const { clock, requests, head, end } = slow();
    const page = requests.page(call, patience).catch((error: unknown) => error);
    await clock.advance(0);
    head(503, { date: 'Wed, 21 Oct 2020 07:28:00 GMT', 'retry-after': 'Wed, 21 Oct 2020 07:28:20 GMT' });
    end();
    expect(await page).toMatchObject({ status: 503, retryAfterMs: 20_000 });
  });

  test('that is refused says why', async () => {
    const { clock, requests, head, piece, end } = slow();
    const page = requests.page(call, patience).catch((error: unknown) => error);
    await clock.advance(0);
    head(429);
    piece('{"kind":"Status","reason":"TooManyRequests"}');
    end();
    expect(await page).toMatchObject({ status: 429, code: 'TooManyRequests', timedOut: false });
  });
});
