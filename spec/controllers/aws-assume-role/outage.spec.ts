import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Failure } from '../../../lib/controllers/aws-assume-role/backoff.ts';
import { plan } from '../../../lib/controllers/aws-assume-role/plan.ts';
import type { SessionRecord } from '../../../lib/controllers/aws-assume-role/session-record.ts';
import { defaultRefresh, failed, HOUR, MINUTE, SECOND, session, situation, T0 } from './fixtures.ts';

interface Outage {
  uid: string;
  /** Milliseconds after the first issue at which STS stops to answer. */
  start: number;
  length: number;
  /** How long a failing call takes: a refused connection nothing, a silent one the whole deadline. */
  callMs: number;
  lifeMs?: number;
  refresh?: typeof defaultRefresh;
}

interface Outcome {
  /** The least life that was left at any time, in milliseconds. */
  leastLeft: number;
  refreshes: number;
  calls: number;
}

/** Plays an object with the real decisions through an outage, until the second refresh after its end. */
function play({ uid, start, length, callMs, lifeMs = HOUR, refresh = defaultRefresh }: Outage): Outcome {
  const isOut = (time: number) => time >= T0 + start && time < T0 + start + length;
  const outcome: Outcome = { leastLeft: lifeMs, refreshes: 0, calls: 0 };
  let record: SessionRecord = session({ expiresAt: T0 + lifeMs });
  let failure: Failure | undefined;
  for (let now = T0; now < T0 + start + length + 2 * lifeMs; ) {
    const decided = plan(situation({ uid, now, record, failure, refresh }));
    if (decided.issue === undefined) {
      now = decided.waitUntil ?? now + lifeMs;
      continue;
    }
    outcome.calls += 1;
    if (outcome.calls > 1000) throw new Error('STS was called a thousand times');
    if (isOut(now)) {
      now += callMs;
      failure = failed({ count: (failure?.count ?? 0) + 1, lastAttemptAt: now });
      continue;
    }
    outcome.leastLeft = Math.min(outcome.leastLeft, record.expiresAt - now);
    outcome.refreshes += 1;
    const issuedAt = Math.floor(now / SECOND) * SECOND;
    record = session({ issuedAt, expiresAt: issuedAt + lifeMs });
    failure = undefined;
  }
  return outcome;
}

const CALL_DEADLINE = 20 * SECOND;

describe('an outage of STS of 20 minutes, one-hour sessions and the defaults', () => {
  it('expires nothing, whenever it starts', () => {
    const least = { left: Number.POSITIVE_INFINITY, start: 0 };
    for (let start = 0; start <= 90 * MINUTE; start += 5 * SECOND) {
      for (const uid of ['u-1', 'u-2', 'u-3', 'u-4']) {
        const { leastLeft } = play({ uid, start, length: 20 * MINUTE, callMs: CALL_DEADLINE });
        if (leastLeft < least.left) Object.assign(least, { left: leastLeft, start });
      }
    }
    expect(least.left).toBeGreaterThan(MINUTE);
  });

  it('expires nothing for any object, start and duration of the failing calls', () => {
    fc.assert(
      fc.property(
        fc.uuid(),
        fc.integer({ min: 0, max: 2 * HOUR }),
        fc.integer({ min: 0, max: CALL_DEADLINE }),
        (uid, start, callMs) => {
          expect(play({ uid, start, length: 20 * MINUTE, callMs }).leastLeft).toBeGreaterThan(MINUTE);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('costs few calls', () => {
    fc.assert(
      fc.property(fc.uuid(), fc.integer({ min: 0, max: HOUR }), (uid, start) => {
        const { calls, refreshes } = play({ uid, start, length: 20 * MINUTE, callMs: 0 });
        expect(calls - refreshes).toBeLessThan(25);
      }),
      { numRuns: 200 },
    );
  });
});

describe('while STS grants', () => {
  it('no credential has less left than minRemaining or 0.6 of its life', () => {
    const anyRefresh = fc.record({
      percent: fc.integer({ min: 40, max: 80 }),
      jitterPercent: fc.integer({ min: 0, max: 25 }),
      minRemainingSeconds: fc.integer({ min: 60, max: 7200 }),
    });
    fc.assert(
      fc.property(fc.uuid(), fc.integer({ min: 5, max: 43_200 }), anyRefresh, (uid, life, refresh) => {
        const lifeMs = life * SECOND;
        const { leastLeft, refreshes } = play({ uid, start: lifeMs, length: 0, callMs: 0, lifeMs, refresh });
        expect(leastLeft).toBeGreaterThanOrEqual(Math.min(refresh.minRemainingSeconds * SECOND, 0.6 * lifeMs) - SECOND);
        expect(refreshes).toBeGreaterThan(0);
      }),
    );
  });
});

describe('an outage that outlasts the credential', () => {
  it('is noticed to be over within a minute and the time of one call', () => {
    fc.assert(
      fc.property(fc.uuid(), fc.integer({ min: 0, max: CALL_DEADLINE }), (uid, callMs) => {
        const { leastLeft } = play({ uid, start: 0, length: 3 * HOUR, callMs });
        expect(-leastLeft).toBeLessThanOrEqual(2 * HOUR + MINUTE + callMs);
      }),
    );
  });
});
