import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sleep, systemClock } from '../../lib/clock.ts';
import type { Lease, LeaseSpec } from '../../lib/kube/lease-record.ts';
import { leases } from '../../lib/kube/objects.ts';
import { type FaultProxy, startFaultProxy } from '../lab/fault-proxy.ts';
import { sharedControlPlane, testNamespace } from '../lab/index.ts';
import { ManualClock } from '../support/clock.ts';
import { eventually } from '../support/eventually.ts';
import { strayWrites } from '../support/reigns.ts';
import { clientFor, configMap, configMaps, patientClient, type TestClient } from './support/cluster.ts';
import { type Elector, startElector } from './support/elector.ts';

const name = 'rolevend-controller';
const HOUR = 3600_000;
/** A term, a retry, and some time to spare: whatever an edit does has shown by then. */
const WATCHED_SECONDS = 20;
/** Real time that everybody gets after a second of theirs, to ask something. */
const TURN_MS = 30;
const identities = ['a', 'b', 'c'];
const farAway = '2999-01-01T00:00:00.000000Z';

/** A change of the Lease's spec; null deletes a field, or the whole spec. */
type Edit = { [K in keyof LeaseSpec]?: LeaseSpec[K] | null } | null;

interface Case {
  edit?: Edit | 'delete';
  /** By how much each wall clock is wrong from the start, in milliseconds. */
  clocks?: Record<string, number>;
  /** By how much the leader's wall clock is set while it leads. */
  step?: number;
  /** The leader is told to stop after the edit. */
  ends?: boolean;
  /** Who leads afterwards. */
  leader: 'the same' | 'another';
  spec?: Partial<LeaseSpec>;
}

const cases: Record<string, Case> = {
  'is deleted': { edit: 'delete', leader: 'the same', spec: { leaseTransitions: 0 } },
  'loses its spec': { edit: null, leader: 'the same' },
  'loses its holder': { edit: { holderIdentity: null }, leader: 'the same' },
  'has an empty holder': { edit: { holderIdentity: '' }, leader: 'the same' },
  'lasts for years': { edit: { leaseDurationSeconds: 999_999_999 }, leader: 'the same' },
  'lasts for a second': { edit: { leaseDurationSeconds: 1 }, leader: 'the same' },
  'has times of the future': { edit: { renewTime: farAway, acquireTime: farAway }, leader: 'the same' },
  'has no times': { edit: { renewTime: null, acquireTime: null }, leader: 'the same' },
  'names a stranger': { edit: { holderIdentity: 'mallory' }, leader: 'another' },
  'names garbage': { edit: { holderIdentity: '☃ \u0001/..' }, leader: 'another' },
  'names a standby': { edit: { holderIdentity: 'b' }, leader: 'another' },
  'has as many transitions as there can be, and its leader ends': {
    edit: { leaseTransitions: 2 ** 31 - 1 },
    ends: true,
    leader: 'another',
    spec: { leaseTransitions: 1 },
  },
  'is led by a process whose clock is an hour ahead': { clocks: { a: HOUR }, leader: 'the same' },
  'is led by a process whose clock is an hour behind': { clocks: { a: -HOUR, b: HOUR }, leader: 'the same' },
  'is led by a process whose clock is set an hour ahead': { step: HOUR, leader: 'the same' },
  'is led by a process whose clock is set an hour back': { step: -HOUR, leader: 'the same' },
  'loses a leader whose clock is wrong': { clocks: { a: HOUR, b: -HOUR }, ends: true, leader: 'another' },
};

interface Result {
  strayWrites: string[];
  leaders: string[];
  spec: LeaseSpec;
}

/** A process that takes part, by its own clock and through its own proxy. */
interface Made {
  identity: string;
  clock: ManualClock;
  proxy: FaultProxy;
}

/**
 * Three processes each, of which `a` leads first and writes all the time. All cases run side by side, in time that
 * goes on by a second once all that was asked is answered, and else stands still: how fast the machine is changes nothing.
 */
