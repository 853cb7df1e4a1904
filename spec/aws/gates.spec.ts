import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Gates } from '../../lib/aws/gates.ts';
import { Hosts } from '../../lib/aws/hosts.ts';
import { ManualClock } from '../support/clock.ts';

const OWN = 'STS eu-west-1';
const LISTED = 'STS us-east-1';
const problem = { code: 'StsUnreachable', message: 'no answer' };

let close = () => {};
afterEach(() => close());

/** Gates of an operator in eu-west-1 with 16 workers: 12 for other Regions, 2 for hosts of them that are not proven. */
function setUp(workers = 16) {
  const clock = new ManualClock();
  const hosts = new Hosts({ clock, random: () => 1 });
  const told: string[] = [];
  const gates = new Gates({ hosts, clock, region: 'eu-west-1', workers, onTurn: (key) => told.push(key) });
  close = () => gates.close();
  const enter = (key: string, on: string | string[] = OWN, namespace = 'a', validUntil?: number) =>
    gates.enter(key, [on].flat(), { namespace, validUntil });
  const fail = (host: string) => hosts.failed(host, clock.monotonic(), problem);
  /** How many of `most` keys get in. */
  const many = (most: number, hostOf: (n: number) => string) =>
    Array.from({ length: most }, (_, n) => enter(`${hostOf(n)}/${n}`, hostOf(n))).filter((shut) => shut === undefined)
      .length;
  return { clock, hosts, gates, told, enter, fail, many };
}

describe('a host that is not proven', () => {
  it('lets one in, and all that wait when it has answered', () => {
    const { hosts, told, enter } = setUp();
    expect(['k1', 'k2', 'k3'].map((key) => enter(key))).toEqual([undefined, OWN, OWN]);
    hosts.answered(OWN);
    expect([told, enter('k2'), enter('k3'), enter('k4')]).toEqual([['k2', 'k3'], undefined, undefined, undefined]);
  });

  it('lets the next one in when one has left without having asked', () => {
    const { gates, told, enter } = setUp();
    enter('k1');
    enter('k2');
    enter('k3');
    gates.leave('k1');
    expect([told, enter('k3'), enter('k2')]).toEqual([['k2'], OWN, undefined]);
  });

  it('is asked again by one after each pause, by its order and not by who asked before', async () => {
    const { clock, gates, told, enter, fail } = setUp();
    enter('late', OWN, 'a', 2000);
    fail(OWN);
    gates.leave('late');
    for (const [key, end] of [
      ['late', 2000],
      ['soon', 1000],
    ] as const)
      enter(key, OWN, 'a', end);
    await clock.advance(999);
    expect(told).toEqual([]);
    await clock.advance(1);
    expect([told, enter('late'), enter('soon')]).toEqual([['soon'], OWN, undefined]);
    fail(OWN);
    gates.leave('soon');
    await clock.advance(2000);
    expect(told).toEqual(['soon', 'late']);
  });

  it('tells those that wait why, once, and keeps their places', async () => {
    const { clock, gates, told, enter, fail } = setUp();
    enter('k1');
    enter('k2');
    enter('k3');
    expect(gates.problem(OWN)).toBeUndefined();
    fail(OWN);
    expect([told, enter('k3'), enter('k2'), gates.problem(OWN)]).toEqual([['k2', 'k3'], OWN, OWN, problem]);
    gates.leave('k1');
    await clock.advance(1000);
    expect(told).toEqual(['k2', 'k3', 'k2']);
  });

  it('gives the turn of a key that does not come to the next one', async () => {
    const { clock, gates, told, enter } = setUp();
    for (const key of ['k1', 'gone', 'next']) enter(key);
    gates.leave('k1');
    expect(told).toEqual(['gone']);
    await clock.advance(30_000);
    expect(told).toEqual(['gone', 'next']);
  });

  it('forgets a key that is wanted no more, waiting or with its turn', () => {
    const { gates, told, enter } = setUp();
    for (const key of ['k1', 'k2', 'k3', 'k4']) enter(key);
    gates.leave('k2');
    gates.leave('k1');
    gates.leave('k3');
    expect([told, gates.waiting()]).toEqual([['k3', 'k4'], 0]);
  });
});

describe('several hosts', () => {
  it('are entered together or not at all, so that nobody is kept out by one who waits elsewhere', () => {
    const { hosts, gates, told, enter, fail } = setUp();
    fail('ECR eu-west-1');
    expect(enter('both', [OWN, 'ECR eu-west-1'])).toBe('ECR eu-west-1');
    expect(enter('sts')).toBeUndefined();
    hosts.answered(OWN);
    gates.leave('sts');
    hosts.answered('ECR eu-west-1');
    expect([told, enter('both', [OWN, 'ECR eu-west-1'])]).toEqual([['both'], undefined]);
  });

  it('let a key with a turn at one of them go on waiting at the other', () => {
    const { gates, told, enter, fail } = setUp();
    enter('first');
    enter('both', [OWN, 'ECR eu-west-1']);
    enter('sts');
    fail('ECR eu-west-1');
    gates.leave('first');
    expect(told).toEqual(['both']);
    expect(enter('both', [OWN, 'ECR eu-west-1'])).toBe('ECR eu-west-1');
    expect([told, enter('sts')]).toEqual([['both', 'sts'], undefined]);
  });
});

