import { describe, expect, it } from '@jest/globals';
import { Slots } from '../../lib/kube/slots.ts';

/** Work that goes on until it is told how to end. */
function pieces() {
  const started: string[] = [];
  const ends = new Map<string, { resolve: (value: string) => void; reject: (error: Error) => void }>();
  const work = (name: string) => () => {
    started.push(name);
    return new Promise<string>((resolve, reject) => ends.set(name, { resolve, reject }));
  };
  return { started, ends, work };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('slots', () => {
  it('let so many run at once, and the others in the order in which they came', async () => {
    const { started, ends, work } = pieces();
    const slots = new Slots(2);
    const all = ['a', 'b', 'c', 'd'].map((name) => slots.run(work(name)));
    await settle();
    const seen = [[...started]];
    for (const name of ['b', 'a', 'd', 'c']) {
      ends.get(name)?.resolve(name);
      await settle();
      seen.push([...started]);
    }
    expect(seen).toEqual([
      ['a', 'b'],
      ['a', 'b', 'c'],
      ['a', 'b', 'c', 'd'],
      ['a', 'b', 'c', 'd'],
      ['a', 'b', 'c', 'd'],
    ]);
    expect(await Promise.all(all)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('are free again after work that failed', async () => {
    const { ends, work } = pieces();
    const slots = new Slots(1);
    const failed = slots.run(work('a')).catch((error: Error) => error.message);
    const next = slots.run(work('b'));
    await settle();
    ends.get('a')?.reject(new Error('broken'));
    expect(await failed).toBe('broken');
    await settle();
    ends.get('b')?.resolve('done');
    expect(await next).toBe('done');
  });
});
