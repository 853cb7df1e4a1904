import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { grantProblems } from '../../lib/api/role-grant.ts';
import { matchGlob, matchRole, parsePattern } from '../../lib/credentials/role-pattern.ts';

const context = { namespace: 'team-a', accountId: '111122223333', partition: 'aws' };
const arn = (path: string) => `arn:aws:iam::111122223333:role/${path}`;
const own = (path: string) => `arn:self:iam::self:role/${path}`;

describe('matchRole', () => {
  it.each([
    ['a lone star', own('*'), arn('reader')],
    ['a lone star at any depth', own('*'), arn('a/b/c/reader')],
    ['a final star at any depth', own('a/*'), arn('a/b/c')],
    ['a star within a part', own('team-*/reader'), arn('team-a/reader')],
    ['a star as a part in the middle', own('*/reader'), arn('a/reader')],
    ['stars that must give way', own('a*b*c'), arn('aXbXbXc')],
    ['a star for nothing', own('reader*'), arn('reader')],
    ['the namespace as a part', own('tenants/${namespace}/*'), arn('tenants/team-a/x/y')],
    ['the namespace as the name', own('${namespace}'), arn('team-a')],
    ['a plain ARN', arn('reader'), arn('reader')],
    ['another account by number', 'arn:aws:iam::444455556666:role/*', 'arn:aws:iam::444455556666:role/x'],
    ['another partition by name', 'arn:aws-cn:iam::self:role/*', 'arn:aws-cn:iam::111122223333:role/x'],
  ])('allows by %s', (_, pattern, role) => {
    expect(matchRole(pattern, role, context)).toBe(true);
  });

  it.each([
    ['another account for self', own('*'), 'arn:aws:iam::444455556666:role/reader'],
    ['another partition for self', own('*'), 'arn:aws-cn:iam::111122223333:role/reader'],
    ['a role beside the path', own('a/*'), arn('a')],
    ['a path that only starts alike', own('a/*'), arn('ab/c')],
    ['depth by a star within the last part', own('team-*'), arn('team-a/reader')],
    ['depth by a star in the middle', own('*/reader'), arn('a/b/reader')],
    ['a role under a role without a star', own('reader'), arn('reader/x')],
    ['another case', own('Reader'), arn('reader')],
    ['another namespace', own('tenants/${namespace}/*'), arn('tenants/team-b/x')],
    ['the namespace as part of a part', own('tenants/${namespace}/*'), arn('tenants/team-ab/x')],
    ['the text ${namespace} itself', own('${namespace}'), arn('${namespace}')],
    ['an ARN that climbs', own('a/*'), arn('a/../admin')],
    ['an ARN with an empty part', own('a/*'), arn('a//b')],
    ['an ARN of a user', own('*'), 'arn:aws:iam::111122223333:user/x'],
    ['an ARN with more parts', own('*'), `${arn('x')}:y`],
    ['an ARN with a line break', own('*'), arn('x\ny')],
    ['an ARN that says self', own('*'), own('x')],
    ['a pattern with two stars', own('a/**'), arn('a/b')],
    ['a pattern with a star for the account', 'arn:aws:iam::*:role/*', arn('x')],
    ['text that is no pattern', '*', arn('x')],
  ])('denies %s', (_, pattern, role) => {
    expect(matchRole(pattern, role, context)).toBe(false);
  });

  it('does not read a star in the name of a namespace', () => {
    expect(matchRole(own('${namespace}/*'), arn('anything/x'), { ...context, namespace: '*' })).toBe(false);
  });
});

describe('hostile input', () => {
  it.each([
    ['many stars and no match', `${'a*'.repeat(280)}b`, 'a'.repeat(570)],
    ['many parts', `${'*/'.repeat(290)}x`, `${'a/'.repeat(280)}y`],
    ['stars before a long tail', `*${'a'.repeat(280)}b`, 'a'.repeat(570)],
  ])('takes bounded time for %s', (_, pattern, path) => {
    const start = process.threadCpuUsage();
    for (let round = 0; round < 20; round++) matchRole(own(pattern), arn(path), context);
    // Of the processor, in microseconds, however busy the machine is.
    expect(process.threadCpuUsage(start).user).toBeLessThan(1_000_000);
  });

  it('refuses texts of any other length at once', () => {
    expect(parsePattern(own('a'.repeat(10_000_000)))).toBeUndefined();
    expect(matchRole(own('*'), arn('a'.repeat(10_000_000)), context)).toBe(false);
  });
});

