import { afterEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { sleep } from '../../lib/clock.ts';
import { type LeaseClient, type LeaseOptions, runWithLease } from '../../lib/kube/lease.ts';
import { type Lease, microTime } from '../../lib/kube/lease-record.ts';
import { createLogger } from '../../lib/log.ts';
import { createMetrics } from '../../lib/metrics.ts';
import { ManualClock } from '../support/clock.ts';
import { type Fate, LeaseStub } from './lease-stub.ts';

const HOUR = 3600_000;
const electors: Elector[] = [];

afterEach(() => {
  for (const elector of electors.splice(0)) elector.end.abort();
});

describe('leader election', () => {
  it('creates the lease and leads, while the other stands by', async () => {
    const { clock, stub, a, b } = await leaderAndStandby();
    await clock.advance(60_000);
    expect([a.leads(), b.leads()]).toEqual([true, false]);
    expect(stub.lease?.spec).toMatchObject({ holderIdentity: 'a', leaseDurationSeconds: 15, leaseTransitions: 0 });
    expect(await a.status()).toBe(1);
    expect(await b.status()).toBe(0);
  });

  it('renews every 2 s to 2.4 s', async () => {
    const { clock, stub } = await leaderAndStandby();
    await clock.advance(60_000);
    const renewals = stub.requests.filter(({ verb }) => verb === 'update').map(({ at }) => at);
    const pauses = renewals.slice(1).map((at, index) => at - (renewals[index] ?? 0));
    expect(pauses.length).toBeGreaterThanOrEqual(24);
    expect([Math.min(...pauses) >= 2000, Math.max(...pauses) <= 2400]).toEqual([true, true]);
  });

  it('follows a killed leader as soon as its term ended for the standby, which saw it up to 2.4 s late', async () => {
    const { clock, stub, a, b } = await leaderAndStandby();
    await clock.advance(30_000);
    a.fate = 'stall';
    const lastRenewal = stub.requests.findLast(({ verb }) => verb === 'update')?.at ?? 0;
    await until(clock, () => b.leads());
    const gap = clock.monotonic() - lastRenewal;
    expect([gap >= 15_000, gap <= 17_500]).toEqual([true, true]);
    const takenAt = stub.requests.find(({ holder }) => holder === 'b')?.at ?? 0;
    const looks = stub.requests.filter(({ verb, at }) => verb === 'get' && Math.abs(takenAt - at - 15_000) < 1);
    expect(looks.length).toBe(1);
    expect(stub.lease?.spec).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 });
  });

  it('hands over after the last pass ended, to a standby that watches at once', async () => {
    const clock = new ManualClock();
    const stub = new LeaseStub(clock);
    const a = elector('a', clock, stub, { windDownMs: 3000 });
    await clock.advance(100);
    const b = elector('b', clock, stub, { watch: true });
    await clock.advance(10_000);
    a.end.abort();
    await clock.advance(2999);
    expect([stub.lease?.spec?.holderIdentity, b.leads()]).toEqual(['a', false]);
    await clock.advance(1);
    expect([await a.outcome, b.leads()]).toEqual(['released', true]);
    expect(stub.lease?.spec).toMatchObject({ holderIdentity: 'b', leaseDurationSeconds: 15, leaseTransitions: 1 });
  });

  it('hands over within 2.4 s to a standby that only polls', async () => {
    const { clock, a, b } = await leaderAndStandby();
    await clock.advance(10_000);
    a.end.abort();
    await clock.advance(2400);
    expect([await a.outcome, b.leads()]).toEqual(['released', true]);
  });

  it('releases with no holder and a duration of 1 s, and cannot write afterwards', async () => {
    const { clock, stub, a } = await leaderAlone();
    a.end.abort();
    await clock.advance(0);
    expect(await a.outcome).toBe('released');
    expect(stub.lease?.spec).toMatchObject({ holderIdentity: '', leaseDurationSeconds: 1, leaseTransitions: 0 });
    expect([a.leads(), await a.status()]).toEqual([false, 0]);
  });

  it('releases when the work ended by itself, and passes on what it threw', async () => {
    const clock = new ManualClock();
    const stub = new LeaseStub(clock);
    const done = elector('a', clock, stub, { work: async () => {} });
    await clock.advance(0);
    expect([await done.outcome, stub.lease?.spec?.holderIdentity]).toEqual(['released', '']);
    const broken = elector('b', clock, stub, { work: () => Promise.reject(new Error('broken')) });
    await clock.advance(0);
    await expect(broken.outcome).rejects.toThrow('broken');
    expect(stub.lease?.spec?.holderIdentity).toBe('');
  });
});

