import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { PageSize } from '../../lib/kube/page-size.ts';

const KB = 1_000;
const target = 2 * 1024 * 1024;

/** The sizes of the pages in which a list of objects of these sizes comes. */
function pages(sizes: readonly number[], size = new PageSize(), tookMs = 100): number[] {
  const counts: number[] = [];
  size.begin();
  for (let at = 0; at < sizes.length; ) {
    const page = sizes.slice(at, at + size.limit);
    at += page.length;
    counts.push(page.length);
    size.came({ items: page.length, bytes: page.reduce((sum, bytes) => sum + bytes, 0), tookMs });
  }
  return counts;
}
const alike = (count: number, bytes: number) => Array<number>(count).fill(bytes);

describe('the size of a page', () => {
  it('begins small and grows to a hundred where objects are small', () => {
    expect(pages(alike(400, 3 * KB))).toEqual([10, 20, 40, 80, 100, 100, 50]);
  });

  it('is what fits into 2 MiB where objects are large', () => {
    const counts = pages(alike(1_150, 250 * KB));
    expect({ first: counts[0], others: new Set(counts.slice(1, -1)) }).toEqual({ first: 10, others: new Set([8]) });
  });

  it('is one where a single object is larger than that', () => {
    expect(pages(alike(13, 3 * 1024 * KB))).toEqual([10, 1, 1, 1]);
  });

  it('is small again at the next list, since objects may have grown', () => {
    const size = new PageSize();
    pages(alike(400, KB), size);
    expect(pages(alike(30, KB), size)).toEqual([10, 20]);
    pages(alike(30, 1_000 * KB), size);
    expect(pages(alike(3, KB), size)).toEqual([2, 1]);
  });

  it('does not grow while pages are slow', () => {
    expect(pages(alike(30, KB), new PageSize(), 40_000)).toEqual([10, 10, 10]);
  });

  it('is halved down to one', () => {
    const size = new PageSize();
    const halves = [1, 2, 3, 4].map(() => [size.halve(), size.limit]);
    expect(halves).toEqual([
      [true, 5],
      [true, 2],
      [true, 1],
      [false, 1],
    ]);
  });

  it('never exceeds what it is told, also for the first page', () => {
    const size = new PageSize(7);
    expect(pages(alike(21, KB), size)).toEqual([7, 7, 7]);
  });

  it('changes nothing where a page was empty', () => {
    const size = new PageSize();
    size.came({ items: 0, bytes: 300, tookMs: 10 });
    expect(size.limit).toBe(10);
  });

  it('holds for objects of any one size: no page but the first exceeds 2 MiB, or is of one object', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3_000 * KB }), fc.integer({ min: 0, max: 500 }), (bytes, count) => {
        const [, ...others] = pages(alike(count, bytes));
        expect(others.every((items) => items === 1 || items * bytes <= target)).toBe(true);
      }),
    );
  });
});
