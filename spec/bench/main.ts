// `make bench`: what the operator costs, next to what the same API server can do at most. Everything is measured in one
// run; only ratios say anything about another machine. Argument: the number of objects, default 200.
import { fileURLToPath } from 'node:url';
import { systemClock as clock } from '../../lib/clock.ts';
import { type OperatorProcess, startOperatorProcess } from '../lab/demo/operator.ts';
import { type LabAws, startAws, startControlPlane, temporaryDirectory, trustPrincipals } from '../lab/index.ts';
import { eventually } from '../support/eventually.ts';
import { type Cluster, namesOf, openCluster } from './cluster.ts';
import { assumeRoleCalls, awsAlone, bareLoop, percentile, vend } from './measure.ts';

const COUNT = Number(process.argv[2] ?? 200);
/** Of the operator's workers, and of the creates. */
const CONCURRENCY = 32;
/** Objects that are created one after the other. */
const SINGLES = 7;
const WARM_UP = 50;
const NAMESPACE = 'bench';
const flags = ['--leader-elect=false', `--concurrency=${CONCURRENCY}`, `--namespaces=${NAMESPACE}`, '--log-level=warn'];

const endings: (() => Promise<unknown>)[] = [];
const wrong: string[] = [];

/** What must be exactly so, whatever the machine. */
function mustBe(what: string, found: number, expected: number): string {
  if (found !== expected) wrong.push(`${what}: ${found} instead of ${expected}`);
  return String(found);
}

function row(what: string, figure: string): void {
  process.stdout.write(`${what.padEnd(66)} ${figure}\n`);
}

async function bench(): Promise<void> {
  const plane = await startControlPlane({ name: 'bench' });
  endings.push(() => plane.stop());
  const aws = await startAws();
  endings.push(() => aws.stop());
  const directory = await temporaryDirectory('rolevend-bench-');
  endings.push(() => directory.remove());
  const keys = await aws.operatorUser();
  await aws.createRole('app', { trust: trustPrincipals(keys.arn) });
  const cluster = await openCluster(plane.kubeconfig, NAMESPACE);
  endings.push(() => cluster.close());
  await plane.kubectl('apply', '--filename=manifests/grants/default.yaml');
  await plane.kubectl('create', 'namespace', 'bare');

  await bareLoop(cluster, 'bare', namesOf('warm-up', WARM_UP), CONCURRENCY);
  const limit = await bareLoop(cluster, 'bare', namesOf('bare', COUNT), CONCURRENCY);
  const aloneRate = await awsAlone(aws, keys, COUNT, CONCURRENCY);
  row(`bare loop: create, Secret, status; ${COUNT} objects`, `${limit.toFixed(0)} objects/s`);
  row("the laboratory's AWS alone, called by one client", `${aloneRate.toFixed(0)} AssumeRole/s`);
  const start = () =>
    startOperatorProcess({
      kubeconfig: plane.kubeconfig,
      aws: aws.environment(keys),
      directory: directory.path,
      flags,
    });
  const operator = await start();
  endings.push(() => operator.process.stop());
  await many(cluster, aws, limit);
  await single(cluster);
  await operator.process.stop();
  await restart(cluster, aws, start);
}

async function many(cluster: Cluster, aws: LabAws, limit: number): Promise<void> {
  await vend(cluster, NAMESPACE, namesOf('warm-up', WARM_UP), CONCURRENCY);
  const before = assumeRoleCalls(aws);
  const { perSecond, latencies } = await vend(cluster, NAMESPACE, namesOf('many', COUNT), CONCURRENCY);
  row(`operator: ${COUNT} objects created at once, until all are Ready`, `${perSecond.toFixed(0)} objects/s`);
  row('  ratio of operator to bare loop', (perSecond / limit).toFixed(2));
  row('  create to Secret, median and 99 %', `${ms(percentile(latencies, 50))}, ${ms(percentile(latencies, 99))}`);
  row('  AssumeRole calls', mustBe('AssumeRole calls', assumeRoleCalls(aws) - before, COUNT));
}

async function single(cluster: Cluster): Promise<void> {
  const times: number[] = [];
  for (const name of namesOf('single', SINGLES)) times.push(...(await vend(cluster, NAMESPACE, [name], 1)).latencies);
  times.sort((a, b) => a - b);
  row(
    `one object: create to Secret, median and slowest of ${SINGLES}`,
    `${ms(percentile(times, 50))}, ${ms(percentile(times, 100))}`,
  );
}

/** A new process finds valid Secrets and has nothing to do. */
async function restart(cluster: Cluster, aws: LabAws, start: () => Promise<OperatorProcess>): Promise<void> {
  const versions = cluster.secretVersions();
  const calls = assumeRoleCalls(aws);
  const started = clock.monotonic();
  const operator = await start();
  endings.push(() => operator.process.stop());
  const readyMs = clock.monotonic() - started;
  await eventually('a pass over every object', async () => (await passes(operator.url)) >= versions.length, 60_000);
  const changed = cluster.secretVersions().filter((version) => !versions.includes(version)).length;
  row(`restart with ${versions.length} valid objects: process start to ready`, ms(readyMs));
  row('  AssumeRole calls', mustBe('AssumeRole calls after a restart', assumeRoleCalls(aws) - calls, 0));
  row('  Secrets written', mustBe('Secrets written after a restart', changed, 0));
}

/** Passes that have ended. */
async function passes(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const counts = [...text.matchAll(/^controller_runtime_reconcile_total\{.*\} (\d+)$/gm)];
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}

function ms(milliseconds: number): string {
  return `${milliseconds.toFixed(0)} ms`;
}

async function cleanUp(): Promise<void> {
  for (let end = endings.pop(); end !== undefined; end = endings.pop()) await end();
}

process.chdir(fileURLToPath(new URL('../..', import.meta.url)));
if (!Number.isInteger(COUNT) || COUNT < 1) {
  process.stderr.write('usage: node spec/bench/main.ts [number of objects]\n');
  process.exit(2);
}
try {
  await bench();
} catch (error) {
  wrong.push((error as Error).message);
}
await cleanUp();
for (const line of wrong) process.stderr.write(`wrong: ${line}\n`);
process.exit(wrong.length === 0 ? 0 : 1);
