import { describe, expect, it } from '@jest/globals';
import { systemClock } from '../../lib/clock.ts';
import { WorkQueue, type WorkQueueOptions } from '../../lib/kube/queue.ts';
import { createMetrics, type Metrics } from '../../lib/metrics.ts';
import { ManualClock } from '../support/clock.ts';

describe('a work queue', () => {
  it('hands a key out once, however often it was added', async () => {
    const { queue } = make();
    for (const key of ['a', 'b', 'a', 'a']) queue.add(key);
    expect(queue.length).toBe(2);
    expect(await takeAll(queue)).toEqual(['a', 'b']);
  });

  it('keeps a key that is added while a worker holds it until the worker is done', async () => {
    const { queue } = make();
    queue.add('a');
    const first = await queue.next();
    queue.add('a');
    expect([first, queue.length]).toEqual(['a', 0]);
    queue.done('a');
    expect(await queue.next()).toBe('a');
  });

  it('does not run a key again that nobody added meanwhile', async () => {
    const { queue } = make();
    queue.add('a');
    await queue.next();
    queue.done('a');
    queue.done('a');
    expect(queue.length).toBe(0);
  });

  it('tells each time that nothing is left to do', async () => {
    const told: string[] = [];
    const { queue } = make({ onIdle: () => void told.push('idle') });
    for (const key of ['a', 'b']) queue.add(key);
    const finish = async () => {
      const key = (await queue.next()) ?? '';
      if (key === 'b') queue.add('b');
      queue.done(key);
      told.push(key);
    };
    for (let n = 0; n < 2; n += 1) await finish();
    const last = (await queue.next()) ?? '';
    expect([told, last]).toEqual([['a', 'b'], 'b']);
    queue.done(last);
    queue.done(last);
    expect(told).toEqual(['a', 'b', 'idle']);
  });

  it('wakes waiting workers in the order in which they came', async () => {
    const { queue } = make();
    const workers = [queue.next(), queue.next()];
    queue.add('a');
    queue.add('b');
    expect(await Promise.all(workers)).toEqual(['a', 'b']);
  });

  it('loses no key to a worker that stopped waiting', async () => {
    const { queue } = make();
    const leaving = new AbortController();
    const gone = queue.next(leaving.signal);
    leaving.abort(new Error('enough'));
    await expect(gone).rejects.toThrow('enough');
    await expect(queue.next(leaving.signal)).rejects.toThrow('enough');
    queue.add('a');
    expect(await queue.next()).toBe('a');
  });

  it('hands out real changes before a resync, and moves a key up when it really changes', async () => {
    const { queue } = make();
    for (const key of ['r1', 'r2', 'r3']) queue.add(key, 'low');
    queue.add('change');
    queue.add('r2');
    queue.add('change', 'low');
    expect(await takeAll(queue)).toEqual(['change', 'r2', 'r1', 'r3']);
  });

  it('lets namespaces take turns, also after a real change of each', async () => {
    const { queue } = make();
    for (let n = 1; n <= 4; n += 1) queue.add(`loud/${n}`);
    queue.add('quiet/1', 'low');
    queue.add('quiet/2');
    queue.add('cluster-wide');
    expect(await takeAll(queue)).toEqual([
      'loud/1',
      'quiet/2',
      'cluster-wide',
      'quiet/1',
      'loud/2',
      'loud/3',
      'loud/4',
    ]);
  });

  it('gives every fourth turn to a resync while real changes never end', async () => {
    const { queue } = make();
    for (let n = 1; n <= 5; n += 1) queue.add(`resync${n}`, 'low');
    for (let n = 1; n <= 3; n += 1) queue.add(`change${n}`);
    const taken: string[] = [];
    for (let n = 0; n < 12; n += 1) {
      const key = (await queue.next()) ?? '';
      taken.push(key.replace(/\d+$/, ''));
      queue.done(key);
      if (key.startsWith('change')) queue.add(key);
    }
    const three = ['change', 'change', 'change'];
    expect(taken).toEqual([...three, 'resync', ...three, 'resync', ...three, 'resync']);
  });

  it('remembers the higher priority of a key that is added while a worker holds it', async () => {
    const { queue } = make();
    queue.add('a');
    await queue.next();
    queue.add('other', 'low');
    queue.add('a', 'low');
    queue.add('a', 'high');
    queue.done('a');
    expect(await takeAll(queue)).toEqual(['a', 'other']);
  });
});

