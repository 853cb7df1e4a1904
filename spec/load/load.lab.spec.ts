import { loadTests } from './cases.ts';

// As small as shows each behaviour; `make soak` plays the same at the sizes that are promised.
loadTests({
  throttled: { objects: 40, stsQps: 20, stsBurst: 20 },
  outage: { objects: 15, stsQps: 2, stsBurst: 2 },
  ordinary: { objects: 10, periodMs: 5 * 60_000, sessionSeconds: 150 },
  reconnections: 60,
});
