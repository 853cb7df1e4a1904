import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  acquired,
  decide,
  heldElsewhere,
  type Lease,
  type LeaseSpec,
  microTime,
  newLease,
  type Observed,
  observe,
  released,
  renewed,
} from '../../lib/kube/lease-record.ts';

const OURS = 15_000;
const term = { identity: 'me', durationMs: OURS, now: Date.parse('2026-01-01T00:00:00.123Z') };
const time = '2026-01-01T00:00:00.123000Z';
const bare: Lease = {
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { namespace: 'ns', name: 'l', uid: 'u1' },
};
const noDuration: Lease = { ...bare, spec: { holderIdentity: 'you' } };
const lease = (holderIdentity: string, spec: LeaseSpec = {}): Lease => ({
  ...bare,
  spec: {
    holderIdentity,
    leaseDurationSeconds: 15,
    acquireTime: '2025-01-01T00:00:00.000000Z',
    renewTime: '2025-01-01T00:00:00.000000Z',
    ...spec,
  },
});

describe('the decision about a lease', () => {
  it.each<[string, Lease | undefined, Observed | undefined, number, ReturnType<typeof decide>]>([
    ['one that never was: create', undefined, undefined, 0, { action: 'create' }],
    ['our own: renew, also long after its term', lease('me'), seen(lease('me'), 0), 99_999, { action: 'renew' }],
    ['one without a holder: acquire', lease(''), seen(lease(''), 0), 0, { action: 'acquire' }],
    ['one without a spec: acquire', bare, seen(bare, 0), 0, { action: 'acquire' }],
    ["another's in its term: wait for the rest", lease('you'), seen(lease('you'), 100), 5100, wait(10_000)],
    ["another's in the last millisecond of its term: wait", lease('you'), seen(lease('you'), 100), 15_099, wait(1)],
    ["another's at the end of its term: acquire", lease('you'), seen(lease('you'), 100), 15_100, { action: 'acquire' }],
    [
      'one of another duration: its own counts',
      lease('you', { leaseDurationSeconds: 60 }),
      seen(lease('you', { leaseDurationSeconds: 60 }), 0),
      20_000,
      wait(40_000),
    ],
    ['one without a duration: ours counts', noDuration, seen(noDuration, 0), 0, wait(15_000)],
    [
      'one of a year: 10 terms of ours are believed',
      lease('you', { leaseDurationSeconds: 31_536_000 }),
      seen(lease('you', { leaseDurationSeconds: 31_536_000 }), 0),
      0,
      wait(150_000),
    ],
    [
      'one of a second: its holder counts on our term all the same',
      lease('you', { leaseDurationSeconds: 1 }),
      seen(lease('you', { leaseDurationSeconds: 1 }), 0),
      2000,
      wait(13_000),
    ],
    ["another's that was deleted in its term: wait, it works on", undefined, seen(lease('you'), 0), 5000, wait(10_000)],
    [
      "another's that was deleted before its term ended: create then",
      undefined,
      seen(lease('you'), 0),
      15_000,
      { action: 'create' },
    ],
    ['our own that was deleted: create', undefined, seen(lease('me'), 0), 5000, { action: 'create' }],
    ['a released one that was deleted: create', undefined, seen(lease(''), 0), 0, { action: 'create' }],
  ])('%s', (_title, found, observed, now, decision) => {
    expect(decide(found, observed, now, { identity: 'me' })).toEqual(decision);
  });

  it('leaves a lease that names us by the hand of somebody else to its holder of before for a term', () => {
    const edited = lease('me');
    const observed = observe(edited, seen(lease('you'), 0), 5000, OURS);
    expect(decide(edited, observed, 19_999, {})).toEqual({ action: 'wait', ms: 1, holder: 'me' });
    expect(decide(edited, observed, 20_000, {})).toEqual({ action: 'acquire' });
    expect(decide(edited, observed, 5000, { identity: 'me' })).toEqual({ action: 'renew' });
  });

  it('takes one without a holder over, also where no write of its own can stand in it', () => {
    expect(decide(bare, seen(bare, 0), 0, {})).toEqual({ action: 'acquire' });
  });

  it("never depends on the times that the other's clock wrote", () => {
    fc.assert(
      fc.property(fc.date({ noInvalidDate: true }), fc.nat(30_000), (date, now) => {
        const skewed = lease('you', { renewTime: microTime(date.getTime()), acquireTime: microTime(date.getTime()) });
        expect(decide(skewed, seen(skewed, 0), now, { identity: 'me' })).toEqual(
          now < OURS ? wait(OURS - now) : { action: 'acquire' },
        );
      }),
    );
  });
});

