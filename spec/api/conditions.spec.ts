import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  type Condition,
  conditionTypes,
  findCondition,
  type NewCondition,
  removeCondition,
  type StoredCondition,
  setCondition,
  setConditions,
} from '../../lib/api/conditions.ts';

const EARLY = '2026-01-01T00:00:00Z';
const LATER = '2026-01-01T01:00:00Z';
const NOW = '2026-01-01T02:00:00Z';

const issued: NewCondition = {
  type: 'Ready',
  status: 'True',
  reason: 'Issued',
  message: 'issued',
  observedGeneration: 2,
};
const stored = (type: string, change: Partial<Condition> = {}): Condition => ({
  type,
  status: 'True',
  reason: 'Issued',
  message: 'issued',
  lastTransitionTime: EARLY,
  ...change,
});

describe('setCondition', () => {
  it('writes all five keys and the generation', () => {
    expect(setCondition(undefined, issued, NOW)).toEqual([{ ...issued, lastTransitionTime: NOW }]);
  });

  it('keeps the transition time while the status is the same, whatever reason and message say', () => {
    const list = [stored('Ready', { reason: 'Refreshed', observedGeneration: 1 })];
    expect(setCondition(list, issued, NOW)).toEqual([{ ...issued, lastTransitionTime: EARLY }]);
  });

  it.each([
    ['lies ahead', '2026-01-02T00:00:00Z', NOW],
    ['is little ahead, as of a clock that is a little fast', '2026-01-01T02:05:00Z', '2026-01-01T02:05:00Z'],
  ])('keeps a transition time only where it has passed: one that %s', (_what, lastTransitionTime, expected) => {
    const list = [stored('Ready', { lastTransitionTime })];
    expect(setCondition(list, issued, NOW)).toEqual([{ ...issued, lastTransitionTime: expected }]);
  });

  it('takes the new time when the status changes', () => {
    const list = [stored('Ready', { status: 'False' })];
    expect(setCondition(list, issued, NOW)).toEqual([{ ...issued, lastTransitionTime: NOW }]);
  });

  it('turns a history of Ready entries into one, counting from the latest', () => {
    const history = [
      stored('Ready', { status: 'False', lastTransitionTime: EARLY }),
      stored('Ready', { lastTransitionTime: LATER }),
      stored('Ready', { status: 'Unknown', lastTransitionTime: EARLY }),
    ];
    expect(setCondition(history, issued, NOW)).toEqual([{ ...issued, lastTransitionTime: LATER }]);
  });

  it('completes entries of others that lack keys, and puts Ready first', () => {
    const list: StoredCondition[] = [{ type: 'Zebra' }, {}, { type: 'Refreshed', status: 'True' }];
    expect(setCondition(list, issued, NOW)).toEqual([
      { ...issued, lastTransitionTime: NOW },
      { type: 'Refreshed', status: 'True', reason: '', message: '', lastTransitionTime: NOW },
      { type: 'Zebra', status: 'Unknown', reason: '', message: '', lastTransitionTime: NOW },
    ]);
  });

  it('gives a condition without a readable time the new one', () => {
    const list = [stored('Ready', { lastTransitionTime: 'yesterday' })];
    expect(setCondition(list, issued, NOW)).toEqual([{ ...issued, lastTransitionTime: NOW }]);
  });
});

describe('findCondition', () => {
  it('takes the later in the list of equally old ones', () => {
    const list = [stored('Ready', { reason: 'First' }), stored('Ready', { reason: 'Second' })];
    expect(findCondition(list, 'Ready')?.reason).toBe('Second');
  });

  it('finds nothing in nothing', () => {
    expect(findCondition(undefined, 'Ready')).toBeUndefined();
  });
});

describe('removeCondition', () => {
  it('takes every entry of the type out', () => {
    const list = [stored('Stalled'), stored('Ready'), stored('Stalled')];
    expect(removeCondition(list, 'Stalled', NOW)).toEqual([stored('Ready')]);
  });
});

describe('setConditions', () => {
  it('ends our conditions that are not wanted and keeps those of others', () => {
    const list = [stored('Reconciling'), stored('Theirs'), stored('Ready')];
    expect(setConditions(list, [issued], NOW)).toEqual([{ ...issued, lastTransitionTime: EARLY }, stored('Theirs')]);
  });
});

const anyStored: fc.Arbitrary<StoredCondition> = fc.record(
  {
    type: fc.constantFrom<string>(...conditionTypes, 'Theirs', ''),
    status: fc.constantFrom('True', 'False', 'Unknown'),
    reason: fc.string(),
    message: fc.string(),
    lastTransitionTime: fc.constantFrom(EARLY, LATER, NOW, 'x', ''),
    observedGeneration: fc.nat(),
  },
  { requiredKeys: [] },
);
const anyNew: fc.Arbitrary<NewCondition> = fc.record({
  type: fc.constantFrom(...conditionTypes),
  status: fc.constantFrom('True', 'False', 'Unknown'),
  reason: fc.string(),
  message: fc.string(),
  observedGeneration: fc.nat(),
});

describe('any stored list', () => {
  it('has each type once, all keys and Ready first after our write', () => {
    fc.assert(
      fc.property(fc.array(anyStored), anyNew, (list, condition) => {
        const result = setCondition(list, condition, NOW);
        const types = result.map(({ type }) => type);
        expect(new Set(types).size).toBe(types.length);
        expect(types.indexOf('Ready')).toBeLessThanOrEqual(0);
        for (const entry of result) {
          expect(Object.keys(entry)).toEqual(
            expect.arrayContaining(['type', 'status', 'reason', 'message', 'lastTransitionTime']),
          );
        }
      }),
    );
  });

  it('is not changed by the same write a second time', () => {
    fc.assert(
      fc.property(fc.array(anyStored), fc.uniqueArray(anyNew, { selector: ({ type }) => type }), (list, wanted) => {
        const once = setConditions(list, wanted, EARLY);
        expect(setConditions(once, wanted, NOW)).toEqual(once);
      }),
    );
  });
});
