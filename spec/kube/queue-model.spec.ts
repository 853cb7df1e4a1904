import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type Priority, WorkQueue } from '../../lib/kube/queue.ts';
import { createMetrics } from '../../lib/metrics.ts';
import { ManualClock } from '../support/clock.ts';

/** What must be known of a queue to judge it: when each key has to be handed out at the latest, and who holds what. */
interface Model {
  now: number;
  due: Map<string, number>;
  priority: Map<string, Priority>;
  held: string[];
  /** How many high keys were handed out since the last low one. */
  sinceLow: number;
}

interface Real {
  clock: ManualClock;
  queue: WorkQueue;
}

type Step = fc.AsyncCommand<Model, Real>;

const keys = fc.constantFrom('a', 'b', 'c', 'd');
const steps = [
  fc.tuple(keys, fc.constantFrom<Priority>('high', 'low')).map(([key, priority]) => add(key, priority)),
  fc.tuple(keys, fc.integer({ min: 1, max: 40 })).map(([key, ms]) => addAfter(key, ms)),
  fc.integer({ min: 1, max: 25 }).map(advance),
  fc.constant(take()),
  fc.nat(3).map(finish),
];

describe('a work queue under any sequence of steps', () => {
  it('never gives a key to two workers, loses nothing, keeps the earliest deadline and gives one of four turns to what is less urgent', async () => {
    await fc.assert(
      fc.asyncProperty(fc.commands(steps, { size: '+1' }), (commands) => fc.asyncModelRun(start, commands)),
      { numRuns: 300 },
    );
  });

  it('gives every key out after all workers are done and all deadlines passed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.commands(steps.slice(0, 4), { size: '+1' }), async (commands) => {
        const run = start();
        await fc.asyncModelRun(() => run, commands);
        await run.real.clock.advance(1000);
        for (const key of run.model.held) run.real.queue.done(key);
        const rest = [];
        while (run.real.queue.length > 0) rest.push(await run.real.queue.next());
        expect(rest.sort()).toEqual([...run.model.due.keys()].sort());
      }),
      { numRuns: 200 },
    );
  });
});

function start(): { model: Model; real: Real } {
  const clock = new ManualClock();
  const queue = new WorkQueue({ name: 'model', clock, metrics: createMetrics() });
  const model: Model = { now: 0, due: new Map(), priority: new Map(), held: [], sinceLow: 0 };
  return { model, real: { clock, queue } };
}

function add(key: string, priority: Priority): Step {
  return step(`add(${key}, ${priority})`, (model, { queue }) => {
    queue.add(key, priority);
    const queued = isDue(model, key);
    if (!queued || priority === 'high') model.priority.set(key, priority);
    model.due.set(key, Math.min(model.now, model.due.get(key) ?? model.now));
  });
}

function addAfter(key: string, ms: number): Step {
  return step(`addAfter(${key}, ${ms})`, (model, { queue }) => {
    queue.addAfter(key, ms);
    if (!model.due.has(key)) model.priority.set(key, 'high');
    model.due.set(key, Math.min(model.now + ms, model.due.get(key) ?? model.now + ms));
  });
}

function advance(ms: number): Step {
  return step(`advance(${ms})`, async (model, { clock }) => {
    await clock.advance(ms);
    model.now += ms;
  });
}

function take(): Step {
  return step('take()', async (model, { queue }) => {
    const runnable = [...model.due.keys()].filter((key) => isDue(model, key) && !model.held.includes(key));
    expect(queue.length).toBe(runnable.length);
    if (runnable.length === 0) return;
    const key = (await queue.next()) ?? '';
    expect(runnable).toContain(key);
    const waits = (priority: Priority) => runnable.some((other) => model.priority.get(other) === priority);
    const isTurnOfLow = waits('low') && (!waits('high') || model.sinceLow >= 3);
    expect(model.priority.get(key)).toBe(isTurnOfLow ? 'low' : 'high');
    model.sinceLow = isTurnOfLow ? 0 : model.sinceLow + 1;
    model.held.push(key);
    model.due.delete(key);
    model.priority.delete(key);
  });
}

function finish(worker: number): Step {
  return step(`finish(${worker})`, (model, { queue }) => {
    const [key] = model.held.splice(worker, 1);
    if (key !== undefined) queue.done(key);
  });
}

function isDue(model: Model, key: string): boolean {
  return (model.due.get(key) ?? Number.POSITIVE_INFINITY) <= model.now;
}

function step(name: string, run: (model: Model, real: Real) => void | Promise<void>): Step {
  return { check: () => true, run: async (model, real) => run(model, real), toString: () => name };
}