describe('the decision about a lease of a process in whose place this one was started', () => {
  const self = { identity: 'me', isPredecessor: (holder: string) => holder === 'before' };
  const before = lease('before');
  const renewal = lease('before', { renewTime: time });
  const afterOther = observe(before, seen(lease('you'), 0), 100, OURS);
  const waitFor = (holder: string, ms: number) => ({ action: 'wait', ms, holder });

  it.each<[string, Lease | undefined, Observed | undefined, number, object]>([
    ['waits a second for its last requests', before, seen(before, 100), 1099, waitFor('before', 1)],
    ['then takes it', before, seen(before, 100), 1100, { action: 'acquire' }],
    [
      'counts anew from such a request',
      renewal,
      observe(renewal, seen(before, 0), 900, OURS),
      1899,
      waitFor('before', 1),
    ],
    ['takes it then, too', renewal, observe(renewal, seen(before, 0), 900, OURS), 1900, { action: 'acquire' }],
    [
      'creates it where it was deleted',
      undefined,
      observe(undefined, seen(before, 0), 500, OURS),
      1500,
      { action: 'create' },
    ],
    [
      'leaves it for a term where somebody else led before: that is an edit',
      before,
      afterOther,
      15_099,
      waitFor('before', 1),
    ],
    [
      'leaves it then for one more term where that edit is renewed',
      renewal,
      observe(renewal, afterOther, 900, OURS),
      15_899,
      waitFor('before', 1),
    ],
    ["leaves another's for its term", lease('you'), seen(lease('you'), 0), 14_999, waitFor('you', 1)],
    [
      "leaves another's that followed it",
      lease('you'),
      observe(lease('you'), seen(before, 0), 0, OURS),
      14_999,
      waitFor('you', 1),
    ],
  ])('%s', (_title, found, observed, now, decision) => {
    expect(decide(found, observed, now, self)).toEqual(decision);
  });
});

describe('the decision about a lease that may have had another name', () => {
  it('is to create it a term later', () => {
    const observed = observe(undefined, heldElsewhere(100, OURS), 5000, OURS);
    const holder = 'whoever led under another name';
    expect(decide(undefined, observed, 15_099, { identity: 'me' })).toEqual({ action: 'wait', ms: 1, holder });
    expect(decide(undefined, observed, 15_100, { identity: 'me' })).toEqual({ action: 'create' });
  });

  it('is the same as ever where it exists', () => {
    expect(observe(lease('you'), heldElsewhere(0, OURS), 100, OURS)).toMatchObject({ holder: 'you', at: 100 });
    const observed = observe(released(lease('you'), term.now), heldElsewhere(0, OURS), 100, OURS);
    expect(decide(released(lease('you'), term.now), observed, 100, {})).toEqual({ action: 'acquire' });
  });
});

