import { jest } from '@jest/globals';
import { systemClock } from '../../lib/clock.ts';
import { loadTests } from './cases.ts';

jest.setTimeout(30 * 60_000);

const start = systemClock.monotonic();

loadTests({
  throttled: { objects: 1_000, stsQps: 200, stsBurst: 500 },
  outage: { objects: 1_000, stsQps: 20, stsBurst: 50 },
  noisy: { loud: 2_000, quiet: 10, concurrency: 32, callMs: 1_000 },
  ordinary: { objects: 500, periodMs: 60 * 60_000, sessionSeconds: 3_600 },
  // More than the 1,000 that count: after half of these the process has grown as far as it does.
  reconnections: 6_000,
  progress: (what) => {
    process.stderr.write(`    ${Math.round((systemClock.monotonic() - start) / 1000)} s: ${what}\n`);
  },
});
