import { randomBytes } from 'node:crypto';
import type { AwsOptions } from '../../lib/aws/options.ts';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { Operator } from '../../lib/commands/operator.ts';
import { type ControllerConfig, controllerConfig } from '../../lib/config.ts';
import { loadConnection } from '../../lib/kube/connection.ts';
import { createLogger } from '../../lib/log.ts';
import { createMetrics, type Metrics } from '../../lib/metrics.ts';
import type { Keys, LabAws } from '../lab/aws/index.ts';
import { eventually } from './eventually.ts';

export interface OperatorStart {
  /** Admin kubeconfig, or one of a ServiceAccount. */
  plane: { kubeconfig: string };
  aws: Pick<LabAws, 'endpoint' | 'region'>;
  /** What the operator signs with; or `provider`. */
  keys?: Keys;
  provider?: AwsOptions['provider'];
  /** Namespaces to work in. Tests that share a control plane name their own, so that they do not meet. */
  namespaces: string[];
  config?: Partial<ControllerConfig>;
  clock?: Clock;
  region?: string;
  /** See `AwsOptions`. */
  firstAnswerMs?: number;
}

/** An operator that runs inside the test's process. */
export interface TestOperator {
  operator: Operator;
  metrics: Metrics;
  /** Every line it has logged. */
  log: string[];
  /** Ends it as SIGTERM would, and resolves when its last pass has ended. */
  stop(): Promise<void>;
}

/** Starts the operator's parts as `rolevend controller` does, and waits until it is ready unless told otherwise. */
export async function startOperator(start: OperatorStart, waitUntilReady = true): Promise<TestOperator> {
  const lines: string[] = [];
  const log = createLogger({ level: 'debug', destination: { write: (line) => void lines.push(line) } });
  const clock = start.clock ?? systemClock;
  const metrics = createMetrics();
  const connection = loadConnection({ kubeconfig: start.plane.kubeconfig, clock, log });
  const region = start.region ?? start.aws.region;
  const provider = start.provider ?? (start.keys && (async () => start.keys as Keys));
  const operator = new Operator({
    config: {
      ...controllerConfig({ region, 'leader-elect': 'false' }, {}),
      namespaces: start.namespaces,
      ...start.config,
    },
    connection,
    aws: { region, endpoint: start.aws.endpoint, provider, firstAnswerMs: start.firstAnswerMs },
    identity: `test_${randomBytes(4).toString('hex')}`,
    leaseNamespace: start.namespaces[0] ?? 'default',
    clock,
    log,
    metrics,
  });
  const end = new AbortController();
  const running = operator.run(end.signal);
  const stop = async () => {
    end.abort(new DOMException('the test ends it', 'AbortError'));
    await running;
    await connection.close();
  };
  const started = { operator, metrics, log: lines, stop };
  if (waitUntilReady) await ready(started);
  return started;
}

/** An operator that does not become ready is stopped, or it would keep the test's process alive. */
async function ready({ operator, log, stop }: TestOperator): Promise<void> {
  const probe = () => {
    const problems = operator.notReady();
    if (problems.length > 0) throw new Error(problems.join('; '));
    return true;
  };
  await eventually('the operator is ready', probe).catch(async (error: unknown) => {
    process.stderr.write(log.join(''));
    await stop();
    throw error;
  });
}