describe('the observation of a lease', () => {
  it('moves when the record changes, and not for labels, annotations or versions', () => {
    const first = observe(lease('you'), undefined, 10, OURS);
    const labelled: Lease = {
      ...lease('you'),
      metadata: { ...lease('you').metadata, resourceVersion: '9', labels: { a: 'b' } },
    };
    const renewal = lease('you', { renewTime: '2026-01-01T00:00:02.000000Z' });
    expect(first).toMatchObject({ holder: 'you', durationMs: OURS, at: 10 });
    expect(observe(labelled, first, 20, OURS)).toBe(first);
    expect(observe(renewal, first, 20, OURS)?.at).toBe(20);
  });

  it.each<LeaseSpec>([
    { leaseDurationSeconds: 20 },
    { acquireTime: time },
    { renewTime: time },
    { leaseTransitions: 1 },
  ])('moves for another %j', (change) => {
    expect(observe(lease('you', change), seen(lease('you'), 10), 20, OURS)?.at).toBe(20);
  });

  it('moves once when the lease was deleted, and keeps the holder', () => {
    const first = observe(lease('you'), undefined, 10, OURS);
    const gone = observe(undefined, first, 20, OURS);
    expect(gone).toMatchObject({ holder: 'you', durationMs: OURS, at: 20 });
    expect(observe(undefined, gone, 30, OURS)).toBe(gone);
    expect(observe(undefined, undefined, 30, OURS)).toBeUndefined();
  });

  it.each<[string, Lease]>([
    ['its spec', bare],
    ['its holder', lease('')],
  ])('keeps the holder when somebody takes %s out, since that one works on', (_what, emptied) => {
    expect(observe(emptied, seen(lease('you'), 10), 20, OURS)).toMatchObject({ holder: 'you', at: 20 });
  });

  it('has no holder once that one gave the lease back', () => {
    expect(observe(released(lease('you'), term.now), seen(lease('you'), 10), 20, OURS)).toMatchObject({ holder: '' });
  });

  it('moves when the lease was created anew', () => {
    const first = observe(lease('you'), undefined, 10, OURS);
    const other: Lease = { ...lease('you'), metadata: { ...lease('you').metadata, uid: 'u2' } };
    expect(observe(other, first, 20, OURS)?.at).toBe(20);
  });
});

describe('the written lease', () => {
  it('is a new one with no transitions', () => {
    expect(newLease({ namespace: 'ns', name: 'l' }, term)).toEqual({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { namespace: 'ns', name: 'l' },
      spec: { holderIdentity: 'me', leaseDurationSeconds: 15, acquireTime: time, renewTime: time, leaseTransitions: 0 },
    });
  });

  it('counts a transition when its holder changes, and keeps what it does not know', () => {
    const foreign = { ...lease('you', { leaseTransitions: 4, strategy: 'x' } as LeaseSpec) };
    expect(acquired(foreign, term)).toEqual({
      ...foreign,
      spec: {
        holderIdentity: 'me',
        leaseDurationSeconds: 15,
        acquireTime: time,
        renewTime: time,
        leaseTransitions: 5,
        strategy: 'x',
      },
    });
  });

  it('counts from 1 again before its transitions grow beyond what Kubernetes takes', () => {
    const most = 2 ** 31 - 1;
    const count = (leaseTransitions: number) =>
      acquired(lease('you', { leaseTransitions }), term).spec?.leaseTransitions;
    expect([count(most - 1), count(most)]).toEqual([most, 1]);
  });

  it('only gets a new renewTime at a renewal, which also puts hand edits right', () => {
    const ours = lease('me', { leaseTransitions: 4 });
    expect(renewed(ours, term)).toEqual({ ...ours, spec: { ...ours.spec, renewTime: time } });
    expect(renewed({ ...ours, spec: { holderIdentity: 'me', leaseDurationSeconds: 3 } }, term).spec).toEqual({
      holderIdentity: 'me',
      leaseDurationSeconds: 15,
      acquireTime: time,
      renewTime: time,
      leaseTransitions: 0,
    });
  });

  it('has no holder and a duration of 1 s once it is released', () => {
    expect(released(lease('me', { leaseTransitions: 4 }), term.now).spec).toEqual({
      holderIdentity: '',
      leaseDurationSeconds: 1,
      acquireTime: time,
      renewTime: time,
      leaseTransitions: 4,
    });
  });

  it('has times with exactly six fractional digits', () => {
    fc.assert(
      fc.property(fc.date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true }), (date) => {
        expect(microTime(date.getTime())).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
        expect(Date.parse(microTime(date.getTime()))).toBe(date.getTime());
      }),
    );
  });
});

function wait(ms: number): ReturnType<typeof decide> {
  return { action: 'wait', ms, holder: 'you' };
}

function seen(found: Lease, at: number): Observed | undefined {
  return observe(found, undefined, at, OURS);
}
