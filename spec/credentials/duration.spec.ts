import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type DurationInput, effectiveDuration } from '../../lib/credentials/duration.ts';

const plain: DurationInput = { requested: 43_200, isSession: false };

describe('effectiveDuration', () => {
  it.each([
    ['nothing limits it', plain, 43_200, []],
    ['a grant limits it', { ...plain, grantSeconds: 1800 }, 1800, ['Grant 1800']],
    ['a grant allows as much', { ...plain, grantSeconds: 43_200 }, 43_200, []],
    ['the operator is a role session', { ...plain, isSession: true }, 3600, ['RoleChaining 3600']],
    ['the role is reached through others', { ...plain, isChained: true }, 3600, ['RoleChaining 3600']],
    ['an hour is asked for by a role session', { requested: 3600, isSession: true }, 3600, []],
    ['the role turned out to allow less', { ...plain, roleSeconds: 3600 }, 3600, ['RoleMaximum 3600']],
    [
      'a grant allows more than role chaining',
      { ...plain, isSession: true, grantSeconds: 7200 },
      3600,
      ['RoleChaining 3600'],
    ],
    [
      'all three do',
      { ...plain, isSession: true, grantSeconds: 1800, roleSeconds: 3600 },
      1800,
      ['RoleChaining 3600', 'Grant 1800'],
    ],
  ])('when %s', (_when, input, seconds, clamps) => {
    const result = effectiveDuration(input);
    expect({
      seconds: result.seconds,
      clamps: result.clamps.map((clamp) => `${clamp.reason} ${clamp.seconds}`),
    }).toEqual({ seconds, clamps });
  });

  it('names the way out of role chaining', () => {
    const said = (input: Partial<DurationInput>) => effectiveDuration({ ...plain, ...input }).clamps[0]?.message;
    expect(said({ isSession: true })).toContain('The operator is itself a role session');
    expect(said({ isSession: true })).toContain('Longer sessions need auth.type: ServiceAccount');
    expect(said({ isSession: true, isChained: true })).toContain('The role is reached through spec.chain');
    expect(said({ isChained: true })).toContain('without a chain, auth.type: ServiceAccount gives up to 12 h');
  });

  it('is the least of what is asked for and allowed, and has a reason exactly when it is less', () => {
    const limit = fc.option(fc.integer({ min: 900, max: 43_200 }), { nil: undefined });
    const property = fc.property(
      fc.integer({ min: 900, max: 43_200 }),
      limit,
      fc.boolean(),
      limit,
      (requested, grantSeconds, isSession, roleSeconds) => {
        const { seconds, clamps } = effectiveDuration({ requested, grantSeconds, isSession, roleSeconds });
        expect(seconds).toBe(
          Math.min(requested, grantSeconds ?? requested, isSession ? 3600 : requested, roleSeconds ?? requested),
        );
        expect(clamps.at(-1)?.seconds ?? requested).toBe(seconds);
        expect(clamps.length > 0).toBe(seconds < requested);
      },
    );
    fc.assert(property);
  });
});
