import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Heap } from '../../lib/aws/heap.ts';

const action = fc.oneof(
  fc.record({
    do: fc.constant('set' as const),
    item: fc.integer({ min: 0, max: 30 }),
    rank: fc.integer({ min: 0, max: 50 }),
  }),
  fc.record({ do: fc.constant('delete' as const), item: fc.integer({ min: 0, max: 30 }), rank: fc.constant(0) }),
);

describe('Heap', () => {
  it('gives back what was added, in order of rank', () => {
    const heap = new Heap<string>();
    for (const [item, rank] of [
      ['c', 3],
      ['a', 1],
      ['b', 2],
    ] as const)
      heap.set(item, rank);
    const taken: (string | undefined)[] = [];
    while (heap.size > 0) {
      const least = heap.peek();
      taken.push(least);
      heap.delete(least ?? '');
    }
    expect(taken).toEqual(['a', 'b', 'c']);
  });

  it('behaves as a sorted map under any mix of adding, moving and taking out', () => {
    const property = fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
      const heap = new Heap<number>();
      const model = new Map<number, number>();
      for (const { do: what, item, rank } of actions) {
        if (what === 'set') {
          heap.set(item, rank);
          model.set(item, rank);
        } else {
          expect(heap.delete(item)).toBe(model.delete(item));
        }
        const least = Math.min(...model.values());
        expect(heap.size).toBe(model.size);
        expect(model.get(heap.peek() ?? -1) ?? Number.POSITIVE_INFINITY).toBe(least);
      }
    });
    fc.assert(property);
  });
});
