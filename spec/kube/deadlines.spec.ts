import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Deadlines } from '../../lib/kube/deadlines.ts';

const key = fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz');

describe('deadlines', () => {
  it('come out in order of time, each key once at the earliest time it was given', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(key, fc.nat(50)), { size: '+1' }), fc.array(key), (added, deleted) => {
        const deadlines = new Deadlines();
        const expected = new Map<string, number>();
        for (const [name, at] of added) {
          deadlines.add(name, at);
          expected.set(name, Math.min(at, expected.get(name) ?? at));
        }
        for (const name of deleted) expect(deadlines.delete(name)).toBe(expected.delete(name));
        expect(deadlines.size).toBe(expected.size);
        expect(drain(deadlines)).toEqual([...expected.values()].sort((a, b) => a - b).map((at) => ({ at, due: true })));
      }),
    );

    function drain(deadlines: Deadlines): { at: number; due: boolean }[] {
      const out = [];
      while (deadlines.earliest !== undefined) {
        const at = deadlines.earliest;
        out.push({ at, due: deadlines.takeDue(at - 1) === undefined && deadlines.takeDue(at) !== undefined });
      }
      return out;
    }
  });

  it('know which keys they hold until they are cleared', () => {
    const deadlines = new Deadlines();
    deadlines.add('a', 1);
    expect([deadlines.has('a'), deadlines.has('b')]).toEqual([true, false]);
    deadlines.clear();
    expect([deadlines.has('a'), deadlines.size, deadlines.earliest]).toEqual([false, 0, undefined]);
  });
});
