import { describe, expect, it } from '@jest/globals';
import { Hosts } from '../../lib/aws/hosts.ts';
import { ManualClock } from '../support/clock.ts';

const STS = 'STS eu-west-1';
const problem = { code: 'StsUnreachable', message: 'no answer' };

function setUp() {
  const clock = new ManualClock();
  const hosts = new Hosts({ clock, random: () => 0.5 });
  const news: [string, boolean][] = [];
  hosts.onNews((host, isProven) => news.push([host, isProven]));
  const fail = () => hosts.failed(STS, clock.monotonic(), problem);
  const pauseMs = () => hosts.look(STS).retryAt - clock.monotonic();
  return { clock, hosts, news, fail, pauseMs };
}

describe('a host', () => {
  it('is not proven before its first answer, and then is', () => {
    const { hosts, news } = setUp();
    expect(hosts.look(STS)).toEqual({ isProven: false, retryAt: Number.NEGATIVE_INFINITY });
    hosts.answered(STS);
    hosts.answered(STS);
    expect([hosts.look(STS).isProven, news]).toEqual([true, [[STS, true]]]);
  });

  it('that does not answer is asked again after pauses that double, up to half a minute', async () => {
    const { clock, fail, pauseMs } = setUp();
    const pauses: number[] = [];
    for (let n = 0; n < 7; n += 1) {
      fail();
      pauses.push(pauseMs());
      await clock.advance(60_000);
    }
    expect(pauses).toEqual([750, 1500, 3000, 6000, 12_000, 22_500, 22_500]);
  });

  it('tells what its first failed call told until it answers, once', async () => {
    const { clock, hosts, news, fail } = setUp();
    fail();
    await clock.advance(1000);
    hosts.failed(STS, clock.monotonic(), { ...problem, message: 'something else' });
    expect([hosts.look(STS).problem, news]).toEqual([problem, [[STS, false]]]);
    hosts.answered(STS);
    expect([hosts.look(STS).problem, news.length]).toEqual([undefined, 2]);
    fail();
    expect(hosts.look(STS).problem).toEqual(problem);
  });

  it('counts many calls that fail together once', async () => {
    const { clock, hosts, pauseMs } = setUp();
    const began = clock.monotonic();
    await clock.advance(3000);
    for (let n = 0; n < 64; n += 1) {
      await clock.advance(1);
      hosts.failed(STS, began + n, problem);
    }
    await clock.advance(0);
    expect(pauseMs()).toBeLessThan(1000);
  });

  it('stays proven where a call was lost that began before the last answer', async () => {
    const { clock, hosts } = setUp();
    const began = clock.monotonic();
    await clock.advance(100);
    hosts.answered(STS);
    await clock.advance(20_000);
    hosts.failed(STS, began, problem);
    expect(hosts.look(STS).isProven).toBe(true);
  });

  it('is forgotten when many others were asked since', () => {
    const { hosts } = setUp();
    hosts.answered(STS);
    for (let n = 0; n < 600; n += 1) hosts.answered(`STS us-made-${n}`);
    expect([hosts.look(STS).isProven, hosts.look('STS us-made-599').isProven]).toEqual([false, true]);
  });
});
