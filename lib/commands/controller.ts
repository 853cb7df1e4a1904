import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { AwsOptions } from '../aws/options.ts';
import { orAborted, systemClock } from '../clock.ts';
import { ConfigError, type ControllerConfig, environment, type GivenFlags, readControllerConfig } from '../config.ts';
import { RolevendError } from '../errors.ts';
import { type Connection, loadConnection } from '../kube/connection.ts';
import { type HttpServer, type ServeOptions, serve } from '../kube/http.ts';
import { leaseIdentity } from '../kube/lease-identity.ts';
import { createLogger, type Logger } from '../log.ts';
import { createMetrics, type Metrics } from '../metrics.ts';
import { Lookup } from '../net/lookup.ts';
import { profileRegion } from './aws-profile.ts';
import { endBy } from './first-moments.ts';
import { keepHeapSmall } from './heap.ts';
import { awsNetwork } from './network.ts';
import { Operator } from './operator.ts';

/** Where a Pod finds the name of its own namespace. */
const NAMESPACE_FILE = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';
/** Time in milliseconds that passes get to end after SIGTERM. */
const GRACE_MS = 4_000;

/**
 * `rolevend controller`: runs until SIGTERM or SIGINT. Resolves with the exit code: 0 after a signal, 1 when the Lease was
 * lost or something unforeseen happened. Throws one `ConfigError` that names everything that is not accepted, the given
 * problems first: flags, kubeconfig, certificates, addresses.
 */
export async function controllerCommand(given: GivenFlags, problems: readonly string[]): Promise<number> {
  keepHeapSmall();
  const { values, problems: ofValues } = readControllerConfig(given, environment, profileRegion(environment));
  const log = createLogger({ level: values.logLevel ?? 'info', format: values.logFormat ?? 'json' });
  const signal = terminationSignal(log);
  try {
    // Nothing has begun before that, so a signal need not wait for it.
    const surroundings = await orAborted(open(values, [...problems, ...ofValues], log), signal);
    return (await runController(values as ControllerConfig, surroundings, signal, log)) === 'released' ? 0 : 1;
  } catch (error) {
    if (signal.aborted && error === signal.reason) return 0;
    if (error instanceof RolevendError && error.code === 'InvalidConfig') throw new ConfigError([error.message]);
    log.error({ err: error }, 'ended');
    return 1;
  }
}

/** What the operator needs of its machine, opened before it. */
interface Surroundings {
  connection: Connection;
  /** The way to AWS. */
  network: Omit<AwsOptions, 'region'>;
  servers: HttpServer[];
  metrics: Metrics;
  /** What the probes ask; filled in once it is there. */
  probed: Probed;
}

interface Probed {
  operator?: Operator;
}

/** Throws one `ConfigError` with the given problems and all that come up here. */
async function open(values: Partial<ControllerConfig>, problems: string[], log: Logger): Promise<Surroundings> {
  const metrics = createMetrics();
  const probed: Probed = {};
  const by = { clock: systemClock, log };
  const { forSockets: lookup } = new Lookup(by);
  const connect = () =>
    loadConnection({ ...by, kubeconfig: values.kubeconfig, inCluster: inClusterAddress(), lookup, environment });
  // A path that was not accepted is one problem, not two.
  const isRefused = problems.some((problem) => problem.includes('--kubeconfig'));
  const connection = isRefused ? undefined : await orNote(problems, connect);
  const network = await orNote(problems, () => ({ ...awsNetwork(environment, by), lookup }));
  const servers = await serveAll({ values, probed, metrics, problems, log });
  if (connection === undefined || network === undefined || problems.length > 0) throw new ConfigError(problems);
  return { connection, network, servers, metrics, probed };
}

/** Notes what is not accepted instead of ending at the first. */
async function orNote<T>(problems: string[], attempt: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await attempt();
  } catch (error) {
    if (!(error instanceof RolevendError && error.code === 'InvalidConfig')) throw error;
    problems.push(error.message);
    return undefined;
  }
}

async function runController(
  config: ControllerConfig,
  { connection, network, servers, metrics, probed }: Surroundings,
  signal: AbortSignal,
  log: Logger,
): Promise<'released' | 'lost'> {
  const { identity, isPredecessor } = await leaseIdentity(hostname(), config.podUid);
  const operator = new Operator({
    config,
    connection,
    aws: { region: config.region, ...network },
    identity,
    isPredecessor,
    leaseNamespace: config.leaderElectionNamespace ?? ownNamespace(),
    clock: systemClock,
    log,
    metrics,
  });
  probed.operator = operator;
  log.info({ server: connection.server, region: config.region }, 'started');
  try {
    return await operator.run(signal);
  } finally {
    await Promise.all(servers.map((server) => server.close()));
    await connection.close();
  }
}

interface Served {
  values: Partial<ControllerConfig>;
  probed: Probed;
  metrics: Metrics;
  problems: string[];
  log: Logger;
}

/** Metrics and probes; both on one server where they have the same address. */
async function serveAll({ values, probed, metrics, problems, log }: Served): Promise<HttpServer[]> {
  const { metricsBindAddress, healthProbeBindAddress } = values;
  const probes = {
    '/healthz': () => answer((probed.operator?.healthy() ?? true) ? [] : ['the loop is stuck']),
    '/readyz': () => answer(probed.operator?.notReady() ?? ['starting']),
  };
  const figures = {
    '/metrics': async () => ({ status: 200, body: await metrics.metrics(), contentType: metrics.contentType }),
  };
  const onError = (err: unknown) => log.error({ err }, 'a probe or the metrics failed');
  const isShared = metricsBindAddress === healthProbeBindAddress;
  const listenOrNote = (flag: string, address = '0', routes: ServeOptions['routes']) =>
    orNote(problems, () => listen(flag, { address, routes, onError }));
  const servers = [
    await listenOrNote('metrics-bind-address', metricsBindAddress, isShared ? { ...figures, ...probes } : figures),
    await listenOrNote('health-probe-bind-address', isShared ? '0' : healthProbeBindAddress, probes),
  ];
  return servers.filter((server) => server !== undefined);
}

async function listen(flag: string, options: ServeOptions): Promise<HttpServer | undefined> {
  try {
    return await serve(options);
  } catch (error) {
    if (error instanceof RolevendError)
      throw new ConfigError([`--${flag}: ${error.message}; give host:port, :port or 0`]);
    throw error;
  }
}

function answer(problems: readonly string[]): { status: number; body: string } {
  return problems.length === 0 ? { status: 200, body: 'ok\n' } : { status: 503, body: `${problems.join('\n')}\n` };
}

/** Aborts at the first SIGTERM or SIGINT. What has not ended some seconds later is ended with the process. */
function terminationSignal(log: Logger): AbortSignal {
  const controller = new AbortController();
  endBy({
    signal: (name) => {
      log.info({ signal: name }, 'ending');
      controller.abort(new DOMException(`ended by ${name}`, 'AbortError'));
      systemClock.after(GRACE_MS, () => process.exit(0));
    },
    error: (err) => {
      log.error({ err }, 'unforeseen error');
      process.exit(1);
    },
  });
  return controller.signal;
}

function inClusterAddress() {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = environment;
  return host === undefined || host === '' ? undefined : { host, port: port ?? '443' };
}

function ownNamespace(): string {
  try {
    return readFileSync(NAMESPACE_FILE, 'utf8').trim();
  } catch {
    return 'default';
  }
}
