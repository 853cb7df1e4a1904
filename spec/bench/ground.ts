import { systemClock as clock } from '../../lib/clock.ts';
import { type OperatorProcess, startOperatorProcess } from '../lab/demo/operator.ts';
import { type ControlPlane, startControlPlane, temporaryDirectory } from '../lab/index.ts';
import { type Cluster, openCluster } from './cluster.ts';
import { type Sts, startSts } from './sts.ts';

/** Everything that a measurement needs. */
export interface Ground {
  plane: ControlPlane;
  cluster: Cluster;
  sts: Sts;
  /**
   * Starts an operator for these namespaces with its default settings, and tells how long it took to be ready. It leads from
   * the start, unless a namespace for its Lease is given.
   */
  startOperator(
    namespaces: readonly string[],
    leaseNamespace?: string,
  ): Promise<{ operator: OperatorProcess; readyMs: number }>;
  close(): Promise<void>;
}

/** Starts an API server and the stand-in for STS. Every namespace may use every role of the operator's account. */
export async function openGround(): Promise<Ground> {
  const directory = await temporaryDirectory('rolevend-bench-');
  const plane = await startControlPlane({ name: 'bench' });
  const cluster = openCluster(plane);
  const sts = await startSts();
  const operators: OperatorProcess[] = [];
  const { code, stderr } = await plane.kubectl('apply', '--filename=manifests/grants/default.yaml');
  if (code !== 0) throw new Error(`no grant: ${stderr}`);
  return {
    plane,
    cluster,
    sts,
    async startOperator(namespaces, leaseNamespace) {
      const lease = leaseNamespace ? `--leader-election-namespace=${leaseNamespace}` : '--leader-elect=false';
      const flags = [lease, `--namespaces=${namespaces.join(',')}`, '--log-level=warn'];
      const { kubeconfig } = plane;
      const startedAt = clock.monotonic();
      const operator = await startOperatorProcess({
        kubeconfig,
        aws: sts.environment,
        directory: directory.path,
        flags,
      });
      operators.push(operator);
      return { operator, readyMs: clock.monotonic() - startedAt };
    },
    async close() {
      await Promise.all(operators.map(({ process }) => process.stop()));
      sts.stop();
      await cluster.close();
      await plane.stop();
      await directory.remove();
    },
  };
}
