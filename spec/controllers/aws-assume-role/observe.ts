import { systemClock } from '../../../lib/clock.ts';
import type { Secret } from '../../../lib/controllers/aws-assume-role/secret.ts';
import type { WatchEvent } from '../../../lib/kube/client.ts';
import { secrets } from '../../../lib/kube/objects.ts';
import { clientFor } from '../../kube/support/cluster.ts';
import { trustPrincipals } from '../../lab/aws/index.ts';
import { isRead } from '../../lab/fault-proxy.ts';
import type { AuditEntry, CallRecord, TestNamespace } from '../../lab/index.ts';
import { eventually } from '../../support/eventually.ts';
import { openScene, openStage, type Scene, type SceneOptions, type Stage } from './support.ts';

/** What a test file opens before its tests and closes after them. */
export interface App {
  stage: Stage;
  scene: Scene;
  close(): Promise<void>;
}

/** A stage with the role `app`, whose sessions may ask for registry tokens, and one scene on it. Opens all or nothing. */
export async function openApp(options: SceneOptions = {}, opening: Promise<Stage> = openStage()): Promise<App> {
  const stage = await opening;
  try {
    const trust = trustPrincipals(stage.keys.arn);
    await stage.aws.createRole('app', { trust, policies: ['ecr:GetAuthorizationToken'] });
    const scene = await openScene(stage, options);
    return { stage, scene, close: () => scene.close().finally(() => stage.stop()) };
  } catch (error) {
    await stage.stop();
    throw error;
  }
}

const versions = { aar: 'pincette.net/v1', secret: 'v1', deployment: 'apps/v1' };
const kinds = { aar: 'AWSAssumeRole', secret: 'Secret', deployment: 'Deployment' };

/** Merges something into an object. @param target kind and name, as `secret/app` */
export async function patch({ ns }: Scene, target: `${keyof typeof kinds}/${string}`, change: object): Promise<void> {
  const [kind, name = ''] = target.split('/') as [keyof typeof kinds, string];
  await ns.patch({ apiVersion: versions[kind], kind: kinds[kind], metadata: { name } }, change);
}

/** Asks for one refresh, as a user does. */
export function requestRefresh(scene: Scene, name: string, value: string): Promise<void> {
  return patch(scene, `aar/${name}`, { metadata: { annotations: { 'rolevend.dev/refresh-requested-at': value } } });
}

/** The calls of AssumeRole that were made for one object, oldest first. Its session name tells them. */
export function assumptions({ aws }: Stage, { ns }: Scene, name: string): CallRecord[] {
  const isMeant = ({ parameters }: CallRecord) => parameters['RoleSessionName'] === `rolevend-${ns.name}.${name}`;
  return aws.gateway.calls({ action: 'AssumeRole' }).filter(isMeant);
}

/** Type and reason of the Events about one object, in the order of the alphabet, each once. */
export async function eventsOf({ ns }: Scene, name: string): Promise<string[]> {
  const items = await ns.eventsAbout('AWSAssumeRole', name);
  return [...new Set(items.map(({ type, reason }) => `${type} ${reason}`))].sort();
}

/** Waits for an Event about one object; they are written in the background. @param line type and reason */
export async function eventShown(scene: Scene, name: string, line: string): Promise<void> {
  await eventually(`the Event ${line} about ${name}`, async (saw) => saw(await eventsOf(scene, name)).includes(line));
}

/** What the operator wrote in the scene's namespace so far, Events aside: lines like `update secrets app`, oldest first. */
export async function writes({ plane }: Pick<Stage, 'plane'>, { ns }: Scene): Promise<string[]> {
  return (await plane.auditLog(ns.name)).filter((entry) => isWrite(entry, ns.name)).map(lineOf);
}

function isWrite(entry: AuditEntry & { userAgent?: string }, namespace: string): boolean {
  const isReading = isRead(entry.verb);
  const { objectRef, responseStatus, userAgent } = entry;
  const isMeant = objectRef?.namespace === namespace && objectRef.resource !== 'events';
  return userAgent === 'rolevend' && !isReading && isMeant && (responseStatus?.code ?? 500) < 300;
}

function lineOf({ verb, objectRef }: AuditEntry): string {
  const { resource = '', subresource, name = '' } = objectRef ?? {};
  return `${verb} ${subresource === undefined ? resource : `${resource}/${subresource}`} ${name}`;
}

/** One state of a Secret as a reader may find it. */
export interface Revision {
  /** When it was seen, milliseconds since 1970. */
  at: number;
  type: string;
  secret: Secret;
  text: Record<string, string>;
}

/** Every revision of every Secret of a namespace, from now on. */
export interface Recording {
  all(): Revision[];
  of(name: string): Revision[];
  stop(): Promise<void>;
}

/** Watches the Secrets of the scene's namespace as an independent reader. */
export async function recordSecrets(
  { plane }: Pick<Stage, 'plane'>,
  { ns }: { ns: Pick<TestNamespace, 'name'> },
): Promise<Recording> {
  const { client, connection } = await clientFor(plane);
  const { metadata } = await client.list(secrets, { namespace: ns.name });
  const revisions: Revision[] = [];
  const end = new AbortController();
  const onEvent = ({ type, object }: WatchEvent<Secret>) => {
    if (type !== 'BOOKMARK') revisions.push({ at: systemClock.now(), type, secret: object, text: textOf(object) });
  };
  const from = { namespace: ns.name, resourceVersion: metadata.resourceVersion };
  const settings = { timeoutSeconds: 300, idleMs: 75_000, signal: end.signal };
  const watching = client.watch<Secret>(secrets, { ...from, ...settings, onEvent }).catch((error: unknown) => {
    if (!end.signal.aborted) throw error;
  });
  return {
    all: () => [...revisions],
    of: (name) => revisions.filter(({ secret }) => secret.metadata.name === name),
    async stop() {
      end.abort();
      await watching;
      await connection.close();
    },
  };
}

/** The data of a Secret, decoded. */
export function textOf({ data = {} }: Secret): Record<string, string> {
  const decode = (value: string) => Buffer.from(value, 'base64').toString('utf8');
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, decode(value)]));
}