describe('a leader that cannot renew', () => {
  it.each<Fate>(['stall', 'refuse'])(
    'may not write 10 s after its last renewal was sent, and has lost then (%s)',
    async (fate) => {
      const { clock, stub, a } = await leaderAlone();
      await clock.advance(7000);
      a.fate = fate;
      const lastRenewal = stub.requests.findLast(({ verb }) => verb === 'update')?.at ?? 0;
      await clock.advance(lastRenewal + 9999 - clock.monotonic());
      expect([a.leads(), a.signal?.aborted]).toEqual([true, false]);
      await clock.advance(1);
      expect(a.signal).toMatchObject({ aborted: true, reason: { code: 'LeaseLost' } });
      expect(a.leads()).toBe(false);
      expect([await a.outcome, await a.status()]).toEqual(['lost', 0]);
    },
  );

  it('counts from before the request that renewed, however long the answer took', async () => {
    const { clock, stub, a } = await leaderAlone();
    await clock.advance(5000);
    a.fate = 2500;
    const sent = await next(clock, stub, 'update');
    a.fate = 'stall';
    await clock.advance(sent + 9999 - clock.monotonic());
    expect(a.leads()).toBe(true);
    await clock.advance(1);
    expect(a.leads()).toBe(false);
  });

  it('tries three times and more before it gives up, also when no request is answered', async () => {
    const { clock, stub, a } = await leaderAlone();
    await clock.advance(5000);
    a.fate = 'stall';
    const before = stub.requests.length;
    await clock.advance(12_000);
    expect(stub.requests.length - before).toBeGreaterThanOrEqual(3);
  });

  it('leaves a server that refuses alone for as long as it asks', async () => {
    const { clock, stub, a } = await leaderAlone();
    await clock.advance(5000);
    a.fate = 'refuse';
    stub.retryAfterMs = 3500;
    const refused = await next(clock, stub, 'update');
    expect((await next(clock, stub, 'get')) - refused).toBe(3500);
    a.fate = 'ok';
    await clock.advance(30_000);
    expect([a.leads(), a.signal?.aborted]).toEqual([true, false]);
  });

  it('tries three times and more before it gives up, also when the server asks for a minute', async () => {
    const { clock, stub, a } = await leaderAlone();
    await clock.advance(5000);
    a.fate = 'refuse';
    stub.retryAfterMs = 60_000;
    const before = stub.requests.length;
    await clock.advance(12_000);
    expect([stub.requests.length - before >= 3, a.leads()]).toEqual([true, false]);
  });

  it('goes on leading when the server comes back in time', async () => {
    const { clock, a } = await leaderAlone();
    await clock.advance(5000);
    a.fate = 'mute';
    await clock.advance(7000);
    a.fate = 'ok';
    await clock.advance(30_000);
    expect([a.leads(), a.signal?.aborted]).toEqual([true, false]);
  });

  it('resolves 5 s later when its work does not end', async () => {
    const clock = new ManualClock();
    const a = elector('a', clock, new LeaseStub(clock), { work: () => new Promise(() => {}) });
    await clock.advance(0);
    a.fate = 'stall';
    let outcome: string | undefined;
    void a.outcome.then((what) => (outcome = what));
    await clock.advance(14_999);
    expect(outcome).toBeUndefined();
    await clock.advance(1);
    expect(outcome).toBe('lost');
  });

  it('may not write when the machine slept through its term, until it renewed', async () => {
    const { clock, a } = await leaderAlone();
    clock.step(10_000);
    expect(a.leads()).toBe(false);
    await clock.advance(2400);
    expect(a.leads()).toBe(true);
  });
});

