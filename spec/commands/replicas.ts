import type { AWSAssumeRole } from '../../lib/api/aws-assume-role.ts';
import { withDefaults } from '../../lib/api/aws-assume-role.ts';
import { dueAt } from '../../lib/controllers/aws-assume-role/due.ts';
import { type FaultProxy, type SeenRequest, startFaultProxy } from '../lab/fault-proxy.ts';
import type { AttachedControlPlane } from '../lab/index.ts';
import { readKubeconfig, writeKubeconfig } from '../lab/kubeconfig.ts';
import { eventually } from '../support/eventually.ts';
import type { RolevendProcess } from '../support/process.ts';
import { isTerm, isWrite, strayWrites } from '../support/reigns.ts';
import { openSite, type Site, type Workshop } from './support.ts';

/** One process of several, and all that it asks of the API server. */
export interface Replica {
  name: string;
  process: RolevendProcess;
  requests: readonly SeenRequest[];
}

/** Several processes that elect a leader for one namespace. */
export interface Replicas {
  site: Site;
  all: readonly Replica[];
  /** The one that got or renewed the Lease last. Throws where nobody has. */
  leader(): Replica;
  /** Waits until one that is none of `former` has written something as the leader, and gives it. */
  successor(...former: Replica[]): Promise<Replica>;
  /** Starts one more, as a kubelet does after a Pod has ended. */
  add(): Promise<Replica>;
  /** Every write that nobody may make, as `strayWrites` tells them. */
  strayWrites(): string[];
  /** Sessions that were issued although the one before was not due. */
  doubleSessions(): Promise<string[]>;
  close(): Promise<void>;
}

/** Starts so many processes with a grant and a namespace of their own, and waits until one leads and all are ready. */
export async function openReplicas(
  shop: Workshop,
  count: number,
  plane: AttachedControlPlane = shop.plane,
): Promise<Replicas> {
  const site = await openSite({ ...shop, plane });
  const proxies: FaultProxy[] = [];
  const all: Replica[] = [];
  const add = async () => {
    const proxy = await startFaultProxy(plane);
    proxies.push(proxy);
    const replica = {
      name: `replica ${all.length + 1}`,
      process: await start(shop, site, plane, proxy),
      requests: proxy.requests,
    };
    all.push(replica);
    await replica.process.ready();
    return replica;
  };
  const leader = () => newestTerm(all);
  const replicas: Replicas = {
    site,
    all,
    leader,
    add,
    successor: (...former) =>
      eventually('another leader that works', () => {
        const found = leader();
        return former.includes(found) || workBegan(found) === undefined ? undefined : found;
      }),
    strayWrites: () => strayWrites(Object.fromEntries(all.map(({ name, requests }) => [name, requests]))),
    doubleSessions: () => doubleSessions(site),
    close: async () => {
      await Promise.all(all.map(({ process }) => process.end('SIGKILL')));
      await Promise.all(proxies.map((proxy) => proxy.close()));
      await site.close();
    },
  };
  await Promise.all(Array.from({ length: count }, add));
  await eventually('a leader', leader);
  return replicas;
}

/** Of the two clocks that time a session each cuts off its second. */
const ROUNDING_MS = 2_000;

async function start(
  { program, aws, keys }: Workshop,
  { ns }: Site,
  plane: AttachedControlPlane,
  proxy: FaultProxy,
): Promise<RolevendProcess> {
  const token = (await (await readKubeconfig(plane.kubeconfig)).token()) ?? '';
  const cluster = { server: proxy.url, caFile: plane.caFile };
  const kubeconfig = await writeKubeconfig(program.directory, cluster, { token });
  const flags = { kubeconfig, namespaces: ns.name, 'leader-election-namespace': ns.name };
  return program.start({ flags, env: aws.environment(keys) });
}

function newestTerm(all: readonly Replica[]): Replica {
  const lastTerm = ({ requests }: Replica) => requests.findLast(isTerm)?.at ?? Number.NEGATIVE_INFINITY;
  const [newest] = [...all].sort((a, b) => lastTerm(b) - lastTerm(a));
  if (newest === undefined || lastTerm(newest) === Number.NEGATIVE_INFINITY)
    throw new Error('nobody has got the Lease');
  return newest;
}

/** When a replica first wrote something as the leader, milliseconds since 1970. */
export function workBegan({ requests }: Replica): number | undefined {
  return requests.find((seen) => isWrite(seen) && seen.resource !== 'leases')?.at;
}

async function doubleSessions(site: Site): Promise<string[]> {
  const sessions = site.sessions();
  const names = [...new Set(sessions.map(({ arn }) => arn.slice(arn.lastIndexOf('.') + 1)))];
  const found = await Promise.all(names.map(async (name) => earlySessions(await site.object(name), site)));
  return found.flat();
}

/** The due time of a session is fixed by a hash, so whoever leads comes to the same. */
function earlySessions({ metadata, spec }: AWSAssumeRole, site: Site): string[] {
  const sessions = site.sessions().filter(({ arn }) => arn.endsWith(`.${metadata.name}`));
  const { refresh } = withDefaults(spec);
  const due = (index: number) => {
    const session = sessions[index];
    return session === undefined ? Number.NaN : dueAt(metadata.uid ?? '', session, refresh);
  };
  const early = sessions.slice(1).filter(({ issuedAt }, index) => issuedAt < due(index) - ROUNDING_MS);
  return early.map(({ issuedAt }) => `${metadata.name} at ${new Date(issuedAt).toISOString()}`);
}