describe('deadlines of a work queue', () => {
  it('keep the earliest of a key, with one timer for all', async () => {
    const { queue, clock } = make();
    queue.addAfter('a', 5000);
    queue.addAfter('a', 2000);
    queue.addAfter('a', 9000);
    queue.addAfter('b', 3000);
    expect(clock.pending).toBe(1);
    await clock.advance(1999);
    expect(queue.length).toBe(0);
    await clock.advance(1);
    expect(await takeAll(queue)).toEqual(['a']);
    await clock.advance(60_000);
    expect(await takeAll(queue)).toEqual(['b']);
    expect(clock.pending).toBe(0);
  });

  it('are gone once the key is added at once', async () => {
    const { queue, clock } = make();
    queue.addAfter('a', 1000);
    queue.add('a');
    queue.addAfter('a', 500);
    expect(await takeAll(queue)).toEqual(['a']);
    await clock.advance(10_000);
    expect(queue.length).toBe(0);
  });

  it('run a key again that a worker still holds when it is due', async () => {
    const { queue, clock } = make();
    queue.add('a');
    await queue.next();
    queue.addAfter('a', 1000);
    await clock.advance(1000);
    expect(queue.length).toBe(0);
    queue.done('a');
    expect(queue.length).toBe(1);
  });

  it('of nothing or less mean now, and one that is no number is refused', () => {
    const { queue } = make();
    queue.addAfter('a', 0);
    queue.addAfter('b', -5);
    expect(queue.length).toBe(2);
    expect(() => queue.addAfter('c', Number.NaN)).toThrow(RangeError);
  });

  it('of 60 days do not fire at once', async () => {
    const { queue, clock } = make();
    queue.addAfter('a', 60 * 86_400_000);
    await clock.advance(59 * 86_400_000);
    expect(queue.length).toBe(0);
    await clock.advance(86_400_000);
    expect(queue.length).toBe(1);
  });
});

describe('the back-off of a work queue', () => {
  it('doubles per key from 1 s to 300 s', async () => {
    const { queue, clock } = make();
    expect(await delays(queue, clock, 11)).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300].map((s) => s * 1000));
    expect([queue.failures('a'), queue.failures('b')]).toEqual([11, 0]);
  });

  it('starts anew when the key is forgotten, and takes other limits', async () => {
    const { queue, clock } = make({ baseDelayMs: 10, maxDelayMs: 35 });
    expect(await delays(queue, clock, 4)).toEqual([10, 20, 35, 35]);
    queue.forget('a');
    expect(queue.failures('a')).toBe(0);
    expect(await delays(queue, clock, 2)).toEqual([10, 20]);
  });

  it('waits at least as long as the other side asked for', async () => {
    const { queue, clock } = make();
    queue.addRateLimited('a', 30_000);
    expect(clock.nextInMs).toBe(30_000);
  });

  it('never overflows', async () => {
    const { queue, clock } = make();
    for (let failure = 0; failure < 2000; failure += 1) queue.addRateLimited('a');
    queue.add('a');
    await takeAll(queue);
    queue.addRateLimited('a');
    await clock.advance(299_999);
    expect(queue.length).toBe(0);
    await clock.advance(1);
    expect(queue.length).toBe(1);
  });

  async function delays(queue: WorkQueue, clock: ManualClock, times: number): Promise<number[]> {
    const found = [];
    for (let time = 0; time < times; time += 1) {
      const before = clock.monotonic();
      queue.addRateLimited('a');
      await clock.advance(clock.nextInMs ?? 0);
      found.push(clock.monotonic() - before);
      await takeAll(queue);
    }
    return found;
  }
});

describe('a work queue that shuts down', () => {
  it('answers every worker, drops what waits and takes nothing more', async () => {
    const { queue, clock } = make();
    const waiting = queue.next();
    queue.addAfter('later', 1000);
    queue.shutDown();
    queue.add('a');
    queue.addAfter('b', 1);
    queue.addRateLimited('c');
    expect([await waiting, await queue.next(), queue.length, clock.pending]).toEqual([undefined, undefined, 0, 0]);
  });

  it('is drained when the last worker gave its key back', async () => {
    const { queue } = make();
    for (const key of ['a', 'b', 'c']) queue.add(key);
    await queue.next();
    await queue.next();
    let drained = false;
    const drain = queue.drained().then(() => {
      drained = true;
    });
    queue.shutDown();
    queue.done('a');
    await new Promise(setImmediate);
    expect(drained).toBe(false);
    queue.done('b');
    await drain;
    await queue.drained();
  });
});

