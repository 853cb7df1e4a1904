import { fileURLToPath } from 'node:url';
import { systemClock as clock } from '../../lib/clock.ts';
import { run } from '../lab/install/run.ts';

const BUNDLE = fileURLToPath(new URL('../../dist/rolevend.mjs', import.meta.url));

/** How long the bundle takes to print its help, in seconds: the median of five. */
export async function help(): Promise<{ help: number }> {
  const times: number[] = [];
  for (let turn = 0; turn < 5; turn += 1) {
    const startedAt = clock.monotonic();
    const { code, stderr } = await run([process.execPath, BUNDLE, '--help']);
    if (code !== 0) throw new Error(`no help: ${stderr}`);
    times.push((clock.monotonic() - startedAt) / 1000);
  }
  return { help: times.sort((a, b) => a - b)[2] ?? Number.NaN };
}
