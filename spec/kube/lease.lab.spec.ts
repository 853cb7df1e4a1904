import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { sleep, systemClock } from '../../lib/clock.ts';
import type { LeaseClient, LeaseOptions } from '../../lib/kube/lease.ts';
import type { Lease } from '../../lib/kube/lease-record.ts';
import { leases } from '../../lib/kube/objects.ts';
import { sharedControlPlane, type TestNamespace, testNamespace } from '../lab/index.ts';
import { eventually } from '../support/eventually.ts';
import { clientFor, type TestClient } from './support/cluster.ts';
import { type Elector, startElector } from './support/elector.ts';

const name = 'rolevend-controller';

describe('leader election on a real API server', () => {
  const plane = sharedControlPlane();
  const electors: Elector[] = [];
  let kube: TestClient;
  let namespace: TestNamespace;

  beforeAll(async () => {
    kube = await clientFor(plane);
  });

  beforeEach(async () => {
    namespace = await testNamespace(plane);
  });

  afterEach(async () => {
    for (const elector of electors) elector.end.abort();
    await Promise.all(electors.splice(0).map(({ outcome }) => outcome));
    await namespace.remove();
  });

  afterAll(() => kube?.connection.close());

  const current = () => kube.client.get<Lease>(leases, { namespace: namespace.name, name });
  const elect = (identity: string, options: Partial<LeaseOptions> = {}) => {
    const elector = startElector(kube, { namespace: namespace.name, name, identity, ...options });
    electors.push(elector);
    return elector;
  };

  it('gives the lease to exactly one of two that start together', async () => {
    const [a, b] = [elect('a'), elect('b')];
    await eventually('a leader', () => a.leads() || b.leads());
    const leader = a.leads() ? a : b;
    await eventually('two renewals', async () => leader.leads() && renewals(await current()) > 2000);
    expect([a.leads(), b.leads()].filter(Boolean)).toEqual([true]);
    expect(await current()).toMatchObject({
      spec: {
        holderIdentity: leader.identity,
        leaseDurationSeconds: 15,
        leaseTransitions: 0,
        acquireTime: expect.stringMatching(/\.\d{6}Z$/),
        renewTime: expect.stringMatching(/\.\d{6}Z$/),
      },
    });
  });

  it('hands over when the leader is told to stop, and only after its work ended', async () => {
    const a = elect('a');
    await eventually('a to lead', () => a.leads());
    const b = elect('b');
    await eventually('b to stand by', () =>
      kube.lines.some((line) => line.msg === 'standing by, another process leads'),
    );
    a.end.abort();
    await eventually('b to lead', () => b.leads());
    expect(a.endedAt).toBeLessThan(b.startedAt ?? 0);
    expect(await a.outcome).toBe('released');
    expect((await current()).spec).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 });
  });

  it('leaves a lease without a holder when the last one stops', async () => {
    const a = elect('a');
    await eventually('a to lead', () => a.leads());
    a.end.abort();
    expect(await a.outcome).toBe('released');
    expect((await current()).spec).toMatchObject({ holderIdentity: '', leaseDurationSeconds: 1, leaseTransitions: 0 });
  });

  it('creates a deleted lease again without a change of the leader', async () => {
    const a = elect('a');
    await eventually('a to lead', () => a.leads());
    const b = elect('b');
    const { uid } = (await current()).metadata;
    await kube.client.delete(leases, { namespace: namespace.name, name });
    const created = await eventually('a new lease', current);
    expect(created.metadata.uid).not.toBe(uid);
    expect([created.spec?.holderIdentity, a.leads(), b.leads()]).toEqual(['a', true, false]);
  });

  it('is lost for the leader when somebody else is written into it', async () => {
    const a = elect('a');
    await eventually('a to lead', () => a.leads());
    await kube.client.apply(leases, { ...leaseFor(namespace.name), spec: { holderIdentity: 'mallory' } } as Lease, {
      force: true,
    });
    expect(await a.outcome).toBe('lost');
    expect(a.leads()).toBe(false);
  });

  it('goes to the standby when the leader hangs, which stops writing before', async () => {
    const terms = { leaseDurationMs: 3000, renewDeadlineMs: 2000, retryMs: 400 };
    const freezer = { frozen: false };
    const a = elect('a', { ...terms, client: freezable(kube.client, freezer) });
    await eventually('a to lead', () => a.leads());
    const b = elect('b', terms);
    freezer.frozen = true;
    await eventually('b to lead', () => {
      expect([a.leads(), b.leads()]).not.toEqual([true, true]);
      return b.leads();
    });
    expect(await a.outcome).toBe('lost');
    expect((await current()).spec).toMatchObject({ holderIdentity: 'b', leaseDurationSeconds: 3, leaseTransitions: 1 });
  });
});

/** The client of a process that can be stopped in mid-air: its requests are sent no more and never end. */
function freezable(client: LeaseClient, state: { frozen: boolean }): LeaseClient {
  const gate = async (signal: AbortSignal | undefined) => {
    if (state.frozen) await sleep(systemClock, 1e9, signal);
  };
  return {
    get: (resource, ref, options) => gate(options?.signal).then(() => client.get(resource, ref, options)),
    create: (resource, lease, options) => gate(options?.signal).then(() => client.create(resource, lease, options)),
    replace: (resource, lease, options) => gate(options?.signal).then(() => client.replace(resource, lease, options)),
  };
}

/** Milliseconds between acquiring and the last renewal. */
function renewals({ spec }: Lease): number {
  return Date.parse(spec?.renewTime ?? '') - Date.parse(spec?.acquireTime ?? '');
}

function leaseFor(namespace: string): Lease {
  return { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { namespace, name } };
}
