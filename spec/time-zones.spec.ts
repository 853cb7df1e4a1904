import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { run } from './lab/install/run.ts';

const HOUR = 3_600_000;
const MINUTE = 60_000;
const probe = fileURLToPath(new URL('support/zone-probe.ts', import.meta.url));

/** Where clocks change, and days and years that are unlike others. */
const moments = [
  '2026-03-29T00:59:59Z',
  '2026-03-29T01:00:00Z',
  '2026-10-25T00:30:00Z',
  '2026-10-25T01:00:00Z',
  '2026-11-01T05:59:59Z',
  '2028-02-28T23:30:00Z',
  '2028-02-29T00:00:00Z',
  '2028-02-29T23:30:00Z',
  '2028-12-31T23:59:59Z',
  '2100-02-28T23:30:00Z',
];
/** With summer time, without, with half an hour of it, and on either side of the date line. */
const zones = [
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
  'Pacific/Apia',
  'Etc/GMT+12',
];

interface Told {
  offset: number;
  told: { written: string[]; read: number[]; dueAfter: number; retriedAfter: number }[];
}

async function toldIn(zone: string): Promise<Told> {
  const { code, stdout, stderr } = await run([process.execPath, probe, ...moments], { env: { TZ: zone } });
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Told;
}

describe('what the program makes of a time', () => {
  it('is right at every change of summer time, on leap days, and at the turn of the year', async () => {
    const { told } = await toldIn('UTC');
    expect(told.map(({ written, read }) => ({ written, read }))).toEqual(
      moments.map((moment) => ({
        written: [moment, moment.replace('Z', '.000000Z')],
        read: [Date.parse(moment), Date.parse(moment), Date.parse(moment) + HOUR],
      })),
    );
    for (const { dueAfter, retriedAfter } of told) {
      expect([dueAfter >= 30 * MINUTE, dueAfter <= 36 * MINUTE]).toEqual([true, true]);
      expect([retriedAfter >= 4_000, retriedAfter <= 8_000]).toEqual([true, true]);
    }
  });

  it('is the same in every time zone', async () => {
    const [utc, ...others] = await Promise.all(['UTC', ...zones].map(toldIn));
    expect(others.map(({ told }) => told)).toEqual(zones.map(() => utc?.told));
    // The zones did take effect.
    expect(new Set(others.map(({ offset }) => offset)).size).toBe(zones.length);
  });
});
