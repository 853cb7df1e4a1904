import type { AWSAssumeRole, AWSAssumeRoleSpec } from '../../lib/api/aws-assume-role.ts';
import { findCondition } from '../../lib/api/conditions.ts';
import type { Secret } from '../../lib/controllers/aws-assume-role/secret.ts';
import { objectOf, openStage, type Stage, tripleOf } from '../controllers/aws-assume-role/support.ts';
import { type FaultProxy, isRead, type KubeFault, type KubeVerb, type SeenRequest } from '../lab/fault-proxy.ts';
import {
  type CallRecord,
  expectSuccess,
  type GatewayControl,
  type IssuedTriple,
  type TestNamespace,
  testNamespace,
  trustPrincipals,
} from '../lab/index.ts';
import { eventually } from '../support/eventually.ts';
import { buildProgram, type Program, type RolevendProcess } from '../support/process.ts';

/** What a test file of processes stands on. */
export interface Workshop extends Stage {
  program: Program;
}

/** The program, and an AWS of its own with the role `app`, which trusts the operator's user. */
export async function openWorkshop(): Promise<Workshop> {
  const stage = await openStage();
  const { aws, keys, stop } = stage;
  await aws.createRole('app', { trust: trustPrincipals(keys.arn), policies: ['ecr:GetAuthorizationToken'] });
  const program = await buildProgram();
  return {
    ...stage,
    program,
    stop: async () => {
      await program.remove();
      await stop();
    },
  };
}

/** A namespace whose objects may use every role of the account. No operator works in it yet. */
export interface Site {
  ns: TestNamespace;
  apply(name: string, spec?: Partial<AWSAssumeRoleSpec>, metadata?: object): Promise<void>;
  /** Throws where there is none. */
  object(name: string): Promise<AWSAssumeRole>;
  /** All Secrets of the namespace. */
  secrets(): Promise<Secret[]>;
  /** Waits until the object is Ready for its present generation, and gives it. */
  ready(name: string): Promise<AWSAssumeRole>;
  /** The AssumeRole calls for its objects, oldest first, also those that were refused or got no answer. */
  calls(): CallRecord[];
  /** The sessions that AWS issued for its objects, oldest first. */
  sessions(): IssuedTriple[];
  close(): Promise<void>;
}

/** Makes a namespace and its grant. */
export async function openSite({ plane, aws }: Stage): Promise<Site> {
  const ns = await testNamespace(plane);
  const grants = '/apis/rolevend.dev/v1alpha1/rolegrants';
  const spec = { namespaces: { names: [ns.name] }, roles: ['arn:self:iam::self:role/*'] };
  const grant = { apiVersion: 'rolevend.dev/v1alpha1', kind: 'RoleGrant', metadata: { name: ns.name }, spec };
  expectSuccess(await plane.request('POST', grants, grant), `RoleGrant ${ns.name}`);
  const prefix = `rolevend-${ns.name}.`;
  const objects = `/apis/pincette.net/v1/namespaces/${ns.name}/awsassumeroles`;
  const object = async (name: string) =>
    expectSuccess(await plane.request<AWSAssumeRole>('GET', `${objects}/${name}`), name);
  return {
    ns,
    object,
    apply: (name, spec = {}, metadata = {}) => ns.apply(objectOf(name, spec, metadata)),
    secrets: async () => {
      const path = `/api/v1/namespaces/${ns.name}/secrets`;
      return expectSuccess(await plane.request<{ items: Secret[] }>('GET', path), path).items;
    },
    ready: (name) =>
      eventually(`${ns.name}/${name} is ready`, async () => {
        const found = await object(name);
        if (!isReady(found)) throw new Error(JSON.stringify(found.status?.conditions));
        return found;
      }),
    calls: () =>
      aws.gateway
        .calls({ action: 'AssumeRole' })
        .filter((call) => call.parameters['RoleSessionName']?.startsWith(prefix)),
    sessions: () => aws.gateway.issued().filter(({ arn }) => arn.includes(`/${prefix}`)),
    close: async () => {
      await plane.request('DELETE', `${grants}/${ns.name}`);
      await ns.remove();
    },
  };
}

function isReady({ status, metadata }: AWSAssumeRole): boolean {
  const isTrue = findCondition(status?.conditions, 'Ready')?.status === 'True';
  return isTrue && status?.observedGeneration === metadata.generation;
}

/** A request of the operator at which it is killed. */
export interface Moment {
  verb: KubeVerb;
  resource: string;
  name?: string;
  fault: Extract<KubeFault, `kill-${string}`>;
  /** Requests before a write of a Secret with this verb do not count. A patch waits for a write of any verb where none is named. */
  after?: KubeVerb;
}

/** Kills the operator at a request that is to come. Gives a function that waits for that. */
export function killedAt(
  { after, ...moment }: Moment,
  proxy: FaultProxy,
  operator: RolevendProcess,
): () => Promise<unknown> {
  let isDead = false;
  const kill = async () => {
    await operator.end('SIGKILL');
    isDead = true;
  };
  // A status that only tells of a slow issue is not the one meant.
  const isMeant = (seen: SeenRequest) => isSecretWrite(seen) && (after === undefined || seen.verb === after);
  const when = () => moment.verb !== 'patch' || proxy.requests.some(isMeant);
  proxy.requests.length = 0;
  proxy.arm({ ...moment, when, kill });
  return () => eventually(`${moment.fault} at ${moment.verb} ${moment.resource}`, () => isDead);
}

/** Whether a request changes a Secret, and the API server got it. */
export function isSecretWrite({ verb, resource, passed }: SeenRequest): boolean {
  return passed && resource === 'secrets' && !isRead(verb);
}

/** Whether a Secret holds one session that AWS issued, or one registry token. */
export function holdsWhatWasIssued(secret: Secret | undefined, gateway: GatewayControl): boolean {
  const entries = Object.entries(secret?.data ?? {});
  const text = Object.fromEntries(entries.map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]));
  const registry = text['.dockerconfigjson'];
  if (registry === undefined) return gateway.isOneSession(tripleOf(text));
  return gateway.ecrTokens().some(({ password }) => registry.includes(password));
}
