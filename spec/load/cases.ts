import { describe, expect, test } from '@jest/globals';
import { namesOf } from '../bench/cluster.ts';
import { sharedControlPlane, testNamespace } from '../lab/index.ts';
import type { Figures } from './messages.ts';
import { reconnect } from './reflector.ts';
import { noisy, ordinary, outage, type Progress, throttled } from './scenarios.ts';

/** How large the scenarios are that a set of tests plays. */
export interface Sizes {
  throttled: { objects: number; stsQps: number; stsBurst: number };
  outage: { objects: number; stsQps: number; stsBurst: number };
  /** Left out where the machine is too busy for its times: then the tests of the work queue alone show it. */
  noisy?: Parameters<typeof noisy>[0];
  ordinary: { objects: number; periodMs: number; sessionSeconds: number };
  reconnections: number;
  progress?: Progress;
}

const MIB = 2 ** 20;
/** The system's allocator takes memory in large pieces for a while after the start. */
const RSS_SLACK_BYTES = 32 * MIB;
const HOUR = 3_600_000;
/** How late a refresh may be because of another namespace, in milliseconds. */
const LATEST_MS = 30_000;

/** Defines the tests of an operator under load, at these sizes. */
export function loadTests({ progress = () => {}, ...sizes }: Sizes): void {
  describe('an operator under load', () => {
    test(`gets ${sizes.throttled.objects} objects through while STS throttles 30 % of the calls`, async () => {
      const { objects, stsQps, stsBurst } = sizes.throttled;
      const result = await throttled({ ...sizes.throttled, progress });
      expect(result).toMatchObject({ expired: [], refreshed: objects });
      expect(result.refusedShare).toBeGreaterThan(0.2);
      expect(result.refusedShare).toBeLessThan(0.4);
      // Two sessions of each, of which each costs 1.43 calls.
      expect(result.callsPerObject).toBeLessThan(2 * 3);
      // At the full rate there would be the burst and ten times the rate; a busy machine lets a little more time go by.
      expect(result.callsWhileAllWereRefused).toBeLessThan(stsBurst + 4 * stsQps);
      expect(result.convergedMs).toBeLessThan(HOUR / 2);
    });

    test(`loses nothing while STS is gone for 20 minutes: ${sizes.outage.objects} objects, and no burst after it`, async () => {
      const { objects, stsQps, stsBurst } = sizes.outage;
      const result = await outage({ ...sizes.outage, progress });
      expect(result.expired).toEqual([]);
      // The outage did hit.
      expect(result.refreshedInTime).toBeLessThan(objects / 10);
      expect(result.failed).toBeGreaterThan(objects);
      expect(result.callsPerObject).toBeLessThan(1.5);
      // The longest back-off, and as long as the rate takes.
      expect(result.recoveredMs).toBeLessThan(300_000 + (1000 * objects) / stsQps);
      // Those of one second more, since what was sent in a second may come in the next one.
      expect(result.mostCallsInASecond).toBeLessThanOrEqual(stsBurst + 2 * stsQps + 1);
      expect(result.mostCallsInTenSeconds).toBeLessThanOrEqual(stsBurst + 11 * stsQps + 1);
    });

    if (sizes.noisy !== undefined) noisyTest(sizes.noisy, progress);

    test(`holds as much at the end of a period as of the one before, with ${sizes.ordinary.objects} objects`, async () => {
      const { figures, sessionsPerObject, expired } = await ordinary({ ...sizes.ordinary, progress });
      expect(expired).toEqual([]);
      expect(sessionsPerObject).toBeGreaterThanOrEqual(5);
      const [, before, after] = figures as [Figures, Figures, Figures];
      expectNoMore(after, before);
    });
  });

  test(`a reflector holds no more after ${sizes.reconnections} broken connections than after half of them`, async () => {
    const plane = sharedControlPlane();
    const namespace = await testNamespace(plane);
    const maps = namesOf('map', 20).map((name) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } }));
    await namespace.apply(...maps);
    const { objects, opened, before, after } = await reconnect(plane, namespace.name, sizes.reconnections);
    await namespace.remove();
    progress(`${opened} connections: heap ${before.heapBytes} bytes, then ${after.heapBytes}`);
    expect(opened).toBeGreaterThan(sizes.reconnections);
    expect(objects).toBeGreaterThanOrEqual(maps.length);
    expectNoMore(after, before);
  });
}

function expectNoMore(after: Figures, before: Figures): void {
  expect(after.warnings).toEqual([]);
  const { heapBytes, rssBytes, warnings: _, ...counts } = after;
  expect(counts).toEqual(countsNear(before, counts));
  expect(heapBytes - before.heapBytes).toBeLessThan(MIB);
  expect(rssBytes - before.rssBytes).toBeLessThan(RSS_SLACK_BYTES);
}

function noisyTest(size: Parameters<typeof noisy>[0], progress: Progress): void {
  test(`refreshes one namespace in time while another one gets ${size.loud} new objects`, async () => {
    const { latestMs, loudTookMs, expired } = await noisy({ ...size, progress });
    progress(`late by ${latestMs} ms at most, while the others took ${loudTookMs} ms`);
    expect(expired).toEqual([]);
    // One after the other, they would have made it wait as long as they took.
    expect(latestMs).toBeLessThan(Math.min(LATEST_MS, loudTookMs / 2));
  });
}

/** The counts themselves where they are near those of before: a connection or a watch more or less is none too many. */
function countsNear(before: Figures, counts: Pick<Figures, 'timers' | 'sockets' | 'resources' | 'listeners'>) {
  const near = (key: keyof typeof counts) => (Math.abs(counts[key] - before[key]) <= 5 ? counts[key] : before[key]);
  return {
    timers: near('timers'),
    sockets: near('sockets'),
    resources: near('resources'),
    listeners: near('listeners'),
  };
}
