import { afterEach, describe, expect, it } from '@jest/globals';
import { type Clock, sleep, systemClock } from '../../lib/clock.ts';
import { type Consequence, RolevendError } from '../../lib/errors.ts';
import { Controller, type Reconcile } from '../../lib/kube/controller.ts';
import { WorkQueue } from '../../lib/kube/queue.ts';
import { createLogger } from '../../lib/log.ts';
import { createMetrics } from '../../lib/metrics.ts';
import { ManualClock } from '../support/clock.ts';
import { eventually } from '../support/eventually.ts';

const running: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of running.splice(0)) await stop();
});

describe('a controller', () => {
  it('runs a pass for each key and forgets its failures', async () => {
    const { queue, passes, clock } = start(async () => undefined);
    queue.addRateLimited('ns/b');
    queue.add('ns/a');
    await clock.advance(1000);
    expect({ passes, failures: queue.failures('ns/b') }).toEqual({ passes: ['ns/a', 'ns/b'], failures: 0 });
  });

  it('comes again after the time that the pass asks for', async () => {
    const { queue, passes, clock } = start(async () => ({ requeueAfterMs: 60_000 }));
    queue.add('a');
    await clock.advance(59_999);
    expect(passes).toEqual(['a']);
    await clock.advance(1);
    expect(passes).toEqual(['a', 'a']);
  });

  it('works on so many keys at once, but never twice on one', async () => {
    const open: string[] = [];
    const { queue, clock } = start((key) => new Promise(() => open.push(key)), { concurrency: 3 });
    for (const key of ['a', 'b', 'a', 'c', 'd']) queue.add(key);
    await clock.advance(0);
    queue.add('a');
    await clock.advance(0);
    expect(open).toEqual(['a', 'b', 'c']);
    running.length = 0;
  });

  it.each<[string, Error, number[]]>([
    ['any error: with back-off', new TypeError('oops'), [0, 1000, 3000, 7000]],
    ['retry: with back-off', failure('retry'), [0, 1000, 3000, 7000]],
    ['wait: with back-off', failure('wait'), [0, 1000, 3000, 7000]],
    ['retry with a time: not before it', failure('retry', 5000), [0, 5000]],
    ['stop: never', failure('stop'), [0]],
  ])('tries again after %s', async (_title, error, times) => {
    const at: number[] = [];
    const { queue, clock } = start(async () => {
      at.push(clock.monotonic());
      throw error;
    });
    queue.add('a');
    await clock.advance(8000);
    expect(at).toEqual(times);
  });

  it('goes on after a pass that throws before its first wait, or asks for a time that is none', async () => {
    const { queue, passes, clock, log } = start((key) => {
      if (key === 'thrower') throw new Error('at once');
      return Promise.resolve(key === 'nan' ? { requeueAfterMs: Number.NaN } : undefined);
    });
    for (const key of ['thrower', 'nan', 'good']) queue.add(key);
    await clock.advance(500);
    expect({ passes, failures: [queue.failures('thrower'), queue.failures('nan')] }).toEqual({
      passes: ['thrower', 'nan', 'good'],
      failures: [1, 1],
    });
    const frames = expect.arrayContaining([expect.stringMatching(/:\d+:\d+$/)]);
    expect(log()).toEqual([
      {
        level: 'warn',
        key: 'thrower',
        err: 'Error',
        failures: 1,
        msg: 'pass failed, will try again',
        controller: 'test',
        frames,
      },
      {
        level: 'warn',
        key: 'nan',
        err: 'RangeError',
        failures: 1,
        msg: 'pass failed, will try again',
        controller: 'test',
        frames,
      },
    ]);
  });

  it('logs an error that only a change can end, and what is merely waited for not at all', async () => {
    const { queue, clock, log } = start(async (key) => {
      throw failure(key as Consequence);
    });
    queue.add('wait');
    queue.add('stop');
    await clock.advance(10);
    expect(log()).toEqual([
      {
        level: 'error',
        key: 'stop',
        err: 'Trouble: it failed',
        msg: 'pass failed for good, waiting for a change',
        controller: 'test',
      },
    ]);
  });

  it('counts under the names of controller-runtime', async () => {
    const { queue, clock, metrics } = start(
      async (key) => {
        await sleep(clock, 100);
        if (key === 'fail') throw failure('retry');
        if (key === 'stop') throw failure('stop');
        return key === 'again' ? { requeueAfterMs: 3_600_000 } : undefined;
      },
      { concurrency: 2 },
    );
    for (const key of ['ok', 'fail', 'again', 'stop']) queue.add(key);
    await clock.advance(50);
    const active = async () =>
      (await metrics.getSingleMetric('controller_runtime_active_workers')?.get())?.values[0]?.value;
    expect(await active()).toBe(2);
    await clock.advance(500);
    expect(await active()).toBe(0);
    const text = await metrics.metrics();
    const lines = text.split('\n').filter((line) => /^controller_runtime_(?!.*_bucket)(?!.*seconds_sum)/.test(line));
    expect(lines).toEqual([
      'controller_runtime_reconcile_total{controller="test",result="success"} 1',
      'controller_runtime_reconcile_total{controller="test",result="requeue_after"} 1',
      'controller_runtime_reconcile_total{controller="test",result="error"} 2',
      'controller_runtime_reconcile_errors_total{controller="test"} 2',
      'controller_runtime_terminal_reconcile_errors_total{controller="test"} 1',
      'controller_runtime_reconcile_time_seconds_count{controller="test"} 4',
      'controller_runtime_active_workers{controller="test"} 0',
      'controller_runtime_max_concurrent_reconciles{controller="test"} 2',
    ]);
  });

  it('lets timers have a turn while passes never wait', async () => {
    let hasTicked = false;
    const { queue, passes } = start(
      async () => {
        spin(1);
        // There is always one more, so that only a turn for the timer ends it. One that gets none must not hang.
        if (!hasTicked && passes.length < 5_000) queue.add(String(passes.length));
        return undefined;
      },
      { clock: systemClock },
    );
    systemClock.after(5, () => {
      hasTicked = true;
    });
    queue.add('0');
    await eventually('the timer, or the last of all passes', () => hasTicked || passes.length >= 5_000);
    expect(passes.length).toBeLessThan(5_000);
  });
});

