import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { systemClock } from '../clock.ts';
import { ConfigError, type ControllerConfig, controllerConfig, environment } from '../config.ts';
import { describeError, RolevendError } from '../errors.ts';
import { loadConnection } from '../kube/connection.ts';
import { type HttpServer, type ServeOptions, serve } from '../kube/http.ts';
import { createLogger, type Logger } from '../log.ts';
import { createMetrics, type Metrics } from '../metrics.ts';
import { Operator } from './operator.ts';

/** Where a Pod finds the name of its own namespace. */
const NAMESPACE_FILE = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';
/** Time in milliseconds that passes get to end after SIGTERM. */
const GRACE_MS = 4_000;

/**
 * `rolevend controller`: runs until SIGTERM or SIGINT. Resolves with the exit code: 0 after a signal, 1 when the Lease was
 * lost or something unforeseen happened, 2 for flags, a kubeconfig or an address that are not accepted.
 */
export async function controllerCommand(flags: Readonly<Record<string, string | undefined>>): Promise<number> {
  const config = controllerConfig(flags);
  const log = createLogger({ level: config.logLevel, format: config.logFormat });
  const signal = terminationSignal(log);
  try {
    return (await runController(config, signal, log)) === 'released' ? 0 : 1;
  } catch (error) {
    if (error instanceof RolevendError && error.code === 'InvalidConfig') throw new ConfigError([error.message]);
    log.error({ err: error }, 'ended');
    return 1;
  }
}

async function runController(config: ControllerConfig, signal: AbortSignal, log: Logger): Promise<'released' | 'lost'> {
  const clock = systemClock;
  const metrics = createMetrics();
  const inCluster = inClusterAddress();
  const connection = loadConnection({ kubeconfig: config.kubeconfig, inCluster, clock, log, environment });
  const operator = new Operator({
    config,
    connection,
    aws: { region: config.region, proxyEnv: environment, ca: caBundle() },
    identity: `${hostname()}_${randomBytes(4).toString('hex')}`,
    leaseNamespace: config.leaderElectionNamespace ?? ownNamespace(),
    clock,
    log,
    metrics,
  });
  const servers = await serveAll(config, operator, metrics);
  log.info({ server: connection.server, region: config.region }, 'started');
  try {
    return await operator.run(signal);
  } finally {
    await Promise.all(servers.map((server) => server.close()));
    await connection.close();
  }
}

/** Metrics and probes; both on one server where they have the same address. */
async function serveAll(config: ControllerConfig, operator: Operator, metrics: Metrics): Promise<HttpServer[]> {
  const { metricsBindAddress, healthProbeBindAddress } = config;
  const probes = {
    '/healthz': () => answer(operator.healthy() ? [] : ['the loop is stuck']),
    '/readyz': () => answer(operator.notReady()),
  };
  const figures = {
    '/metrics': async () => ({ status: 200, body: await metrics.metrics(), contentType: metrics.contentType }),
  };
  const isShared = metricsBindAddress === healthProbeBindAddress;
  const servers = [
    await listen('metrics-bind-address', metricsBindAddress, isShared ? { ...figures, ...probes } : figures),
    ...(isShared ? [] : [await listen('health-probe-bind-address', healthProbeBindAddress, probes)]),
  ];
  return servers.filter((server) => server !== undefined);
}

async function listen(flag: string, address: string, routes: ServeOptions['routes']): Promise<HttpServer | undefined> {
  try {
    return await serve({ address, routes });
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
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.once(name, () => {
      log.info({ signal: name }, 'ending');
      controller.abort(new DOMException(`ended by ${name}`, 'AbortError'));
      systemClock.after(GRACE_MS, () => process.exit(0));
    });
  }
  process.once('uncaughtException', (error) => {
    log.error({ error: describeError(error) }, 'unforeseen error');
    process.exit(1);
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

function caBundle(): string | undefined {
  const path = environment['AWS_CA_BUNDLE'];
  if (path === undefined || path === '') return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch {
    throw new ConfigError([`AWS_CA_BUNDLE: cannot read "${path}"; give the path of a PEM file`]);
  }
}