describe('the figures of a work queue', () => {
  it('have the names of client-go', async () => {
    const { queue, clock, metrics } = make();
    for (const key of ['a', 'b', 'c']) queue.add(key);
    await clock.advance(2000);
    await queue.next();
    await clock.advance(3000);
    await queue.next();
    await clock.advance(1000);
    queue.addRateLimited('z');
    expect(await figures(metrics)).toEqual({
      'workqueue_adds_total{name="test"}': 3,
      'workqueue_depth{name="test"}': 1,
      'workqueue_longest_running_processor_seconds{name="test"}': 4,
      'workqueue_queue_duration_seconds_count{name="test"}': 2,
      'workqueue_queue_duration_seconds_sum{name="test"}': 7,
      'workqueue_retries_total{name="test"}': 1,
      'workqueue_unfinished_work_seconds{name="test"}': 5,
    });
    queue.done('a');
    expect(await figures(metrics)).toMatchObject({
      'workqueue_unfinished_work_seconds{name="test"}': 1,
      'workqueue_work_duration_seconds_count{name="test"}': 1,
      'workqueue_work_duration_seconds_sum{name="test"}': 4,
    });
  });

  it('of several queues stand side by side, and those of a closed queue vanish', async () => {
    const metrics = createMetrics();
    const [one, two] = ['one', 'two'].map((name) => make({ name, metrics }).queue);
    one?.add('a');
    two?.add('a');
    two?.add('b');
    const depths = async () =>
      Object.entries(await figures(metrics)).filter(([name]) => name.startsWith('workqueue_depth'));
    expect(await depths()).toEqual([
      ['workqueue_depth{name="one"}', 1],
      ['workqueue_depth{name="two"}', 2],
    ]);
    one?.shutDown();
    expect(await depths()).toEqual([['workqueue_depth{name="two"}', 2]]);
  });

  it('say how long the oldest key waits that no worker holds', async () => {
    const { queue, clock } = make();
    expect(queue.oldestRunnableMs).toBe(0);
    queue.add('a');
    await queue.next();
    queue.add('a');
    await clock.advance(1000);
    expect(queue.oldestRunnableMs).toBe(0);
    queue.add('b');
    await clock.advance(500);
    expect(queue.oldestRunnableMs).toBe(500);
  });
});

it('takes and hands out ten times the keys in about ten times the processor time', async () => {
  await timeFor(5_000);
  const few = await timeFor(5_000);
  // A step that walks the queue would take a hundred times as long.
  expect((await timeFor(50_000)) / few).toBeLessThan(50);
});

/** Processor time, which other work on the machine does not lengthen, for so many keys with deadlines that become runnable. */
async function timeFor(count: number): Promise<number> {
  const queue = make({ clock: systemClock }).queue;
  const start = process.cpuUsage();
  for (let key = 0; key < count; key += 1) queue.addAfter(`ns/${key}`, 1_000_000 - key);
  for (let key = 0; key < count; key += 1) queue.add(`ns/${key}`, key % 2 ? 'low' : 'high');
  expect((await takeAll(queue)).length).toBe(count);
  queue.shutDown();
  const { user, system } = process.cpuUsage(start);
  return user + system;
}

function make(options: Partial<WorkQueueOptions> = {}): { queue: WorkQueue; clock: ManualClock; metrics: Metrics } {
  const clock = new ManualClock();
  const metrics = options.metrics ?? createMetrics();
  return { queue: new WorkQueue({ name: 'test', clock, metrics, ...options }), clock, metrics };
}

async function takeAll(queue: WorkQueue): Promise<string[]> {
  const keys = [];
  while (queue.length > 0) keys.push((await queue.next()) ?? '');
  for (const key of keys) queue.done(key);
  return keys;
}

async function figures(metrics: Metrics): Promise<Record<string, number>> {
  const lines = (await metrics.metrics())
    .split('\n')
    .filter((line) => line && !line.startsWith('#') && !line.includes('_bucket'));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}
