import { awsAssumeRoles } from '../../lib/api/aws-assume-role.ts';
import { annotations, managedLabel } from '../../lib/api/names.ts';
import { parseTime } from '../../lib/clock.ts';
import type { ControllerConfig } from '../../lib/config.ts';
import type { Lifetime } from '../../lib/controllers/aws-assume-role/due.ts';
import { type KubeObject, keyOf, secrets } from '../../lib/kube/objects.ts';
import { Reflector } from '../../lib/kube/reflector.ts';
import { Store } from '../../lib/kube/store.ts';
import { objectOf } from '../bench/cluster.ts';
import { clientFor } from '../kube/support/cluster.ts';
import {
  type CallRecord,
  expectSuccess,
  type GatewayControl,
  sharedControlPlane,
  startAws,
  type TestNamespace,
  testNamespace,
  trustPrincipals,
} from '../lab/index.ts';
import { SkipClock } from '../support/clock.ts';
import { inParallel } from '../support/parallel.ts';
import { type OperatorProcess, startOperatorProcess } from './operator.ts';

/** How many objects are created at a time. */
const CREATORS = 16;

/** An operator with much to do, an AWS beside it, and time that passes as fast as both can work. */
export interface Ground {
  readonly gateway: GatewayControl;
  readonly operator: OperatorProcess;
  readonly namespaces: readonly TestNamespace[];
  /** Time of AWS, milliseconds since 1970. */
  now(): number;
  /** Makes objects that ask for sessions of an hour. @param refresh for `spec.refresh` */
  create(namespace: TestNamespace, names: readonly string[], refresh?: object): Promise<void>;
  /** The keys of all objects that have a Secret. */
  issued(): string[];
  /** The sessions that the Secret of this key has held, oldest first. */
  lives(key: string): Lifetime[];
  /** The Secrets that held a session which had ended, at any time. */
  expired(): string[];
  /** Lets so many milliseconds pass. */
  pass(ms: number): Promise<void>;
  /** Lets time pass until something holds. Gives the milliseconds that went by. @throws Error after `limitMs` of them */
  passUntil(what: string, isSo: () => boolean, limitMs: number): Promise<number>;
  /** The AssumeRole calls so far, oldest first. */
  calls(): CallRecord[];
  close(): Promise<void>;
}

/** Opens so many namespaces for one operator, which may use the role `app` in all of them. */
export async function openGround(count: number, config: Partial<ControllerConfig> = {}): Promise<Ground> {
  const plane = sharedControlPlane();
  const clock = new SkipClock();
  const aws = await startAws({ clock });
  const keys = await aws.operatorUser();
  await aws.createRole('app', { trust: trustPrincipals(keys.arn) });
  const spaces = await Promise.all(Array.from({ length: count }, () => testNamespace(plane)));
  const names = spaces.map(({ name }) => name);
  const grant = {
    apiVersion: 'rolevend.dev/v1alpha1',
    kind: 'RoleGrant',
    metadata: { name: names[0] },
    spec: { namespaces: { names }, roles: ['arn:self:iam::self:role/*'] },
  };
  const grants = '/apis/rolevend.dev/v1alpha1/rolegrants';
  expectSuccess(await plane.request('POST', grants, grant), grants);
  const reader = await openReader(names);
  const { endpoint, region } = aws;
  const start = { kubeconfig: plane.kubeconfig, endpoint, region, keys, namespaces: names, config };
  const operator = await startOperatorProcess(start);
  const skip = async (ms: number) => {
    // AWS first: what the operator then asks for is granted in the same time.
    clock.skip(ms);
    return operator.skip(ms);
  };
  return {
    gateway: aws.gateway,
    operator,
    namespaces: spaces,
    now: () => clock.now(),
    create: async (namespace, objects, refresh = {}) => {
      await inParallel(objects, CREATORS, (name) => {
        const object = objectOf(namespace.name, name);
        return reader.client.create(awsAssumeRoles, { ...object, spec: { ...object.spec, refresh } });
      });
    },
    issued: () => [...reader.lives.keys()],
    lives: (key) => reader.lives.get(key) ?? [],
    expired: () => [...reader.lives].filter(([, lives]) => hasExpired(lives, clock.now())).map(([key]) => key),
    pass: (ms) => passWith(skip, operator, clock, ms),
    passUntil: (what, isSo, limitMs) => passUntil(skip, operator, clock, { what, isSo, limitMs }),
    calls: () => aws.gateway.calls({ action: 'AssumeRole' }),
    close: async () => {
      await operator.stop();
      await reader.close();
      await plane.request('DELETE', `${grants}/${names[0]}`);
      await Promise.all(spaces.map((space) => space.remove()));
      await aws.stop();
    },
  };
}

type Skip = (ms: number) => Promise<{ nextInMs: number }>;

/** Goes from one thing that happens by itself to the next, so that no deadline of a request passes with it. */
async function passWith(skip: Skip, operator: OperatorProcess, clock: SkipClock, ms: number): Promise<void> {
  const end = clock.monotonic() + ms;
  for (let { nextInMs } = await operator.settle(); clock.monotonic() < end; ) {
    ({ nextInMs } = await skip(Math.min(nextInMs, end - clock.monotonic())));
  }
}

async function passUntil(
  skip: Skip,
  operator: OperatorProcess,
  clock: SkipClock,
  { what, isSo, limitMs }: { what: string; isSo(): boolean; limitMs: number },
): Promise<number> {
  const start = clock.monotonic();
  let { nextInMs } = await operator.settle();
  while (!isSo()) {
    const elapsed = clock.monotonic() - start;
    if (elapsed > limitMs) throw new Error(`${elapsed / 1000} s went by, and still not: ${what}`);
    ({ nextInMs } = await skip(Math.min(nextInMs, limitMs)));
  }
  return clock.monotonic() - start;
}

/** The session after one must have come before that one ended, and the last one must not have ended. */
function hasExpired(lives: readonly Lifetime[], now: number): boolean {
  return lives.some(({ expiresAt }, index) => (lives[index + 1]?.issuedAt ?? now) >= expiresAt);
}

/** Follows the Secrets of the namespaces as an independent reader. */
async function openReader(spaces: readonly string[]) {
  const reader = await clientFor(sharedControlPlane());
  const lives = new Map<string, Lifetime[]>();
  const end = new AbortController();
  const reflectors = spaces.map(
    (namespace) =>
      new Reflector<KubeObject>({
        ...reader,
        namespace,
        resource: secrets,
        labelSelector: `${managedLabel}=true`,
        metadataOnly: true,
        store: new Store<KubeObject>(),
        onChange: ({ object }) => note(lives, object),
      }),
  );
  const running = reflectors.map((reflector) => reflector.run(end.signal));
  await Promise.all(reflectors.map((reflector) => reflector.synced(end.signal)));
  return {
    client: reader.client,
    lives,
    async close() {
      end.abort();
      await Promise.allSettled(running);
      await reader.connection.close();
    },
  };
}

function note(lives: Map<string, Lifetime[]>, object: KubeObject): void {
  const { [annotations.issuedAt]: issued, [annotations.expiresAt]: expires } = object.metadata.annotations ?? {};
  const [issuedAt = Number.NaN, expiresAt = Number.NaN] = [parseTime(issued), parseTime(expires)];
  const known = lives.get(keyOf(object)) ?? [];
  if (known.at(-1)?.issuedAt !== issuedAt) lives.set(keyOf(object), [...known, { issuedAt, expiresAt }]);
}
