import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { TooLarge } from '../../lib/exchange.ts';
import { LineFramer } from '../../lib/kube/framing.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

describe('a line framer', () => {
  it('gives the lines of a chunk and holds the rest', () => {
    const framer = new LineFramer();
    expect(framer.push(bytes('{"a":1}\n{"b":2}\r\n\n{"c"'))).toEqual(['{"a":1}', '{"b":2}']);
    expect(framer.pendingBytes).toBe(4);
    expect(framer.push(bytes(':3}\n'))).toEqual(['{"c":3}']);
    expect(framer.pendingBytes).toBe(0);
  });

  it('refuses a line without end', () => {
    const framer = new LineFramer(1_024);
    framer.push(bytes('x'.repeat(1_024)));
    expect(() => framer.push(bytes('1'))).toThrow(new TooLarge('an event of the watch', 1_024));
  });

  it('gives the same lines however the bytes are cut, also within a character', () => {
    const line = fc.string({ unit: 'binary', minLength: 1, maxLength: 30 }).map((text) => JSON.stringify(text));
    fc.assert(
      fc.property(
        fc.array(line, { maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
        (lines, sizes) => {
          const framer = new LineFramer();
          const all = bytes(lines.map((text) => `${text}\n`).join(''));
          const got: string[] = [];
          for (let at = 0, turn = 0; at < all.length; turn += 1) {
            const end = at + (sizes[turn % sizes.length] as number);
            got.push(...framer.push(all.subarray(at, end)));
            at = end;
          }
          expect(got).toEqual(lines);
        },
      ),
    );
  });
});
