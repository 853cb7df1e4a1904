import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { findLeaks } from './leaks.ts';

const value = `${randomBytes(30).toString('base64')}+/=&"`;
const base64 = (text: string) => Buffer.from(text).toString('base64');

const planted: Record<string, string> = {
  plain: `token ${value}.`,
  'in part': `token ${value.slice(3, 36)}…`,
  'as base64': base64(value),
  'as base64 within something': base64(`AWS:${value}\n`),
  'as base64url within something': Buffer.from(`{"a":"${value}"}`).toString('base64url'),
  'as hex': Buffer.from(value).toString('hex'),
  'URL-encoded': `?SessionToken=${encodeURIComponent(value)}&a=b`,
  'in JSON': JSON.stringify({ nested: { value } }),
};

describe('the search for leaks', () => {
  it.each(Object.entries(planted))('finds a value %s', (_how, text) => {
    expect(findLeaks({ log: `before ${text} after`, other: 'nothing' }, { key: value })).toEqual(['log: key']);
  });

  it('finds nothing where nothing is', () => {
    const text = randomBytes(20_000).toString('base64');
    expect(findLeaks({ log: text }, { key: value })).toEqual([]);
  });

  it('finds a value at any place of any encoded text', () => {
    const secret = fc.stringMatching(/^[A-Za-z0-9+/]{40,200}$/);
    const leaks = fc.property(secret, fc.string(), fc.string(), (key, before, after) => {
      expect(findLeaks({ log: base64(before + key + after) }, { key })).toEqual(['log: key']);
    });
    fc.assert(leaks);
  });

  it('refuses to look for what is too short', () => {
    expect(() => findLeaks({}, { key: 'abc' })).toThrow('key has 3 characters');
  });
});