describe('a lease that', () => {
  const plane = sharedControlPlane();
  const cleanUps: (() => Promise<unknown>)[] = [];
  const running = new Map<string, Promise<Result>>();
  let admin: TestClient;

  beforeAll(async () => {
    admin = await patientClient(plane);
    for (const [title, one] of Object.entries(cases)) running.set(title, play(one));
    await Promise.allSettled(running.values());
  });
  afterAll(async () => {
    await Promise.allSettled(cleanUps.map((cleanUp) => cleanUp()));
    await admin?.connection.close();
  });

  async function play({ edit, clocks = {}, step = 0, ends = false }: Case): Promise<Result> {
    const namespace = await testNamespace(plane);
    cleanUps.push(() => namespace.remove());
    const time = new ManualClock();
    const made = await Promise.all(
      identities.map(async (identity) => {
        return { identity, clock: new ManualClock(), proxy: await startFaultProxy(plane, time) };
      }),
    );
    const electors: Elector[] = [];
    for (const { identity, clock, proxy } of made) {
      clock.step(clocks[identity] ?? 0);
      electors.push(await startWriting(namespace.name, identity, clock, proxy.url));
      cleanUps.unshift(() => proxy.close());
    }
    made[0]?.clock.step(step);
    if (edit !== undefined) await change(namespace.name, edit);
    if (ends) electors[0]?.end.abort();
    for (let second = 0; second < WATCHED_SECONDS; second += 1) await passSecond(time, made);
    return eventually('one leader with a sound Lease', async (saw) => {
      await passSecond(time, made);
      const { spec = {} } = await admin.client.get<Lease>(leases, { namespace: namespace.name, name });
      const leaders = electors.filter((elector) => elector.leads()).map(({ identity }) => identity);
      const leader = made.find(({ identity }) => identity === leaders[0]);
      saw({ leaders, spec });
      if (leader === undefined || !isSound(spec, leader.identity, leader.clock.now())) return undefined;
      const requests = made.map(({ identity, proxy }) => [identity, proxy.requests]);
      return { strayWrites: strayWrites(Object.fromEntries(requests)), leaders, spec };
    });
  }

  /** Puts everybody's time forward, and waits until all that was asked is answered. */
  async function passSecond(time: ManualClock, made: readonly Made[]): Promise<void> {
    await Promise.all([time, ...made.map((one) => one.clock)].map((clock) => clock.advance(1_000)));
    await eventually('everything to be answered', async () => {
      await sleep(systemClock, TURN_MS);
      return made.every(({ proxy }) => proxy.open === 0);
    });
  }

  /** An elector that writes through a proxy for as long as its fence lets it. */
  async function startWriting(
    namespace: string,
    identity: string,
    clock: ManualClock,
    server: string,
  ): Promise<Elector> {
    let fence = () => {};
    const [forLease, forWork] = await Promise.all([
      clientFor(plane, { server, clock }),
      clientFor(plane, { server, clock, beforeWrite: () => fence() }),
    ]);
    const elector = startElector(forLease, { namespace, name, identity, clock }, async (check) => {
      fence = check;
      await forWork.client
        .apply(configMaps, configMap(namespace, 'work', { by: identity }), { force: true })
        .catch(() => {});
    });
    await eventually(`${identity} to take part`, () =>
      forLease.lines.some(({ msg = '' }) => /^(leading|standing by)/.test(String(msg))),
    );
    cleanUps.unshift(async () => {
      elector.end.abort();
      await elector.outcome;
      await Promise.all([forLease.connection.close(), forWork.connection.close()]);
    });
    return elector;
  }

  async function change(namespace: string, edit: Edit | 'delete'): Promise<void> {
    const path = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/${name}`;
    const { status } =
      edit === 'delete' ? await plane.request('DELETE', path) : await plane.request('PATCH', path, { spec: edit });
    expect(status).toBe(200);
  }

  it.each(Object.entries(cases))('%s has one leader, and nobody else writes', async (title, { leader, spec = {} }) => {
    const result = await (running.get(title) as Promise<Result>);
    const others = identities.slice(1).map((identity) => [identity]);
    expect(result).toEqual({ ...result, strayWrites: [], spec: { ...result.spec, ...spec } });
    expect(leader === 'another' ? others : [['a']]).toContainEqual(result.leaders);
  });
});

/** Whether the Lease names the leader with our term, and the leader's time. */
function isSound({ holderIdentity, leaseDurationSeconds, renewTime }: LeaseSpec, leader: string, now: number): boolean {
  const age = now - Date.parse(renewTime ?? '');
  return holderIdentity === leader && leaseDurationSeconds === 15 && age >= 0 && age < 10_000;
}