describe('a lease that was tampered with', () => {
  it('is created again by its leader when it was deleted; the standby leaves it alone', async () => {
    const { clock, stub, a, b } = await leaderAndStandby({ watch: true });
    await clock.advance(10_000);
    stub.edit(() => undefined);
    await clock.advance(2400);
    expect([a.leads(), b.leads(), stub.lease?.spec?.holderIdentity]).toEqual([true, false, 'a']);
    await clock.advance(30_000);
    expect([a.leads(), b.leads()]).toEqual([true, false]);
  });

  it('is created by the standby when leader and lease are gone', async () => {
    const { clock, stub, a, b } = await leaderAndStandby();
    await clock.advance(10_000);
    a.fate = 'stall';
    stub.edit(() => undefined);
    await clock.advance(19_800);
    expect([b.leads(), stub.lease?.spec?.holderIdentity]).toEqual([true, 'b']);
  });

  it('is put right when everything but its holder was edited', async () => {
    const { clock, stub, a } = await leaderAlone();
    stub.edit((lease) => ({ ...lease, spec: { holderIdentity: 'a', leaseDurationSeconds: 99_999 } }));
    await clock.advance(2400);
    expect(a.leads()).toBe(true);
    expect(stub.lease?.spec).toMatchObject({ holderIdentity: 'a', leaseDurationSeconds: 15, leaseTransitions: 0 });
  });

  it('is lost at the next renewal when somebody else was written into it', async () => {
    const { clock, stub, a, b } = await leaderAndStandby();
    stub.edit((lease) => ({ ...lease, spec: { ...lease.spec, holderIdentity: 'mallory' } }));
    await clock.advance(2400);
    expect([await a.outcome, b.leads()]).toEqual(['lost', false]);
    await clock.advance(19_800);
    expect(b.leads()).toBe(true);
  });
});

describe('a standby', () => {
  it('that is stopped ends without touching the lease', async () => {
    const { clock, stub, b } = await leaderAndStandby();
    const version = stub.lease?.metadata.resourceVersion;
    b.end.abort();
    await clock.advance(0);
    expect([await b.outcome, stub.lease?.metadata.resourceVersion]).toEqual(['released', version]);
  });

  it('that is stopped in the middle of getting the lease gives it back', async () => {
    const clock = new ManualClock();
    const stub = new LeaseStub(clock);
    const a = elector('a', clock, stub);
    a.fate = 'mute';
    a.fateOf = (verb) => (verb === 'create' ? 'mute' : 'ok');
    await clock.advance(100);
    expect(stub.lease?.spec?.holderIdentity).toBe('a');
    a.end.abort();
    await clock.advance(0);
    expect([await a.outcome, stub.lease?.spec?.holderIdentity, a.signal]).toEqual(['released', '', undefined]);
  });

  it('that never got the lease leaves it to its holder', async () => {
    const clock = new ManualClock();
    const stub = new LeaseStub(clock);
    const a = elector('a', clock, stub);
    a.fateOf = (verb) => (verb === 'create' ? 'stall' : 'ok');
    await clock.advance(100);
    const b = elector('b', clock, stub);
    await clock.advance(5000);
    a.end.abort();
    await clock.advance(0);
    expect([await a.outcome, b.leads(), stub.lease?.spec?.holderIdentity]).toEqual(['released', true, 'b']);
  });

  it.each([
    [8000, 8000],
    [60_000, 15_000],
  ])('leaves a server alone that asks for %i ms, for %i ms', async (retryAfterMs, pauseMs) => {
    const { clock, stub, b } = await leaderAndStandby({ watch: true });
    stub.retryAfterMs = retryAfterMs;
    b.fate = 'refuse';
    await clock.advance(3000);
    const before = stub.requests.filter(({ verb }) => verb === 'get').length;
    const looks = () => stub.requests.filter(({ verb }) => verb === 'get').length - before;
    const refusedAt = stub.requests.findLast(({ verb }) => verb === 'get')?.at ?? 0;
    await clock.advance(refusedAt + pauseMs - 1 - clock.monotonic());
    expect(looks()).toBe(0);
    await clock.advance(1);
    expect(looks()).toBe(1);
  });

  it('waits for a server that is not there yet', async () => {
    const clock = new ManualClock();
    const a = elector('a', clock, new LeaseStub(clock));
    a.fate = 'refuse';
    await clock.advance(60_000);
    expect(a.leads()).toBe(false);
    a.fate = 'ok';
    await clock.advance(2400);
    expect(a.leads()).toBe(true);
  });
});

