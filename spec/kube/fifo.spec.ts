import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { FairFifo } from '../../lib/kube/fifo.ts';

const groupOf = (key: string) => key.slice(0, 1);

function filled(...keys: string[]): FairFifo {
  const queue = new FairFifo(groupOf);
  for (const key of keys) queue.push(key);
  return queue;
}

function drain(queue: FairFifo): string[] {
  const keys: string[] = [];
  for (let key = queue.shift(); key !== undefined; key = queue.shift()) keys.push(key);
  return keys;
}

describe('a queue of several groups', () => {
  it('serves the groups in turn, and the keys of one in their order', () => {
    expect(drain(filled('a1', 'a2', 'a3', 'a4', 'b1', 'c1', 'b2'))).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3', 'a4']);
  });

  it('serves a group that comes late after one key of each other group at most', () => {
    const queue = filled('a1', 'a2', 'a3');
    expect(queue.shift()).toBe('a1');
    queue.push('b1');
    expect(drain(queue)).toEqual(['a2', 'b1', 'a3']);
  });

  it('keeps a key that is pushed again where it is', () => {
    const queue = filled('a1', 'a2', 'a1');
    expect([queue.size, ...drain(queue)]).toEqual([2, 'a1', 'a2']);
  });

  it('forgets a group with its last key', () => {
    const queue = filled('a1', 'b1');
    expect([queue.delete('a1'), queue.delete('a1'), queue.size]).toEqual([true, false, 1]);
    expect(drain(queue)).toEqual(['b1']);
    queue.push('a2');
    queue.clear();
    expect([queue.size, queue.shift(), queue.delete('a2')]).toEqual([0, undefined, false]);
  });

  it('hands out what was pushed and not deleted, each key once', () => {
    const step = fc.record({
      what: fc.constantFrom('push', 'push', 'delete', 'shift'),
      key: fc.stringMatching(/^[abc][1-5]$/),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const queue = new FairFifo(groupOf);
        const expected = new Set<string>();
        for (const { what, key } of steps) {
          if (what === 'push') {
            queue.push(key);
            expected.add(key);
          } else if (what === 'delete') expect(queue.delete(key)).toBe(expected.delete(key));
          else {
            const first = queue.shift();
            expect(first === undefined ? expected.size === 0 : expected.delete(first)).toBe(true);
          }
          expect(queue.size).toBe(expected.size);
        }
        expect(drain(queue).sort()).toEqual([...expected].sort());
      }),
    );
  });
});
