import { type FaultProxy, startFaultProxy } from '../lab/fault-proxy.ts';
import { readKubeconfig, writeKubeconfig } from '../lab/kubeconfig.ts';
import type { RolevendProcess } from '../support/process.ts';
import { isSecretWrite, killedAt, type Moment, openSite, type Site, type Workshop } from './support.ts';

/** A site with an operator that reaches the API server through a fault proxy. */
export interface CrashSite extends Site {
  proxy: FaultProxy;
  operator: RolevendProcess;
  /** Kills the operator at a request that is to come. Gives a function that waits for that. */
  killed(moment: Moment): () => Promise<unknown>;
  /** Starts the operator again and counts its requests anew. */
  resume(): Promise<void>;
  /** What it wrote to Secrets since it was started again, as `update secrets app`, oldest first. */
  secretWrites(): string[];
}

/** Opens a site and starts its operator. */
export async function openCrashSite(shop: Workshop): Promise<CrashSite> {
  const { plane, program, aws, keys } = shop;
  const site = await openSite(shop);
  const proxy = await startFaultProxy(plane);
  const token = (await (await readKubeconfig(plane.kubeconfig)).token()) ?? '';
  const cluster = { server: proxy.url, caFile: plane.caFile };
  const kubeconfig = await writeKubeconfig(program.directory, cluster, { token });
  const start = async () => {
    const flags = { kubeconfig, namespaces: site.ns.name, 'leader-elect': 'false' };
    const operator = await program.start({ flags, env: aws.environment(keys) });
    await operator.ready();
    return operator;
  };
  const crashSite: CrashSite = {
    ...site,
    proxy,
    operator: await start(),
    killed: (moment) => killedAt(moment, proxy, crashSite.operator),
    resume: async () => {
      proxy.requests.length = 0;
      crashSite.operator = await start();
    },
    secretWrites: () => proxy.requests.filter(isSecretWrite).map(lineOf),
    close: async () => {
      await crashSite.operator.end('SIGKILL');
      await proxy.close();
      await site.close();
      aws.gateway.clear();
    },
  };
  return crashSite;
}

function lineOf({ verb, resource, name }: { verb: string; resource: string; name?: string }): string {
  return [verb, resource, name].filter(Boolean).join(' ');
}
