import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { defaultSessionName } from '../../lib/credentials/session-name.ts';

/** A Kubernetes name of the given length; dots only where names may have them. */
function kubeName(maxLength: number, dots: boolean) {
  const letter = fc.constantFrom(...(dots ? 'ab0-.' : 'ab0-'));
  return fc.string({ unit: letter, minLength: 1, maxLength });
}

describe('defaultSessionName', () => {
  it.each([
    ['team-a', 'reader', 'rolevend-team-a.reader'],
    ['n', 'a'.repeat(53), `rolevend-n.${'a'.repeat(53)}`],
    ['n', 'a'.repeat(54), `rolevend-n.${'a'.repeat(36)}=4d0c577006e28106`],
  ])('of %s/%s is %s', (namespace, name, expected) => {
    expect(defaultSessionName(namespace, name)).toBe(expected);
  });

  it('is always one that STS takes', () => {
    const property = fc.property(kubeName(63, false), kubeName(253, true), (namespace, name) => {
      expect(defaultSessionName(namespace, name)).toMatch(/^[\w+=,.@-]{2,64}$/);
    });
    fc.assert(property);
  });

  it('differs for different objects', () => {
    const object = fc.tuple(kubeName(63, false), kubeName(80, true));
    const property = fc.property(object, object, (a, b) => {
      fc.pre(a.join('/') !== b.join('/'));
      expect(defaultSessionName(...a)).not.toBe(defaultSessionName(...b));
    });
    fc.assert(property);
  });
});
