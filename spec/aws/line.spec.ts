import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Line } from '../../lib/aws/line.ts';

const NOW = 1_000_000;

function drain(line: Line): string[] {
  const keys: string[] = [];
  while (line.size > 0) keys.push(line.next() ?? 'nothing');
  return keys;
}

/** Adds `count` keys `<prefix>1`, `<prefix>2`, … whose credentials end in `<n>` hours, or that have none. */
function fill(line: Line, prefix: string, count: number, namespace: string, valid: boolean): void {
  for (let n = 1; n <= count; n += 1)
    line.add(`${prefix}${n}`, { namespace, validUntil: valid ? NOW + n * 3_600_000 : undefined });
}

describe('Line', () => {
  it('serves valid credentials in order of their end, whatever the order of arrival', () => {
    const line = new Line();
    for (const validUntil of [NOW + 30, NOW + 10, NOW + 20])
      line.add(`ends ${validUntil - NOW}`, { namespace: 'a', validUntil });
    expect(drain(line)).toEqual(['ends 10', 'ends 20', 'ends 30']);
  });

  it('serves new ones in turn by namespace, first come first served within one', () => {
    const line = new Line();
    fill(line, 'loud', 4, 'loud', false);
    fill(line, 'a', 2, 'a', false);
    fill(line, 'b', 1, 'b', false);
    expect(drain(line)).toEqual(['loud1', 'a1', 'b1', 'loud2', 'a2', 'loud3', 'loud4']);
  });

  it('gives every fourth token to new and expired ones while both kinds wait', () => {
    const line = new Line();
    fill(line, 'valid', 7, 'a', true);
    fill(line, 'new', 2, 'b', false);
    expect(drain(line)).toEqual(['valid1', 'valid2', 'valid3', 'new1', 'valid4', 'valid5', 'valid6', 'new2', 'valid7']);
  });

  it('keeps the place of a key that asks again', () => {
    const line = new Line();
    fill(line, 'a', 2, 'a', false);
    line.add('a1', { namespace: 'a', validUntil: undefined });
    expect([line.size, ...drain(line)]).toEqual([2, 'a1', 'a2']);
  });

  it('moves a key whose credential ended while it waited, and back when it has a new one', () => {
    const line = new Line();
    line.add('x', { namespace: 'a', validUntil: NOW + 1 });
    line.add('x', { namespace: 'a', validUntil: undefined });
    line.add('x', { namespace: 'a', validUntil: NOW + 9 });
    expect([line.size, ...drain(line)]).toEqual([1, 'x']);
  });

  it('forgets a deleted key of either kind', () => {
    const line = new Line();
    fill(line, 'valid', 2, 'a', true);
    fill(line, 'new', 2, 'b', false);
    expect([line.delete('valid1'), line.delete('new1'), line.delete('never')]).toEqual([true, true, false]);
    expect(drain(line)).toEqual(['valid2', 'new2']);
  });
});

const waiting = fc.array(
  fc.record({
    namespace: fc.constantFrom('a', 'b', 'c', 'd'),
    validUntil: fc.option(fc.integer({ min: NOW, max: NOW + 99 }), { nil: undefined }),
  }),
  { minLength: 1, maxLength: 80 },
);

describe('properties of Line', () => {
  it('serves every key exactly once', () => {
    const property = fc.property(waiting, (orders) => {
      const line = new Line();
      for (const [n, order] of orders.entries()) line.add(String(n), order);
      expect(drain(line).sort()).toEqual([...orders.keys()].map(String).sort());
    });
    fc.assert(property);
  });

  it('serves a new one within every four tokens while one waits', () => {
    const property = fc.property(waiting, (orders) => {
      const line = new Line();
      const isNew = (order: (typeof orders)[number]) => order.validUntil === undefined;
      for (const [n, order] of orders.entries()) line.add(String(n), order);
      const served = drain(line)
        .map((key) => orders[Number(key)])
        .map((order) => order !== undefined && isNew(order));
      const lastNew = served.lastIndexOf(true);
      for (let at = 0; at + 4 <= lastNew; at += 1) expect(served.slice(at, at + 4)).toContain(true);
    });
    fc.assert(property);
  });

  it('lets a lone new key wait no longer than four turns for every namespace that waits too', () => {
    const property = fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 0, max: 500 }),
      (namespaces, each) => {
        const line = new Line();
        for (let n = 1; n <= namespaces; n += 1) fill(line, `n${n}-`, Math.min(each, 20), `n${n}`, false);
        fill(line, 'valid', each, 'v', true);
        line.add('lone', { namespace: 'lone', validUntil: undefined });
        expect(drain(line).indexOf('lone')).toBeLessThan(4 * (namespaces + 1));
      },
    );
    fc.assert(property, { numRuns: 30 });
  });
});
