import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import type { AWSAssumeRole } from '../../../lib/api/aws-assume-role.ts';
import type { BaseCredentials } from '../../../lib/aws/options.ts';
import {
  type AttachedControlPlane,
  expectSuccess,
  sharedControlPlane,
  startAws,
  trustPrincipals,
} from '../../lab/index.ts';
import { SkipClock } from '../../support/clock.ts';
import { eventually, type Saw } from '../../support/eventually.ts';
import { openScene, type Scene, type SceneOptions, type Stage } from './support.ts';

/** A stage on which AWS and operators share a clock that tests put forward. */
export interface TimeStage extends Stage {
  clock: SkipClock;
}

/** One AWS for a test file, on the shared control plane unless another one is given. */
export async function openTimeStage(plane: AttachedControlPlane = sharedControlPlane()): Promise<TimeStage> {
  const clock = new SkipClock();
  const aws = await startAws({ clock });
  const keys = await aws.operatorUser();
  return { plane, aws, keys, clock, stop: () => aws.stop() };
}

/** A scene whose operator lives by the stage's clock. */
export function openTimeScene(stage: TimeStage, options: SceneOptions = {}): Promise<Scene> {
  return openScene(stage, { ...options, operator: { clock: stage.clock, ...options.operator } });
}

/** What a test file opens before its tests and closes after them, where it puts the time forward. */
export interface TimeApp {
  stage: TimeStage;
  scene: Scene;
  close(): Promise<void>;
}

/** A stage with the role `app`, which trusts the operator, and one scene on it. Opens all or nothing. */
export async function openTimeApp(): Promise<TimeApp> {
  const stage = await openTimeStage();
  try {
    await stage.aws.createRole('app', { trust: trustPrincipals(stage.keys.arn) });
    const scene = await openTimeScene(stage);
    return { stage, scene, close: () => scene.close().finally(() => stage.stop()) };
  } catch (error) {
    await stage.stop();
    throw error;
  }
}

/**
 * Puts the time forward, some seconds at a time, until something is so. Time goes on where no pass is under way, so what the
 * operator is to see first must have been seen.
 */
export function passUntil<T>(
  { stage, scene }: Pick<TimeApp, 'stage' | 'scene'>,
  what: string,
  probe: (saw: Saw) => Promise<T> | T,
  seconds = 5,
): Promise<NonNullable<T>> {
  return eventually(what, async (saw) => {
    await idle(scene);
    const found = await probe(saw);
    if (!found) stage.clock.skip(seconds * 1_000);
    return found;
  });
}

/** The conditions in short, as `{ Ready: 'True/Issued', … }`. */
export function conditionsOf(object: AWSAssumeRole | undefined): Record<string, string> {
  const conditions = object?.status?.conditions ?? [];
  return Object.fromEntries(conditions.map(({ type, status, reason }) => [type, `${status}/${reason}`]));
}

/** Message of the condition of this type; empty where there is none. */
export function messageOf(object: AWSAssumeRole | undefined, type: string): string {
  return object?.status?.conditions?.find((condition) => condition.type === type)?.message ?? '';
}

/** Waits until the object's conditions are exactly these for its present generation, and gives the object. */
export async function settled(scene: Scene, name: string, wanted: Record<string, string>): Promise<AWSAssumeRole> {
  const text = (conditions: Record<string, string>) => JSON.stringify(Object.entries(conditions).sort());
  return eventually(`${name} to say ${text(wanted)}`, async (saw) => {
    const object = await scene.get(name);
    const said = saw(text(conditionsOf(object)));
    const isSeen = object?.status?.observedGeneration === object?.metadata.generation;
    return said === text(wanted) && isSeen ? object : undefined;
  });
}

/** The metric of this name, of its first series where it has several; 0 where there is none. */
export async function figure({ operator }: Scene, name: string): Promise<number> {
  return (await operator.metrics.getSingleMetric(name)?.get())?.values[0]?.value ?? 0;
}

/** Waits until no pass runs and none is due. A test that has seen a call puts the clock forward only after its pass. */
export async function idle(scene: Scene): Promise<void> {
  await eventually('the operator has nothing to do', async (saw) => {
    const running = await figure(scene, 'controller_runtime_active_workers');
    const waiting = await figure(scene, 'workqueue_depth');
    saw({ running, waiting });
    return running === 0 && waiting === 0;
  });
}

const GRANTS = '/apis/rolevend.dev/v1alpha1/rolegrants';

/** Writes or replaces the scene's grant of this number, 0 to 8. It goes with the scene. */
export async function grant(stage: Stage, { ns }: Scene, number: number, spec: object): Promise<void> {
  const name = `${ns.name}-${number}`;
  const object = { apiVersion: 'rolevend.dev/v1alpha1', kind: 'RoleGrant', metadata: { name } };
  const body = { ...object, spec: { namespaces: { names: [ns.name] }, ...spec } };
  const path = `${GRANTS}/${name}?fieldManager=test&force=true`;
  expectSuccess(await stage.plane.request('PATCH', path, body, 'application/apply-patch+yaml'), path);
}

/** Deletes the scene's grant of this number. */
export async function revoke(stage: Stage, { ns }: Scene, number: number): Promise<void> {
  expectSuccess(await stage.plane.request('DELETE', `${GRANTS}/${ns.name}-${number}`), 'revoke');
}

/** One Event as it stands in the cluster. */
export interface SeenEvent {
  type: string;
  reason: string;
  message: string;
}

/** The Events about one object, oldest first. */
export async function eventsAbout({ ns }: Scene, name: string): Promise<SeenEvent[]> {
  const items = await ns.eventsAbout('AWSAssumeRole', name);
  const sorted = items.sort((a, b) => (a.firstTimestamp < b.firstTimestamp ? -1 : 1));
  return sorted.map(({ type, reason, message }) => ({ type, reason, message }));
}

/** A session of a role of this AWS, as an operator holds that runs under a role. It does not tell its end. */
export async function roleSession({ aws, keys }: Stage, role: string): Promise<BaseCredentials> {
  const client = new STSClient({ region: aws.region, endpoint: aws.endpoint, credentials: keys });
  const command = new AssumeRoleCommand({ RoleArn: aws.roleArn(role), RoleSessionName: 'operator' });
  const { Credentials } = await client.send(command).finally(() => client.destroy());
  const { AccessKeyId = '', SecretAccessKey = '', SessionToken = '' } = Credentials ?? {};
  return { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken };
}