describe('a process that was started in the place of one that has ended', () => {
  const follower = async ({ fate = 'stall' }: { fate?: Fate } = {}) => {
    const { clock, stub, a } = await leaderAlone();
    await clock.advance(30_000);
    a.fate = fate;
    const other = elector('c', clock, stub);
    const b = elector('b', clock, stub, { isPredecessor: (holder) => holder === 'a' });
    await clock.advance(0);
    return { clock, stub, other, b };
  };

  it('takes its lease a second later, before all others', async () => {
    const { clock, stub, other, b } = await follower();
    await clock.advance(999);
    expect(b.leads()).toBe(false);
    await clock.advance(1);
    expect([b.leads(), other.leads()]).toEqual([true, false]);
    expect(stub.lease?.spec).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 });
  });

  it('waits a second for what that one sent last and what arrives only now', async () => {
    const { clock, stub, b } = await follower();
    await clock.advance(900);
    stub.edit((lease) => ({ ...lease, spec: { ...lease.spec, renewTime: microTime(clock.now()) } }));
    // It finds out when it looks again.
    await clock.advance(1099);
    expect(b.leads()).toBe(false);
    await clock.advance(1);
    expect(b.leads()).toBe(true);
  });

  it('leaves the lease alone for its term where somebody else leads', async () => {
    const { clock, stub, a, b: standby } = await leaderAndStandby();
    await clock.advance(10_000);
    a.end.abort();
    await clock.advance(2400);
    const b = elector('d', clock, stub, { isPredecessor: (holder) => holder === 'a' });
    await clock.advance(30_000);
    expect([standby.leads(), b.leads()]).toEqual([true, false]);
  });

  it('leaves the lease to its leader where only an edit names that one', async () => {
    const { clock, stub, b } = await leaderAndStandby();
    const restarted = elector('d', clock, stub, { isPredecessor: (holder) => holder === 'x' });
    await clock.advance(10_000);
    stub.edit((lease) => ({ ...lease, spec: { ...lease.spec, holderIdentity: 'x' } }));
    await clock.advance(14_900);
    expect([b.leads(), restarted.leads()]).toEqual([false, false]);
  });
});

describe('a lease that may have had another name', () => {
  it('is created a term later, by whoever comes first', async () => {
    const clock = new ManualClock();
    const stub = new LeaseStub(clock);
    const [a, b] = ['a', 'b'].map((name) => elector(name, clock, stub, { mayBeRenamed: true })) as [Elector, Elector];
    await clock.advance(14_999);
    expect([a.leads(), b.leads(), stub.lease]).toEqual([false, false, undefined]);
    await clock.advance(1);
    expect([a.leads(), b.leads()].filter(Boolean)).toEqual([true]);
  });
});

/** What people, or their tools, may do to a lease by hand. */
const edits: Record<string, (lease: Lease) => Lease | undefined> = {
  'delete it': () => undefined,
  'empty its spec': ({ spec: _, ...lease }) => lease,
  'take its holder out': (lease) => ({ ...lease, spec: { ...lease.spec, holderIdentity: '' } }),
  'write the standby into it': (lease) => ({ ...lease, spec: { ...lease.spec, holderIdentity: 'b' } }),
  'write a stranger into it': (lease) => ({ ...lease, spec: { ...lease.spec, holderIdentity: 'mallory' } }),
  'shorten it to two seconds': (lease) => ({ ...lease, spec: { ...lease.spec, leaseDurationSeconds: 2 } }),
  'lengthen it to years': (lease) => ({ ...lease, spec: { ...lease.spec, leaseDurationSeconds: 1e9 } }),
  'give it times of the future': (lease) => ({
    ...lease,
    spec: { ...lease.spec, renewTime: microTime(4e12), acquireTime: microTime(4e12) },
  }),
};

