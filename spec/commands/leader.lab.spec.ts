import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { expectSuccess } from '../lab/index.ts';
import { eventually } from '../support/eventually.ts';
import type { RolevendProcess } from '../support/process.ts';
import { openSite, openWorkshop, type Site, type Workshop } from './support.ts';

const leading = 'leader_election_master_status{name="rolevend-controller"}';

interface Lease {
  spec: { holderIdentity?: string; leaseTransitions?: number };
}

describe('two processes with --leader-elect', () => {
  let shop: Workshop;
  let site: Site;
  let processes: RolevendProcess[];

  beforeAll(async () => {
    shop = await openWorkshop();
  });
  afterAll(() => shop?.stop());

  beforeEach(async () => {
    site = await openSite(shop);
    const flags = {
      kubeconfig: shop.plane.kubeconfig,
      namespaces: site.ns.name,
      'leader-election-namespace': site.ns.name,
    };
    const env = shop.aws.environment(shop.keys);
    processes = [await shop.program.start({ flags, env }), await shop.program.start({ flags, env })];
    await Promise.all(processes.map((one) => one.ready()));
  });
  afterEach(async () => {
    await Promise.all(processes.map((one) => one.end('SIGKILL')));
    await site?.close();
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

  async function lease(): Promise<Lease['spec']> {
    const path = `/apis/coordination.k8s.io/v1/namespaces/${site.ns.name}/leases/rolevend-controller`;
    return expectSuccess(await shop.plane.request<Lease>('GET', path), path).spec;
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
    const path = `/apis/coordination.k8s.io/v1/namespaces/${site.ns.name}/leases/rolevend-controller`;
    const thief = { spec: { holderIdentity: 'somebody else', leaseDurationSeconds: 15 } };
    expectSuccess(await shop.plane.request('PATCH', path, thief), path);
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
