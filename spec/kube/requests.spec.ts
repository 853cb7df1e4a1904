import { expect, test } from '@jest/globals';
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