it('never lets two processes write, whatever happens to their requests and clocks, and whatever is edited', async () => {
  const fate = fc.constantFrom<Fate>('ok', 'ok', 'ok', 'refuse', 'stall', 'mute', 800, 2900);
  const period = fc.record({ a: fate, b: fate, seconds: fc.integer({ min: 1, max: 20 }) });
  await fc.assert(
    fc.asyncProperty(
      fc.array(period, { maxLength: 12 }),
      fc.nat(12),
      fc.constantFrom(...Object.keys(edits)),
      fc.constantFrom(0, -HOUR, HOUR),
      fc.boolean(),
      async (periods, editIn, edit, step, watch) => {
        const { clock, stub, a, b } = await leaderAndStandby({ watch });
        for (const [index, { seconds, ...fates }] of periods.entries()) {
          [a.fate, b.fate] = [fates.a, fates.b];
          if (index === editIn && stub.lease) stub.edit(edits[edit] as (lease: Lease) => Lease | undefined);
          if (index === editIn) clock.step(step);
          for (let half = 0; half < 2 * seconds; half += 1) {
            expect([a, b].filter((each) => each.leads()).length).toBeLessThanOrEqual(1);
            await clock.advance(500);
          }
        }
        for (const each of [a, b]) each.end.abort();
        await clock.advance(60_000);
      },
    ),
    { numRuns: 300 },
  );
});

interface Elector {
  /** What happens to its requests from now on. */
  fate: Fate;
  fateOf: (verb: string) => Fate;
  end: AbortController;
  outcome: Promise<'released' | 'lost'>;
  /** Given to its work once it leads. */
  signal?: AbortSignal;
  /** Whether it may write now. */
  leads(): boolean;
  status(): Promise<number | undefined>;
}

interface ElectorOptions extends Pick<LeaseOptions, 'isPredecessor' | 'mayBeRenamed'> {
  watch?: boolean;
  /** How long its work goes on after it was told to stop. */
  windDownMs?: number;
  work?: (signal: AbortSignal) => Promise<void>;
}

async function leaderAlone() {
  const clock = new ManualClock();
  const stub = new LeaseStub(clock);
  const a = elector('a', clock, stub);
  await clock.advance(0);
  return { clock, stub, a };
}

async function leaderAndStandby(options: ElectorOptions = {}) {
  const { clock, stub, a } = await leaderAlone();
  const b = elector('b', clock, stub, options);
  await clock.advance(0);
  return { clock, stub, a, b };
}

function elector(identity: string, clock: ManualClock, stub: LeaseStub, options: ElectorOptions = {}): Elector {
  const metrics = createMetrics();
  const end = new AbortController();
  let fence: (() => void) | undefined;
  const client: LeaseClient = stub.client((verb) => made.fateOf(verb), { watch: options.watch ?? false });
  const work = options.work ?? ((signal) => windDown(clock, signal, options.windDownMs));
  const made: Elector = {
    fate: 'ok',
    fateOf: () => made.fate,
    end,
    outcome: Promise.resolve('lost'),
    leads: () => passes(fence),
    status: async () => (await metrics.getSingleMetric('leader_election_master_status')?.get())?.values[0]?.value,
  };
  made.outcome = runWithLease({
    client,
    clock,
    metrics,
    log: createLogger({ destination: { write: () => {} } }),
    namespace: 'ns',
    name: 'l',
    identity,
    isPredecessor: options.isPredecessor,
    mayBeRenamed: options.mayBeRenamed ?? false,
    random: pseudoRandom(identity.charCodeAt(0)),
    signal: end.signal,
    lead: (signal, check) => {
      fence = check;
      made.signal = signal;
      return work(signal);
    },
  });
  made.outcome.catch(() => {});
  electors.push(made);
  return made;
}

async function windDown(clock: ManualClock, signal: AbortSignal, ms = 0): Promise<void> {
  await sleep(clock, 1e9, signal).catch(() => {});
  if (ms > 0) await sleep(clock, ms);
}

/** The same numbers in each run, so that a failure can be repeated (Park and Miller's generator). */
function pseudoRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 16_807) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

function passes(fence: (() => void) | undefined): boolean {
  try {
    fence?.();
    return fence !== undefined;
  } catch (error) {
    expect(error).toMatchObject({ code: 'LeaseLost' });
    return false;
  }
}

async function until(clock: ManualClock, condition: () => boolean): Promise<void> {
  for (let step = 0; step < 1000 && !condition(); step += 1) await clock.advance(100);
  expect(condition()).toBe(true);
}

/** Moves on until the next request of that kind was sent, and gives its time. */
async function next(clock: ManualClock, stub: LeaseStub, verb: string): Promise<number> {
  const before = stub.requests.length;
  const sent = () => stub.requests.slice(before).find((request) => request.verb === verb);
  await until(clock, () => sent() !== undefined);
  return sent()?.at ?? 0;
}