const name = fc.stringMatching(/^[A-Za-z0-9_+=,@-]{1,8}$/);
const path = fc.array(name, { minLength: 1, maxLength: 4 });
const piece = fc.constantFrom('a', 'b', '*', '/', '.', '$', '${namespace}', 'x', '', '-', 'self', ':', '\n', '?', '1');
const sloppy = fc.array(piece, { maxLength: 8 }).map((pieces) => own(pieces.join('')));
const prefix = fc
  .tuple(
    fc.constantFrom('self', 'aws', 'aws-cn', 'aws-', 'aws--b', 'AWS', ''),
    fc.constantFrom('self', '123456789012', '1', '*'),
  )
  .map(([partition, account]) => `arn:${partition}:iam::${account}:role/x`);
const anyPattern = fc.oneof(sloppy, prefix, fc.string(), name.map(own));

describe('any pattern', () => {
  it('is read by the parser exactly when the CRD accepts it', () => {
    fc.assert(
      fc.property(anyPattern, (pattern) => {
        const accepted = grantProblems({ namespaces: { names: ['a'] }, roles: [pattern] }).length === 0;
        expect(parsePattern(pattern) !== undefined).toBe(accepted);
      }),
      { numRuns: 2000 },
    );
  });

  it('allows nothing outside its own account and partition', () => {
    fc.assert(
      fc.property(sloppy, path, fc.constantFrom('444455556666', '1', ''), (pattern, parts, account) => {
        expect(matchRole(pattern, `arn:aws:iam::${account}:role/${parts.join('/')}`, context)).toBe(false);
      }),
    );
  });

  it('without stars and variables allows exactly itself', () => {
    fc.assert(
      fc.property(path, path, (pattern, role) => {
        const expected = pattern.join('/') === role.join('/');
        expect(matchRole(own(pattern.join('/')), arn(role.join('/')), context)).toBe(expected);
        expect(matchRole(own(pattern.join('/')), arn(pattern.join('/')), context)).toBe(true);
      }),
    );
  });

  it('with a final star allows what lies under its path and nothing else', () => {
    fc.assert(
      fc.property(path, path, (above, role) => {
        const expected = role.length > above.length && above.every((part, index) => part === role[index]);
        expect(matchRole(own([...above, '*'].join('/')), arn(role.join('/')), context)).toBe(expected);
        expect(matchRole(own([...above, '*'].join('/')), arn(above.join('/')), context)).toBe(false);
        expect(matchRole(own([...above, '*'].join('/')), arn([...above, ...role].join('/')), context)).toBe(true);
      }),
    );
  });

  it('with the namespace as a part never reaches the part of another namespace', () => {
    const namespace = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,6}[a-z0-9])?$/);
    fc.assert(
      fc.property(namespace, namespace, path, (mine, other, rest) => {
        const role = arn(['tenants', other, ...rest].join('/'));
        expect(matchRole(own('tenants/${namespace}/*'), role, { ...context, namespace: mine })).toBe(mine === other);
      }),
    );
  });
});

describe('matchGlob', () => {
  /** The definition, slow and plain. */
  const slow = (glob: string, text: string): boolean => {
    if (glob === '') return text === '';
    if (glob.startsWith('*')) return slow(glob.slice(1), text) || (text !== '' && slow(glob, text.slice(1)));
    return text.startsWith(glob[0] ?? '') && slow(glob.slice(1), text.slice(1));
  };
  const few = (alphabet: string) =>
    fc.array(fc.constantFrom(...alphabet), { maxLength: 9 }).map((chars) => chars.join(''));

  it('agrees with its definition for any glob and text', () => {
    fc.assert(
      fc.property(few('ab*'), few('ab'), (glob, text) => {
        expect(matchGlob(glob, text)).toBe(slow(glob, text));
      }),
      { numRuns: 2000 },
    );
  });
});
