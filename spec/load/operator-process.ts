// An operator in a process of its own, on a clock that its parent puts forward. Argument: `ProcessStart` as JSON.
import { subscribe } from 'node:diagnostics_channel';
import { sleep, systemClock } from '../../lib/clock.ts';
import { SkipClock } from '../support/clock.ts';
import { startOperator, type TestOperator } from '../support/operator.ts';
import { holdings, watchHoldings } from './holdings.ts';
import type { Ask, ProcessStart, Settled } from './messages.ts';

/** Real time in which a timer that has come due gets to do its work, or to send its request. */
const TURN_MS = 2;

/** Requests to the API server that have no answer yet; of watches only those that were not accepted yet. */
const inFlight = new Set<object>();

function followRequests(): void {
  const ended = (message: unknown) => inFlight.delete((message as { request: object }).request);
  subscribe('undici:request:create', (message) => inFlight.add((message as { request: object }).request));
  subscribe('undici:request:headers', (message) => {
    const { path } = (message as { request: { path: string } }).request;
    if (path.includes('watch=true')) ended(message);
  });
  subscribe('undici:request:trailers', ended);
  subscribe('undici:request:error', ended);
}

async function figure({ metrics }: TestOperator, name: string): Promise<number> {
  return (await metrics.getSingleMetric(name)?.get())?.values[0]?.value ?? 0;
}

/** Waits until no pass runs or is due, and every request has its answer. */
async function settle(started: TestOperator, clock: SkipClock): Promise<Settled> {
  for (;;) {
    await sleep(systemClock, TURN_MS);
    const busy =
      (await figure(started, 'controller_runtime_active_workers')) + (await figure(started, 'workqueue_depth'));
    const nextInMs = clock.nextInMs ?? Number.POSITIVE_INFINITY;
    if (busy === 0 && inFlight.size === 0 && nextInMs > TURN_MS) return { nextInMs };
  }
}

watchHoldings();
followRequests();
const clock = new SkipClock();
const { kubeconfig, endpoint, region, keys, namespaces, config } = JSON.parse(process.argv[2] ?? '') as ProcessStart;
const started = await startOperator({
  plane: { kubeconfig },
  aws: { endpoint, region },
  keys,
  namespaces,
  config,
  clock,
});
process.on('disconnect', () => process.exit(1));
process.on('message', (message) => void answer(message as { id: number; ask: Ask; ms: number }));
process.send?.({ id: 0 });

async function answer({ id, ask, ms }: { id: number; ask: Ask; ms: number }): Promise<void> {
  if (ask === 'stop') {
    await started.stop();
    process.exit(0);
  }
  if (ask === 'skip') clock.skip(ms);
  // The log would grow, and is nothing of the operator's.
  started.log.length = 0;
  const settled = await settle(started, clock);
  process.send?.({ id, result: ask === 'measure' ? await holdings(clock.pending) : settled });
}
