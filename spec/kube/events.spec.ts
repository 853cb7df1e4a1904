import { describe, expect, it } from '@jest/globals';
import { KubeError } from '../../lib/kube/errors.ts';
import { EventRecorder, type KubeEvent } from '../../lib/kube/events.ts';
import { type KubeObject, events as resource } from '../../lib/kube/objects.ts';
import { createLogger } from '../../lib/log.ts';
import { createMetrics } from '../../lib/metrics.ts';
import { ManualClock } from '../support/clock.ts';

describe('an event recorder', () => {
  it('writes a core/v1 Event about the object', async () => {
    const { recorder, written } = make();
    recorder.record(object('app', { resourceVersion: '7' }), 'Normal', 'Issued', 'valid until noon');
    await recorder.idle();
    expect(written).toEqual([
      {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name: expect.stringMatching(/^app\.[0-9a-f]{16}$/), namespace: 'ns' },
        involvedObject: {
          apiVersion: 'pincette.net/v1',
          kind: 'AWSAssumeRole',
          namespace: 'ns',
          name: 'app',
          uid: 'uid-app',
          resourceVersion: '7',
        },
        type: 'Normal',
        reason: 'Issued',
        message: 'valid until noon',
        source: { component: 'rolevend' },
        reportingComponent: 'rolevend',
        reportingInstance: 'pod-1',
        firstTimestamp: '2026-01-01T00:00:00Z',
        lastTimestamp: '2026-01-01T00:00:00Z',
        count: 1,
      },
    ]);
  });

  it('writes about cluster-scoped objects into the namespace default', async () => {
    const { recorder, written } = make();
    recorder.record({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' } }, 'Warning', 'Odd', 'x');
    await recorder.idle();
    expect(written[0]).toMatchObject({
      metadata: { namespace: 'default' },
      involvedObject: { apiVersion: 'v1', kind: 'Node', name: 'n' },
    });
  });

  it('keeps names valid and messages short, however long object and text are', async () => {
    const { recorder, written } = make();
    recorder.record(object(`${'a'.repeat(235)}-.${'b'.repeat(16)}`), 'Normal', 'Issued', 'm'.repeat(5000));
    await recorder.idle();
    expect(written[0]?.metadata.name).toMatch(/^a{235}\.[0-9a-f]{16}$/);
    expect(written[0]?.message).toBe(`${'m'.repeat(1023)}…`);
  });

  it('writes one reason about one object at most once in 5 minutes, whatever the message', async () => {
    const { recorder, written, clock } = make();
    const say = (name: string, reason: string, message = 'x') =>
      recorder.record(object(name), 'Normal', reason, message);
    say('a', 'Issued', 'one');
    say('a', 'Issued', 'two');
    say('a', 'Refreshed');
    say('b', 'Issued');
    await clock.advance(299_999);
    say('a', 'Issued');
    await clock.advance(1);
    say('a', 'Issued', 'later');
    await recorder.idle();
    expect(written.map((event) => [event.involvedObject.name, event.reason, event.message])).toEqual([
      ['a', 'Issued', 'one'],
      ['a', 'Refreshed', 'x'],
      ['b', 'Issued', 'x'],
      ['a', 'Issued', 'later'],
    ]);
  });

  it('takes an object that was created anew for another one', async () => {
    const { recorder, written } = make();
    recorder.record(object('a'), 'Normal', 'Issued', 'x');
    recorder.record(object('a', { uid: 'other' }), 'Normal', 'Issued', 'x');
    await recorder.idle();
    expect(written.length).toBe(2);
  });

  it('gives way to other work until that is done, for 10 s at most', async () => {
    const { recorder, written, clock } = make();
    const names = () => written.map(({ involvedObject }) => involvedObject.name);
    recorder.record(object('a'), 'Normal', 'Issued', 'x');
    await clock.advance(4_000);
    expect(names()).toEqual([]);
    recorder.flush();
    recorder.record(object('b'), 'Normal', 'Issued', 'x');
    await clock.advance(9_999);
    expect(names()).toEqual(['a']);
    await clock.advance(1);
    expect(names()).toEqual(['a', 'b']);
  });

  it('has four requests under way at most, and gives up what exceeds 5000', async () => {
    const answers: (() => void)[] = [];
    let most = 0;
    const { recorder, dropped } = make(
      () =>
        new Promise<void>(
          (resolve) =>
            (most = Math.max(
              most,
              answers.push(() => resolve()),
            )),
        ),
    );
    for (let n = 0; n < 5010; n += 1) recorder.record(object(`o${n}`), 'Normal', 'Issued', 'x');
    const idle = recorder.idle();
    expect([most, await dropped('queue_full')]).toEqual([4, 10]);
    let count = 0;
    for (let answer = answers.shift(); answer !== undefined; answer = answers.shift()) {
      answer();
      count += 1;
      await new Promise(setImmediate);
    }
    await idle;
    expect([most, count]).toEqual([4, 5000]);
  });

  it('writes at its end what it has, within a time, and gives up the rest', async () => {
    const { recorder, written } = make();
    recorder.record(object('a'), 'Normal', 'Issued', 'x');
    await recorder.close(1_000);
    expect(written.length).toBe(1);

    const slow = make(() => new Promise(() => {}));
    for (let n = 0; n < 7; n += 1) slow.recorder.record(object(`o${n}`), 'Normal', 'Issued', 'x');
    const closed = slow.recorder.close(1_000);
    await slow.clock.advance(1_000);
    await closed;
    expect(await slow.dropped('closed')).toBe(3);
    await slow.clock.advance(10_000);
    expect(slow.written.length).toBe(0);
  });

  it('tells how often it happened since when, once it tells again', async () => {
    const { recorder, written, clock } = make();
    for (let minute = 0; minute <= 25; minute += 1) {
      recorder.record(object('a'), 'Warning', 'RefreshFailed', 'AccessDenied');
      await clock.advance(60_000);
    }
    await recorder.idle();
    const told = written.map(({ count, firstTimestamp: first, lastTimestamp: last }) => ({ count, first, last }));
    const first = '2026-01-01T00:00:00Z';
    expect(told).toEqual([
      { count: 1, first, last: first },
      { count: 6, first, last: '2026-01-01T00:05:00Z' },
      { count: 26, first, last: '2026-01-01T00:25:00Z' },
    ]);
  });

  it('tells at its usual pace again what was over in between', async () => {
    const { recorder, written, clock } = make();
    const fail = () => recorder.record(object('a'), 'Warning', 'RefreshFailed', 'AccessDenied');
    for (let minute = 0; minute <= 30; minute += 1) {
      fail();
      await clock.advance(60_000);
    }
    recorder.over(object('a'), ['RefreshFailed']);
    fail();
    await recorder.idle();
    expect(written.map(({ count }) => count)).toEqual([1, 6, 26, 1]);
  });

  it('leaves a server alone that asks for it, and tries three times then', async () => {
    const refused = (status: number) => Promise.reject(failed(status, [], 7_000));
    let refusals = 3;
    const { recorder, written, dropped, tried, clock } = make(() => {
      refusals -= 1;
      return refusals >= 0 ? refused(429) : Promise.resolve();
    });
    recorder.record(object('a'), 'Normal', 'Issued', 'x');
    recorder.flush();
    await clock.advance(6_999);
    recorder.record(object('b'), 'Normal', 'Issued', 'x');
    recorder.flush();
    expect(tried()).toBe(1);
    await clock.advance(1);
    expect(tried()).toBe(3);
    await clock.advance(7_000);
    expect([written.map(({ involvedObject }) => involvedObject.name).sort(), await dropped('failed')]).toEqual([
      ['a', 'b'],
      undefined,
    ]);
    refusals = 3;
    recorder.record(object('c'), 'Normal', 'Issued', 'x');
    const idle = recorder.idle();
    await clock.advance(21_000);
    await idle;
    expect(await dropped('failed')).toBe(1);
  });

  it('does not wait for a server that it leaves alone when it ends', async () => {
    const { recorder, dropped, clock } = make(() => Promise.reject(failed(503, [], 60_000)));
    recorder.record(object('a'), 'Normal', 'Issued', 'x');
    const closed = recorder.close(1_000);
    await clock.advance(1_000);
    await closed;
    expect([await dropped('closed'), clock.pending]).toEqual([1, 0]);
  });

  it('survives every failure, counts it, and lets the next one of its kind try again', async () => {
    let failures = 1;
    const { recorder, written, dropped, log } = make(async () => {
      failures -= 1;
      if (failures >= 0) throw failed(500, []);
    });
    recorder.record(object('a'), 'Normal', 'Issued', 'x');
    await recorder.idle();
    recorder.record(object('a'), 'Normal', 'Issued', 'x');
    await recorder.idle();
    expect([written.length, await dropped('failed'), log.length]).toEqual([1, 1, 1]);
  });

  it('survives a client that throws before it sends', async () => {
    const { recorder, dropped } = make(() => {
      throw new Error('fenced');
    });
    recorder.record(object('a'), 'Normal', 'Issued', 'x');
    await recorder.idle();
    expect(await dropped('failed')).toBe(1);
  });

  it('is quiet about a namespace that is being deleted', async () => {
    const { recorder, dropped, log } = make(() => Promise.reject(failed(403, ['NamespaceTerminating'])));
    recorder.record(object('a'), 'Normal', 'Issued', 'x');
    await recorder.idle();
    expect([await dropped('failed'), log]).toEqual([undefined, []]);
  });

  it('remembers no more than 50,000 Events', async () => {
    const { recorder, written } = make();
    const about = (n: number) => recorder.record(object(`o${n}`), 'Normal', 'Issued', 'x');
    for (let n = 0; n <= 50_000; n += 1) {
      about(n);
      if (n % 500 === 0) await recorder.idle();
    }
    about(50_000);
    about(0);
    await recorder.idle();
    expect(written.length).toBe(50_002);
  });
});

function make(answer: () => Promise<unknown> = async () => {}) {
  const clock = new ManualClock();
  const metrics = createMetrics();
  const written: KubeEvent[] = [];
  const log: string[] = [];
  let requests = 0;
  const create = (where: unknown, event: KubeObject): Promise<never> => {
    expect(where).toBe(resource);
    requests += 1;
    return answer().then(() => written.push(event as KubeEvent)) as Promise<never>;
  };
  const recorder = new EventRecorder({
    client: { create },
    clock,
    metrics,
    log: createLogger({ level: 'debug', destination: { write: (line) => void log.push(line) } }),
    instance: 'pod-1',
  });
  const dropped = async (cause: string) =>
    (await metrics.getSingleMetric('rolevend_events_dropped_total')?.get())?.values.find(
      ({ labels }) => labels.cause === cause,
    )?.value;
  return { recorder, written, clock, dropped, log, tried: () => requests };
}

function object(name: string, metadata: { uid?: string; resourceVersion?: string } = {}): KubeObject {
  return {
    apiVersion: 'pincette.net/v1',
    kind: 'AWSAssumeRole',
    metadata: { name, namespace: 'ns', uid: `uid-${name}`, ...metadata },
  };
}

function failed(status: number, causes: string[], retryAfterMs?: number): KubeError {
  return new KubeError({ verb: 'create', resource }, { status, code: 'Failed', causes, retryAfterMs });
}
