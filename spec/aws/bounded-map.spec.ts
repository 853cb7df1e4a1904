import { describe, expect, it } from '@jest/globals';
import { BoundedMap } from '../../lib/aws/bounded-map.ts';

describe('BoundedMap', () => {
  it('drops what was not looked at for longest, and nothing while there is room', () => {
    const map = new BoundedMap<string, number>(2);
    map.set('a', 1);
    map.set('b', 2);
    map.get('a');
    map.set('c', 3);
    expect([map.get('a'), map.get('b'), map.get('c'), map.size]).toEqual([1, undefined, 3, 2]);
  });

  it('forgets what it is told to, and takes a new value in place of the old one', () => {
    const map = new BoundedMap<string, number>(2);
    map.set('a', 1);
    map.set('a', 2);
    map.set('b', 3);
    map.delete('b');
    expect([map.get('a'), map.get('b'), map.size]).toEqual([2, undefined, 1]);
  });
});
