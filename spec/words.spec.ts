import { expect, it } from '@jest/globals';
import { loadWords } from '../lib/words.ts';

it.each([
  [0, '0 seconds'],
  [400, '0 seconds'],
  [1_000, '1 second'],
  [61_000, '1 minute, 1 second'],
  [899_600, '15 minutes'],
  [5_400_000, '1 hour, 30 minutes'],
  [43_200_000, '12 hours'],
  [90_061_000, '1 day, 1 hour, 1 minute, 1 second'],
])('%d ms are %s', async (ms, text) => {
  expect((await loadWords()).duration(ms)).toBe(text);
});
