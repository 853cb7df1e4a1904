import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { TimeWatch } from '../../lib/aws/time-watch.ts';
import { createLogger } from '../../lib/log.ts';
import { ManualClock } from '../support/clock.ts';

const HOUR = 3_600_000;
const LOOK_MS = 15_000;
let end = new AbortController();

beforeEach(() => {
  end = new AbortController();
});
afterEach(() => end.abort());

/** A watch beside an AWS that answers unless told otherwise. */
function watched() {
  const clock = new ManualClock();
  const lines: Record<string, unknown>[] = [];
  const log = createLogger({ destination: { write: (line) => lines.push(JSON.parse(line)) } });
  const first = Promise.withResolvers<void>();
  const aws = { isUp: true, asked: 0, answeredAt: Number.NEGATIVE_INFINITY, timeKnown: first.promise };
  const recheck = async () => {
    aws.asked += 1;
    if (aws.isUp) aws.answeredAt = clock.monotonic();
  };
  const watch = new TimeWatch({ clock, log, identity: { recheck }, transport: aws });
  const steps: number[] = [];
  const forget = watch.onStep(() => steps.push(clock.monotonic()));
  const running = watch.start(end.signal);
  return { clock, lines, aws, steps, forget, running, watch, answer: first.resolve };
}

describe('the watch over the two clocks of the machine', () => {
  it('asks nothing while they go together', async () => {
    const { clock, aws, steps } = watched();
    await clock.advance(2 * HOUR);
    clock.step(1_900);
    await clock.advance(HOUR);
    expect([aws.asked, steps]).toEqual([0, []]);
  });

  it.each([-HOUR, HOUR, 2_000])('asks AWS once after a step of %i ms, and then tells', async (stepMs) => {
    const { clock, aws, steps, lines } = watched();
    await clock.advance(HOUR);
    clock.step(stepMs);
    await clock.advance(LOOK_MS);
    expect([aws.asked, steps]).toEqual([1, [HOUR + LOOK_MS]]);
    expect(lines).toMatchObject([{ level: 'warn', stepSeconds: stepMs / 1000 }]);
    await clock.advance(HOUR);
    expect(aws.asked).toBe(1);
  });

  it('asks again until AWS answers, and tells only then', async () => {
    const { clock, aws, steps } = watched();
    aws.isUp = false;
    clock.step(HOUR);
    await clock.advance(4 * LOOK_MS);
    expect([aws.asked, steps]).toEqual([4, []]);
    aws.isUp = true;
    await clock.advance(LOOK_MS);
    expect([aws.asked, steps]).toEqual([5, [5 * LOOK_MS]]);
  });

  it('waits for the first answer of AWS, but not for longer than a second', async () => {
    const { clock, watch, answer } = watched();
    const order: string[] = [];
    void watch.known(end.signal).then(() => order.push('enough'));
    await clock.advance(999);
    order.push('999 ms');
    await clock.advance(1);
    void watch.known(end.signal).then(() => order.push('answered'));
    answer();
    await clock.advance(0);
    expect([order, clock.pending]).toEqual([['999 ms', 'enough', 'answered'], 1]);
  });

  it('tells nobody who does not listen any more', async () => {
    const { clock, steps, forget } = watched();
    forget();
    clock.step(HOUR);
    await clock.advance(LOOK_MS);
    expect(steps).toEqual([]);
  });

  it('ends at once with its signal, also while AWS does not answer', async () => {
    const { clock, aws, running } = watched();
    aws.isUp = false;
    clock.step(HOUR);
    await clock.advance(LOOK_MS);
    end.abort();
    await running;
    expect(clock.pending).toBe(0);
  });
});
