import { sleep, systemClock } from '../../../lib/clock.ts';
import type { Secret } from '../../../lib/controllers/aws-assume-role/secret.ts';
import { HANG_LIMIT_MS } from '../../support/eventually.ts';
import type { Triple } from '../aws/index.ts';
import { expectSuccess } from '../index.ts';
import { askWithBoto3, askWithSdk, type Caller } from './clients.ts';
import { sessionOf } from './credentials.ts';
import type { Screen } from './screen.ts';
import { type Endings, mountSecret, NAMESPACE, type Stage } from './stage.ts';
import { type Revision, SecretWatch } from './watch.ts';

/** How many credentials of each Secret are waited for. */
const REVISIONS = 3;
const POLL_MS = 50;
const SECRETS = ['reports-aws', 'backup-aws', 'registry-pull'] as const;

/** What is shown once everything runs. Resolves with all that was seen; throws when anything is not as it should be. */
export async function tell(screen: Screen, stage: Stage, endings: Endings): Promise<SecretWatch> {
  screen.section('Objects become Secrets');
  await applyExamples(screen, stage);
  const watch = new SecretWatch(stage.plane, stage.aws.gateway, NAMESPACE, SECRETS);
  endings.push(() => watch.stop());
  screen.section('AWS clients use them');
  await mountSecret(stage, 'backup-aws', endings);
  const first = await useCredentials(screen, stage);
  screen.section('The same Secrets are replaced, again and again, before they expire');
  await showRotation(screen, watch);
  screen.section('The same clients, without a change');
  await useCredentials(screen, stage);
  await showEnd(screen, stage, watch, first);
  await watch.stop();
  if (watch.problem) throw watch.problem;
  return watch;
}

async function applyExamples(screen: Screen, stage: Stage): Promise<void> {
  await kubectl(screen, stage, 'create', 'namespace', NAMESPACE);
  await kubectl(screen, stage, 'apply', '--filename=examples/grant-for-a-team.yaml');
  const inNamespace = `--namespace=${NAMESPACE}`;
  const files = ['map', 'file', 'ecr'].map((name) => `--filename=examples/${name}.yaml`);
  await kubectl(screen, stage, 'apply', inNamespace, ...files);
  screen.note('(There is no node here, so the Deployments of the examples get no Pods.)');
  const all = ['awsassumeroles', '--all', `--timeout=${HANG_LIMIT_MS / 1000}s`];
  await kubectl(screen, stage, 'wait', inNamespace, '--for=condition=Ready', ...all);
  await kubectl(screen, stage, 'get', 'awsassumeroles', inNamespace);
  await kubectl(screen, stage, 'get', 'secrets', inNamespace);
}

/** Runs kubectl and shows it. */
async function kubectl(screen: Screen, { plane, operator }: Stage, ...args: string[]): Promise<void> {
  const { code, stdout, stderr } = await plane.kubectl(...args);
  screen.command(`kubectl ${args.join(' ')}`, stdout + stderr);
  if (code !== 0) throw new Error(`kubectl failed; the operator's last lines:\n${await operator.process.tail()}`);
}

/** Lets two clients ask AWS who they are. Gives the session that the second had. */
async function useCredentials(screen: Screen, { plane, aws, python, mount, home }: Stage): Promise<Triple> {
  const boto3 = () => askWithBoto3(aws, python, `${mount}/credentials`, home);
  await screen.step('boto3', boto3, callerText('boto3 with the file of backup-aws, as a kubelet mounts it'));
  const path = `/api/v1/namespaces/${NAMESPACE}/secrets/reports-aws`;
  const session = sessionOf(expectSuccess(await plane.request<Secret>('GET', path), path));
  const sdk = () => askWithSdk(aws, session);
  await screen.step('AWS SDK for JavaScript', sdk, callerText('AWS SDK for JavaScript with the keys of reports-aws'));
  return session;
}

function callerText(client: string): (caller: Caller) => string {
  return ({ accessKeyId, arn }) => `${client}:\n     ${accessKeyId} is ${arn}`;
}

/** A row for each credential as it comes, until every Secret has held enough of them. */
async function showRotation(screen: Screen, watch: SecretWatch): Promise<void> {
  const row = screen.table([14, -8, 22, 24], ['Secret', 'revision', 'access key id', 'the one before had left']);
  const end = systemClock.monotonic() + HANG_LIMIT_MS;
  const isDone = () => SECRETS.every((name) => watch.of(name).length >= REVISIONS);
  for (let shown = 0; shown < watch.revisions.length || !isDone(); await sleep(systemClock, POLL_MS)) {
    for (const revision of watch.revisions.slice(shown)) row(cells(revision));
    shown = watch.revisions.length;
    if (watch.problem) throw watch.problem;
    if (systemClock.monotonic() > end) throw new Error(`no ${REVISIONS} revisions in ${HANG_LIMIT_MS / 1000} s`);
  }
}

function cells({ secret, number, accessKeyId, leftMs }: Revision): string[] {
  return [secret, String(number), accessKeyId, leftMs === undefined ? '' : `${seconds(leftMs)} s`];
}

/** Shows that the sessions really end. */
async function showEnd(screen: Screen, { aws }: Stage, watch: SecretWatch, first: Triple): Promise<void> {
  const expiresAt = watch.revisions.find(({ accessKeyId }) => accessKeyId === first.accessKeyId)?.expiresAt ?? 0;
  const answer = async () => {
    await sleep(systemClock, expiresAt - systemClock.now() + POLL_MS);
    return await askWithSdk(aws, first).then(
      () => 'accepted',
      (error: Error) => error.name,
    );
  };
  const text = (code: string) => `The session of before, ${first.accessKeyId}, has ended: AWS answers ${code}`;
  const code = await screen.step('waiting for the end of the first session', answer, text);
  if (code !== 'ExpiredToken') throw new Error('AWS took a session for longer than it lives');
}

/** With one digit. */
export function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}