it('a key that goes to another host gives its turn to the next one', () => {
  const { hosts, gates, told, enter } = setUp();
  hosts.answered(LISTED);
  enter('first');
  enter('moves');
  enter('next');
  gates.leave('first');
  expect(enter('moves', LISTED)).toBeUndefined();
  expect([told, enter('next')]).toEqual([['moves', 'next'], undefined]);
});

describe('hosts of other Regions', () => {
  it('share few places while they are not proven: fewer still where AWS is not known to have the Region', () => {
    const { many, enter } = setUp();
    expect(many(20, (n) => `STS us-made-${n}`)).toBe(1);
    expect(many(4, (n) => `STS ${['us-east-1', 'us-east-2', 'us-west-1', 'us-west-2'][n]}`)).toBe(2);
    expect(enter('own')).toBeUndefined();
  });

  it('take turns at these places', async () => {
    const { clock, gates, told, enter, fail } = setUp();
    const made = (n: number) => `STS us-made-${n}`;
    for (const n of [1, 2, 3]) for (const k of ['a', 'b']) enter(`${k}${n}`, made(n), k);
    const order: string[] = [];
    for (let turn = 0; turn < 5; turn += 1) {
      const key = turn === 0 ? 'a1' : (told.at(-1) ?? '');
      order.push(key);
      if (turn > 0) enter(key, made(Number(key[1])));
      fail(made(Number(key[1])));
      gates.leave(key);
      await clock.advance(2000);
    }
    expect(order.map((key) => key[1])).toEqual(['1', '2', '1', '3', '2']);
  });

  it('keep no namespace out, however many Regions another one names, also beside it at the same host', () => {
    const { gates, told, enter, fail } = setUp();
    const made = (n: number) => `STS us-made-${n}`;
    for (let n = 0; n < 40; n += 1) enter(`bad/${n}`, made(n), 'bad');
    enter('bad/new', 'STS us-new-1', 'bad', 1000);
    enter('good/new', 'STS us-new-1', 'good', 2000);
    const asked: string[] = [];
    for (const key of ['bad/0', undefined, undefined]) {
      const next = key ?? told.at(-1) ?? '';
      const host = next.endsWith('new') ? 'STS us-new-1' : made(Number(next.slice(4)));
      asked.push(host);
      expect(enter(next, host, next.split('/')[0])).toBeUndefined();
      fail(host);
      gates.leave(next);
    }
    expect(asked).toEqual([made(0), made(1), 'STS us-new-1']);
  });

  it('cost no look at all others for each key that comes to wait, and few for each place that is left', () => {
    const { hosts, gates, enter, many } = setUp();
    many(300, (n) => `STS us-made-${n}`);
    const look = jest.spyOn(hosts, 'look');
    enter('one more', 'STS us-made-one');
    expect(look.mock.calls.length).toBeLessThan(10);
    look.mockClear();
    gates.leave('STS us-made-0/0');
    expect(look.mock.calls.length).toBeLessThan(4 * 300);
  });

  it('never take all workers, also when they answer', () => {
    const { hosts, gates, told, many, enter } = setUp();
    hosts.answered(LISTED);
    expect(many(20, () => LISTED)).toBe(12);
    hosts.answered(OWN);
    expect(many(20, () => OWN)).toBe(20);
    gates.leave(`${LISTED}/0`);
    expect([told, enter(`${LISTED}/12`, LISTED)]).toEqual([[`${LISTED}/12`], undefined]);
  });

  it('have one place at least where there is one worker', () => {
    const { many } = setUp(1);
    expect(many(3, (n) => `STS us-made-${n}`)).toBe(1);
  });
});

describe('the timer', () => {
  it('is one, and there is none when nobody waits', async () => {
    const { clock, enter, fail } = setUp();
    fail(OWN);
    fail(LISTED);
    for (let n = 0; n < 50; n += 1) enter(`k${n}`, n % 2 ? OWN : LISTED);
    expect(clock.pending).toBe(1);
    await clock.advance(3_600_000);
    expect(clock.pending).toBe(0);
  });

  it('is ended with the gates, and nobody is told any more', async () => {
    const { clock, hosts, gates, told, enter, fail } = setUp();
    fail(OWN);
    enter('k');
    gates.close();
    await clock.advance(60_000);
    hosts.answered(OWN);
    expect([told, clock.pending]).toEqual([[], 0]);
  });
});
