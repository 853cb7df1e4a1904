import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { run } from '../lab/install/run.ts';

const probe = fileURLToPath(new URL('heap-probe.ts', import.meta.url));

async function heapOf(how: 'free' | 'small'): Promise<{ youngGrownMib: number; mostMib: number }> {
  const { stdout, stderr } = await run([process.execPath, '--no-warnings', probe, how]);
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout);
}

test('the heap of a busy process stays close to what lives in it', async () => {
  const [free, small] = [await heapOf('free'), await heapOf('small')];
  expect(free.youngGrownMib).toBeGreaterThan(30);
  expect(small.youngGrownMib).toBeLessThan(3);
  expect(small.mostMib).toBeLessThan(130);
});
