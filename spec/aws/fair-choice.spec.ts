import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { FairChoice } from '../../lib/aws/fair-choice.ts';

describe('the choice among lines', () => {
  it('is nothing where nobody waits', () => {
    const choice = new FairChoice();
    expect([choice.next([]), choice.next([['empty', []]])]).toEqual([undefined, undefined]);
  });

  it('goes by the namespace that was chosen the longest ago, and then by the order of the lines', () => {
    const choice = new FairChoice();
    const lines = [
      ['a1', ['a']],
      ['a2', ['a']],
      ['both', ['a', 'b']],
    ] as const;
    expect([1, 2, 3, 4].map(() => choice.next(lines))).toEqual(['a1', 'both', 'a1', 'both']);
  });

  it('comes to every namespace that waits before it comes to another one twice', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string(), { minLength: 1, maxLength: 8 }), fc.nat(20), (namespaces, more) => {
        const choice = new FairChoice();
        const own = namespaces.map((namespace): [string, string[]] => [namespace, [namespace]]);
        const others = Array.from({ length: more }, (_, n): [string, string[]] => [`more ${n}`, ['greedy']]);
        const chosen = Array.from({ length: namespaces.length + 1 }, () => choice.next([...others, ...own]));
        expect(chosen).toEqual(expect.arrayContaining(namespaces));
      }),
    );
  });
});
