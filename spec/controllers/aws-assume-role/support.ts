import type { AWSAssumeRole, AWSAssumeRoleSpec, AWSAssumeRoleStatus } from '../../../lib/api/aws-assume-role.ts';
import { findCondition } from '../../../lib/api/conditions.ts';
import type { Secret } from '../../../lib/controllers/aws-assume-role/secret.ts';
import type { KubeObject } from '../../../lib/kube/objects.ts';
import { type AwsStart, type Keys, type LabAws, startAws } from '../../lab/aws/index.ts';
import {
  type AttachedControlPlane,
  expectSuccess,
  sharedControlPlane,
  type TestNamespace,
  testNamespace,
} from '../../lab/index.ts';
import { eventually } from '../../support/eventually.ts';
import { type OperatorStart, startOperator, type TestOperator } from '../../support/operator.ts';

/** What most tests of this controller stand on: an AWS of their own and an operator user in it. */
export interface Stage {
  plane: AttachedControlPlane;
  aws: LabAws;
  keys: Keys & { arn: string };
  stop(): Promise<void>;
}

/** One AWS for a test file, on the shared control plane unless another one is given. */
export async function openStage(options: AwsStart = {}, plane = sharedControlPlane()): Promise<Stage> {
  const aws = await startAws(options);
  const keys = await aws.operatorUser();
  return { plane, aws, keys, stop: () => aws.stop() };
}

/** How much of the operator's log is shown where a wait ends in vain. */
const LAST_LINES = 10;

/** A namespace with an operator that works in it alone, and a grant for the roles of its account. */
export interface Scene {
  ns: TestNamespace;
  operator: TestOperator;
  apply(name: string, spec: Partial<AWSAssumeRoleSpec>, metadata?: object): Promise<void>;
  get(name: string): Promise<AWSAssumeRole | undefined>;
  status(name: string): Promise<AWSAssumeRoleStatus>;
  /** The Secret with its data decoded. */
  secret(name: string): Promise<(Secret & { text: Record<string, string> }) | undefined>;
  /** Waits until the object is Ready for its present generation, and gives it. */
  ready(name: string): Promise<AWSAssumeRole>;
  /** Waits until a condition of the object has this status, and the reason if given. */
  condition(name: string, type: string, status: string, reason?: string): Promise<AWSAssumeRole>;
  restart(): Promise<void>;
  close(): Promise<void>;
}

export interface SceneOptions {
  operator?: Partial<OperatorStart>;
  /** Specs of the grants made for this namespace; default: all roles of the operator's account. */
  grants?: object[];
  labels?: Record<string, string>;
  /** Further namespaces for the operator to work in. */
  namespaces?: readonly string[];
  /** Default true. */
  waitUntilReady?: boolean;
}

/** Opens a namespace of its own on the stage. */
export async function openScene(stage: Stage, options: SceneOptions = {}): Promise<Scene> {
  const { plane, aws, keys } = stage;
  const ns = await testNamespace(plane, options.labels);
  await applyGrants(ns, options.grants ?? [{ roles: ['arn:self:iam::self:role/*'], sessionName: 'Any' }]);
  const start = () =>
    startOperator(
      { plane, aws, keys, namespaces: [ns.name, ...(options.namespaces ?? [])], ...options.operator },
      options.waitUntilReady,
    );
  const scene = { ns, operator: await start() } as Scene;
  const get = (name: string) =>
    read<AWSAssumeRole>(plane, `/apis/pincette.net/v1/namespaces/${ns.name}/awsassumeroles/${name}`);
  const until = (name: string, what: string, isMet: (object: AWSAssumeRole) => boolean) =>
    eventually(`${ns.name}/${name} ${what}`, async (saw) => {
      const object = await get(name);
      saw(object?.status ?? 'no status');
      return object && isMet(object) ? object : undefined;
    }).catch((error: Error) => {
      throw new Error(
        `${error.message}\nthe operator's last lines:\n${scene.operator.log.slice(-LAST_LINES).join('')}`,
      );
    });
  return Object.assign(scene, {
    apply: (name: string, spec: Partial<AWSAssumeRoleSpec>, metadata: object = {}) =>
      ns.apply(objectOf(name, spec, metadata)),
    get,
    status: async (name: string) => (await get(name))?.status ?? {},
    secret: async (name: string) =>
      withText(await read<Secret>(plane, `/api/v1/namespaces/${ns.name}/secrets/${name}`)),
    ready: (name: string) =>
      until(name, 'is ready', ({ status, metadata }) => {
        return (
          findCondition(status?.conditions, 'Ready')?.status === 'True' &&
          status?.observedGeneration === metadata.generation
        );
      }),
    condition: (name: string, type: string, status: string, reason?: string) =>
      until(name, `has ${type}=${status} ${reason ?? ''}`, (object) => {
        const found = findCondition(object.status?.conditions, type);
        return found?.status === status && (reason === undefined || found.reason === reason);
      }),
    restart: async () => {
      await scene.operator.stop();
      scene.operator = await start();
    },
    close: async () => {
      await scene.operator.stop();
      for (const name of grantNames(ns, 9))
        await plane.request('DELETE', `/apis/rolevend.dev/v1alpha1/rolegrants/${name}`);
      await ns.remove();
    },
  });
}

/** One object as kubectl shows it, without the notes on who set which field; undefined where there is none. */
async function read<T extends KubeObject>({ request }: AttachedControlPlane, path: string): Promise<T | undefined> {
  const answer = await request<T>('GET', path);
  if (answer.status === 404) return undefined;
  const { managedFields: _, ...metadata } = expectSuccess(answer, path).metadata;
  return { ...answer.body, metadata };
}

function grantNames(ns: TestNamespace, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${ns.name}-${index}`);
}

async function applyGrants(ns: TestNamespace, specs: object[]): Promise<void> {
  const names = grantNames(ns, specs.length);
  const grants = specs.map((spec, index) => ({
    apiVersion: 'rolevend.dev/v1alpha1',
    kind: 'RoleGrant',
    metadata: { name: names[index] },
    spec: { namespaces: { names: [ns.name] }, ...spec },
  }));
  if (grants.length > 0) await ns.apply(...grants);
}

/** An AWSAssumeRole with the least that it needs. */
export function objectOf(name: string, spec: Partial<AWSAssumeRoleSpec>, metadata: object = {}): object {
  const role = spec.roleArn === undefined ? { roleName: 'app' } : {};
  return {
    apiVersion: 'pincette.net/v1',
    kind: 'AWSAssumeRole',
    metadata: { name, ...metadata },
    spec: { ...role, secretName: name, secretType: 'Map', ...spec },
  };
}

function withText(secret: Secret | undefined): (Secret & { text: Record<string, string> }) | undefined {
  if (secret === undefined) return undefined;
  const entries = Object.entries(secret.data ?? {});
  const text = Object.fromEntries(entries.map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]));
  return { ...secret, text };
}

/** The three fields of a Map Secret, as the gateway's record of issued sessions names them. */
export function tripleOf(text: Record<string, string>) {
  const { awsAccessKeyId = '', awsSecretAccessKey = '', awsSessionToken = '' } = text;
  return { accessKeyId: awsAccessKeyId, secretAccessKey: awsSecretAccessKey, sessionToken: awsSessionToken };
}
