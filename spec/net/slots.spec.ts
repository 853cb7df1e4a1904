import { describe, expect, it } from '@jest/globals';
import { Slots } from '../../lib/net/slots.ts';

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

const { signal: never } = new AbortController();
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('slots', () => {
  it('let so many run at once, and the others in the order in which they came', async () => {
    const { started, ends, work } = pieces();
    const slots = new Slots({ inAll: 2, inGroup: 2 });
    const all = ['a', 'b', 'c', 'd'].map((name) => slots.run('all', never, work(name)));
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
    const slots = new Slots({ inAll: 1, inGroup: 1 });
    const failed = slots.run('all', never, work('a')).catch((error: Error) => error.message);
    const next = slots.run('all', never, work('b'));
    await settle();
    ends.get('a')?.reject(new Error('broken'));
    expect(await failed).toBe('broken');
    await settle();
    ends.get('b')?.resolve('done');
    expect(await next).toBe('done');
  });

  it('leave room for other groups than the one that has used up its share', async () => {
    const { started, ends, work } = pieces();
    const slots = new Slots({ inAll: 2, inGroup: 1 });
    const all = ['a', 'a2', 'b'].map((name) => slots.run(name.slice(0, 1), never, work(name)));
    await settle();
    expect([[...started], slots.running]).toEqual([['a', 'b'], 2]);
    for (const name of ['a', 'b', 'a2']) {
      ends.get(name)?.resolve(name);
      await settle();
    }
    expect(await Promise.all(all)).toEqual(['a', 'a2', 'b']);
  });

  it('are not taken by those who gave up while they waited', async () => {
    const { started, ends, work } = pieces();
    const slots = new Slots({ inAll: 1, inGroup: 1 });
    const patience = new AbortController();
    const first = slots.run('all', never, work('a'));
    const second = slots.run('all', patience.signal, work('b')).catch((error: Error) => error.message);
    patience.abort(new Error('enough'));
    expect(await second).toBe('enough');
    ends.get('a')?.resolve('a');
    expect([await first, started, slots.running]).toEqual(['a', ['a'], 0]);
  });
});
