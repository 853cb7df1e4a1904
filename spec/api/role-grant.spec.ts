import { describe, expect, it } from '@jest/globals';
import { grantProblems } from '../../lib/api/role-grant.ts';
import { badGrants, goodGrants } from './bad-grants.ts';

describe('grantProblems', () => {
  it.each(badGrants)('refuses $title', ({ spec, field, says }) => {
    const lines = grantProblems(spec).filter((line) => line.startsWith(`${field}`));
    expect(lines).toContainEqual(expect.stringContaining(says));
  });

  it.each(goodGrants.map((spec) => [spec]))('accepts %j', (spec) => {
    expect(grantProblems(spec)).toEqual([]);
  });
});
