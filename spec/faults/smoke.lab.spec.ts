import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { sharedControlPlane } from '../lab/index.ts';
import { smoke } from './generate.ts';
import { type Ground, openGround } from './ground.ts';
import { table } from './report.ts';
import { SEED, Suite } from './suite.ts';

jest.setTimeout(600_000);

let ground: Ground;

beforeAll(async () => {
  ground = await openGround(sharedControlPlane());
});
afterAll(() => ground?.close());

test('the operator gets over every quick fault and every point of a kill', async () => {
  const suite = new Suite(ground, 4);
  const results = await suite.run(smoke(await suite.plans(), SEED));
  if (results.some(({ wrong }) => wrong.length > 0)) throw new Error(table(results));
  expect(results.length).toBeGreaterThan(50);
});
