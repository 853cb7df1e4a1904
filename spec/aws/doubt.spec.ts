import { describe, expect, it } from '@jest/globals';
import { DoubtPace } from '../../lib/aws/doubt.ts';

const SECOND = 1000;

/** When doubts are let through, in seconds, where STS accepts the credentials at once and a refusal comes every second. */
function doubts(pace: DoubtPace, from: number, to: number): number[] {
  let acceptedAt = from * SECOND;
  const taken: number[] = [];
  for (let second = from; second <= to; second += 1) {
    if (!pace.take(acceptedAt, second * SECOND)) continue;
    acceptedAt = second * SECOND;
    taken.push(second);
  }
  return taken;
}

describe('DoubtPace', () => {
  it('lets doubts that turn out wrong grow rare, down to one in five minutes', () => {
    expect(doubts(new DoubtPace(), 0, 1500)).toEqual([2, 6, 14, 30, 62, 126, 254, 510, 810, 1110, 1410]);
  });

  it('is quick again after ten minutes without a doubt', () => {
    const pace = new DoubtPace();
    doubts(pace, 0, 600);
    expect(doubts(pace, 510 + 600, 510 + 620)).toEqual([1112, 1116, 1124]);
  });

  it('never doubts what was accepted less than two seconds ago', () => {
    const pace = new DoubtPace();
    expect([pace.take(0, 1_999), pace.take(0, 2_000)]).toEqual([false, true]);
  });
});
