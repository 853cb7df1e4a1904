import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parseTime } from '../../../lib/clock.ts';
import { eventually } from '../../support/eventually.ts';
import { assumptions } from './observe.ts';
import { idle, openTimeApp, type TimeStage } from './probes.ts';
import type { Scene } from './support.ts';

const HOUR = 3600;

/** A session of an hour under these settings, and the ages in seconds between which it is to be replaced. */
const cases = {
  'refresh.percent': { refresh: { percent: 80, jitterPercent: 0, minRemainingSeconds: 60 }, window: [2880, 2880] },
  'refresh.jitterPercent': {
    refresh: { percent: 80, jitterPercent: 25, minRemainingSeconds: 60 },
    window: [1980, 2880],
  },
  'refresh.minRemainingSeconds': {
    refresh: { percent: 80, jitterPercent: 0, minRemainingSeconds: 2160 },
    window: [1440, 1440],
  },
} as const;
const names = Object.keys(cases) as (keyof typeof cases)[];
const nameOf = (field: string) => field.toLowerCase();

describe('a session of an hour', () => {
  let stage: TimeStage;
  let scene: Scene;

  beforeAll(async () => {
    ({ stage, scene } = await openTimeApp());
    for (const field of names) {
      await scene.apply(nameOf(field), { durationSeconds: HOUR, refresh: cases[field].refresh });
      await scene.ready(nameOf(field));
    }
    await idle(scene);
  });

  afterAll(async () => {
    await scene?.close();
    await stage?.stop();
  });

  const age = async (name: string) => {
    const { issuedAt, nextRefreshAt } = await scene.status(name);
    return ((parseTime(nextRefreshAt) ?? 0) - (parseTime(issuedAt) ?? 0)) / 1000;
  };

  test.each(names)('is due when %s says', async (field) => {
    const [early, late] = cases[field].window;
    expect(await age(nameOf(field))).toBeGreaterThanOrEqual(early);
    expect(await age(nameOf(field))).toBeLessThanOrEqual(late);
  });

  test('is replaced then and not before', async () => {
    const issued = () => names.map((field) => assumptions(stage, scene, nameOf(field)).length);
    const due = await age(nameOf('refresh.minRemainingSeconds'));
    stage.clock.skip((due - 60) * 1000);
    await idle(scene);
    expect(issued()).toEqual([1, 1, 1]);
    stage.clock.skip(61_000);
    await eventually('the replacement', () => issued()[2] === 2);
    await idle(scene);
    expect(issued()).toEqual([1, 1, 2]);
  });
});
