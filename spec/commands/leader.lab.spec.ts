import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Lease, LeaseSpec } from '../../lib/kube/lease-record.ts';
import { expectSuccess } from '../lab/index.ts';
import { eventually } from '../support/eventually.ts';
import type { RolevendProcess } from '../support/process.ts';
import { openSite, openWorkshop, type Site, type Workshop } from './support.ts';

const leading = 'leader_election_master_status{name="rolevend-controller"}';

let shop: Workshop;
let site: Site;
const processes: RolevendProcess[] = [];

beforeAll(async () => {
  shop = await openWorkshop();
});
afterAll(() => shop?.stop());

beforeEach(async () => {
  site = await openSite(shop);
});
afterEach(async () => {
  await Promise.all(processes.splice(0).map((one) => one.end('SIGKILL')));
  await site?.close();
});

async function start(variables: Record<string, string> = {}): Promise<RolevendProcess> {
  const flags = {
    kubeconfig: shop.plane.kubeconfig,
    namespaces: site.ns.name,
    'leader-election-namespace': site.ns.name,
  };
  const one = await shop.program.start({ flags, env: { ...shop.aws.environment(shop.keys), ...variables } });
  processes.push(one);
  return one;
}

const path = () => `/apis/coordination.k8s.io/v1/namespaces/${site.ns.name}/leases/rolevend-controller`;

async function lease(): Promise<LeaseSpec> {
  return expectSuccess(await shop.plane.request<Lease>('GET', path()), path()).spec ?? {};
}

async function changeLease(spec: object): Promise<void> {
  expectSuccess(await shop.plane.request('PATCH', path(), { spec }), path());
}

describe('two processes with --leader-elect', () => {
  beforeEach(async () => {
    for (const one of [await start(), await start()]) await one.ready();
  });

  /** The one that leads, then the other. */
  async function leaderAndStandby(): Promise<[RolevendProcess, RolevendProcess]> {
    const [one, two] = processes as [RolevendProcess, RolevendProcess];
    await eventually(
      'one to lead',
      async () => ((await one.metric(leading)) ?? 0) + ((await two.metric(leading)) ?? 0) === 1,
    );
    return (await one.metric(leading)) === 1 ? [one, two] : [two, one];
  }

  const objectsIssued = async (one: RolevendProcess) =>
    (await one.log()).filter(({ msg }) => msg === 'credential issued').map(({ object }) => object);
  const key = (name: string) => `${site.ns.name}/${name}`;

  test('only the holder of the Lease works, and at SIGTERM the other goes on with what is due', async () => {
    const [leader, standby] = await leaderAndStandby();
    const first = (await lease()).holderIdentity;
    await Promise.all(['one', 'two', 'three'].map((name) => site.apply(name)));
    await Promise.all(['one', 'two', 'three'].map((name) => site.ready(name)));
    expect((await objectsIssued(leader)).sort()).toEqual(['one', 'three', 'two'].map(key));
    expect(await objectsIssued(standby)).toEqual([]);
    expect((await standby.ask('/healthz')).status).toBe(200);

    const versions = async () => (await site.secrets()).map(({ metadata }) => metadata.resourceVersion);
    const before = await versions();
    const ended = leader.end('SIGTERM');
    await eventually('the standby to lead', async () => (await standby.metric(leading)) === 1);
    expect(await ended).toBe(0);
    expect(await lease()).toMatchObject({
      holderIdentity: expect.not.stringContaining(first ?? ''),
      leaseTransitions: 1,
    });

    await standby.idle();
    expect({ sessions: site.sessions().length, versions: await versions() }).toEqual({ sessions: 3, versions: before });
    await site.apply('four');
    await site.ready('four');
    expect(await objectsIssued(standby)).toEqual([key('four')]);
    expect(site.sessions()).toHaveLength(4);
  });

  test('a leader that loses the Lease stops working and ends with exit code 1', async () => {
    const [leader, standby] = await leaderAndStandby();
    await changeLease({ holderIdentity: 'somebody else', leaseDurationSeconds: 15 });
    expect(await leader.exited).toBe(1);
    expect(await leader.log()).toContainEqual(
      expect.objectContaining({
        level: 'error',
        holder: 'somebody else',
        msg: 'another process holds the leader election lease',
      }),
    );
    expect(await standby.metric(leading)).toBe(0);
  });
});

describe('a leader that was killed', () => {
  /** Believed up to 150 s, which would be over first for those that have stood by for longer. */
  const forLong = { leaseDurationSeconds: 3600 };
  const standsBy = async (one: RolevendProcess) =>
    (await one.log()).some(({ msg }) => msg === 'standing by, another process leads');
  const leads = async (one: RolevendProcess) => (await one.metric(leading)) === 1;

  test('is followed by the next process of its Pod, and by none of another, whatever their hosts are called', async () => {
    const podUid = randomUUID();
    const killed = await start({ ROLEVEND_POD_UID: podUid });
    await eventually('it to lead', () => leads(killed));
    await killed.end('SIGKILL');
    const former = (await lease()).holderIdentity ?? '';
    await changeLease(forLong);
    const others = [await start({ ROLEVEND_POD_UID: randomUUID() }), await start()];
    for (const other of others) await eventually('the others to stand by', () => standsBy(other));

    const next = await start({ ROLEVEND_POD_UID: podUid });
    await eventually('the next of the Pod to lead', () => leads(next));
    const { holderIdentity = '', leaseTransitions } = await lease();
    const place = `${hostname()}_${podUid}_`;
    expect([former, holderIdentity].map((name) => name.slice(0, place.length))).toEqual([place, place]);
    expect(holderIdentity).not.toBe(former);
    expect(leaseTransitions).toBe(1);
    expect(await Promise.all(others.map(leads))).toEqual([false, false]);
  });

  test('is not followed by a second process that shared its Pod with it', async () => {
    const podUid = randomUUID();
    const killed = await start({ ROLEVEND_POD_UID: podUid });
    await eventually('it to lead', () => leads(killed));
    const second = await start({ ROLEVEND_POD_UID: podUid });
    await changeLease(forLong);
    await eventually('the second to stand by', () => standsBy(second));
    await killed.end('SIGKILL');
    const former = (await lease()).holderIdentity;
    const third = await start({ ROLEVEND_POD_UID: podUid });
    await eventually('the third, which has the lock of the Pod, to lead', () => leads(third));
    expect((await lease()).holderIdentity).not.toBe(former);
    expect(await leads(second)).toBe(false);
  });
});
