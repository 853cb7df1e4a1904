import { describe, expect, it } from '@jest/globals';
import { restAfter } from '../../lib/kube/watch-rest.ts';

const SECOND = 1_000;
const rest = (livedMs: number, hasProgressed = false, askedMs = 300 * SECOND) =>
  restAfter({ livedMs, askedMs, hasProgressed });

describe('a watch that has ended', () => {
  it('is opened again at once when it lived some seconds, whether it told anything or not', () => {
    expect([rest(5 * SECOND), rest(20 * SECOND), rest(300 * SECOND, true)]).toEqual([0, 0, 0]);
  });

  it('is opened again at once when the server was to end it', () => {
    expect([rest(SECOND, false, SECOND), rest(0.6 * SECOND, false, SECOND)]).toEqual([0, 0]);
  });

  it('is trouble when it ended at once and told nothing', () => {
    expect([rest(0), rest(4_999), rest(0.4 * SECOND, false, SECOND)]).toEqual([undefined, undefined, undefined]);
  });

  it('begins a second after the last one at the earliest, where each tells something and ends', () => {
    expect([rest(0, true), rest(0.3 * SECOND, true), rest(3 * SECOND, true)]).toEqual([SECOND, 0.7 * SECOND, 0]);
  });
});