describe('a controller that is told to stop', () => {
  it('aborts the running passes, starts none and ends when they have ended', async () => {
    const clock = new ManualClock();
    const { queue, passes, stop, log } = start(
      (_key, signal) => sleep(clock, 3_600_000, signal).then(() => undefined),
      { clock },
    );
    queue.add('a');
    queue.add('b');
    await clock.advance(10);
    await stop();
    expect({ passes, log: log() }).toEqual({ passes: ['a'], log: [] });
  });

  it('waits for a pass that finishes its work', async () => {
    let finish = () => {};
    const { queue, clock, stop } = start(() => new Promise((resolve) => (finish = () => resolve(undefined))));
    queue.add('a');
    await clock.advance(10);
    let stopped = false;
    const stopping = stop().then(() => {
      stopped = true;
    });
    await clock.advance(5000);
    expect(stopped).toBe(false);
    finish();
    await stopping;
  });

  it('ends at once when it was stopped before it started', async () => {
    const { queue, controller } = make(async () => undefined);
    queue.add('a');
    await controller.run(AbortSignal.abort());
  });
});

describe('the health of a controller', () => {
  it('is bad when keys wait for 3 minutes and no pass starts or ends', async () => {
    const { queue, clock, controller } = start(() => new Promise(() => {}));
    queue.add('stuck');
    await clock.advance(10);
    queue.add('waiting');
    await clock.advance(179_999);
    expect(controller.healthy()).toBe(true);
    await clock.advance(1);
    expect(controller.healthy()).toBe(false);
    running.length = 0;
  });

  it('is good while nothing waits, however long, and right after a key came', async () => {
    const { queue, clock, controller } = start(() => new Promise(() => {}));
    queue.add('stuck');
    await clock.advance(3_600_000);
    expect(controller.healthy()).toBe(true);
    queue.add('new');
    expect(controller.healthy()).toBe(true);
    running.length = 0;
  });

  it('is good while passes end, although others wait for long', async () => {
    const { queue, clock, controller } = start(async () => {
      await sleep(clock, 100_000);
      return undefined;
    });
    for (const key of ['a', 'b', 'c', 'd']) queue.add(key);
    await clock.advance(290_000);
    expect(controller.healthy()).toBe(true);
    await clock.advance(200_000);
  });

  it('is good on a standby, whose controller does not run', async () => {
    const { queue, clock, controller } = make(async () => undefined);
    queue.add('a');
    await clock.advance(3_600_000);
    expect(controller.healthy()).toBe(true);
  });
});

interface Options<C extends Clock> {
  concurrency?: number;
  clock?: C;
}

function make<C extends Clock = ManualClock>(
  reconcile: Reconcile,
  { concurrency = 1, clock = new ManualClock() as Clock as C }: Options<C> = {},
) {
  const metrics = createMetrics();
  const lines: string[] = [];
  const passes: string[] = [];
  const queue = new WorkQueue({ name: 'test', clock, metrics });
  const controller = new Controller({
    name: 'test',
    queue,
    concurrency,
    clock,
    metrics,
    log: createLogger({ level: 'info', destination: { write: (line) => void lines.push(line) } }),
    reconcile: (key, signal) => {
      passes.push(key);
      return reconcile(key, signal);
    },
  });
  const log = () => lines.map((line) => ({ ...(JSON.parse(line) as object), time: undefined }));
  return { queue, controller, metrics, passes, clock, log };
}

function start<C extends Clock = ManualClock>(reconcile: Reconcile, options: Options<C> = {}) {
  const made = make(reconcile, options);
  const end = new AbortController();
  const run = made.controller.run(end.signal);
  const stop = () => {
    end.abort();
    return run;
  };
  running.push(stop);
  return { ...made, stop };
}

function failure(consequence: Consequence, retryAfterMs?: number): RolevendError {
  return new RolevendError('it failed', { code: 'Trouble', consequence, retryAfterMs });
}

function spin(ms: number): undefined {
  const end = systemClock.monotonic() + ms;
  while (systemClock.monotonic() < end);
}
