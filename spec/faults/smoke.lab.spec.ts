import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { sharedControlPlane } from '../lab/index.ts';
import { smoke } from './generate.ts';
import { type Ground, openGround } from './ground.ts';
import { kept } from './kept.ts';
import { parsePlan } from './plan.ts';
import { table } from './report.ts';
import { SEED, Suite } from './suite.ts';

let ground: Ground;

beforeAll(async () => {
  ground = await openGround(sharedControlPlane());
});
afterAll(() => ground?.close());

test('the operator gets over every quick fault, every point of a kill, and what once was a defect', async () => {
  const suite = new Suite(ground, 8);
  const plans = [...kept.map(parsePlan), ...smoke(await suite.plans(), SEED)];
  const results = await suite.run(plans);
  if (results.some(({ wrong }) => wrong.length > 0)) throw new Error(table(results));
  expect(results.length).toBeGreaterThan(50);
});
