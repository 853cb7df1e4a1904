import type { AWSAssumeRole } from '../api/aws-assume-role.ts';
import { awsAssumeRoles } from '../api/aws-assume-role.ts';
import { managedLabel } from '../api/names.ts';
import { type RoleGrant, roleGrants } from '../api/role-grant.ts';
import { type Aws, connectAws } from '../aws/connect.ts';
import { Gates } from '../aws/gates.ts';
import type { AwsOptions } from '../aws/options.ts';
import { Admission } from '../aws/rate.ts';
import type { Clock } from '../clock.ts';
import { type ControllerConfig, DEFAULT_LEASE_NAME } from '../config.ts';
import { AwsAssumeRoleController } from '../controllers/aws-assume-role/controller.ts';
import { Announcer } from '../controllers/aws-assume-role/events.ts';
import { keptGrant, keptNamespace, keptObject, keptSecret } from '../controllers/aws-assume-role/kept.ts';
import { VendingMetrics } from '../controllers/aws-assume-role/metrics.ts';
import {
  keysOfGrant,
  keysOfNamespace,
  keysOfObject,
  keysOfSecret,
  objectStore,
  secretStore,
} from '../controllers/aws-assume-role/watch.ts';
import { AssumeRoleIssuer } from '../credentials/assume-role.ts';
import { RolevendError } from '../errors.ts';
import { KubeClient } from '../kube/client.ts';
import type { Connection } from '../kube/connection.ts';
import { Controller } from '../kube/controller.ts';
import { EventRecorder } from '../kube/events.ts';
import { type LeaseOptions, runWithLease } from '../kube/lease.ts';
import { type KubeObject, keyOf, namespaces, refOfKey, secrets } from '../kube/objects.ts';
import { WorkQueue } from '../kube/queue.ts';
import { Store } from '../kube/store.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { loadWords, type Words } from '../words.ts';
import { Watches } from './watches.ts';

/** How long the last Events may take before the Lease is given back. */
const EVENTS_MS = 1_000;

export interface OperatorOptions {
  config: Omit<
    ControllerConfig,
    'kubeconfig' | 'podUid' | 'metricsBindAddress' | 'healthProbeBindAddress' | 'logLevel' | 'logFormat'
  >;
  /** The cluster to work in. It stays open when the operator ends. */
  connection: Connection;
  aws: AwsOptions;
  /** Name of this process in Lease and Events, unlike any other's. */
  identity: string;
  /** As in `LeaseOptions`. */
  isPredecessor?: LeaseOptions['isPredecessor'];
  /** Namespace of the Lease. */
  leaseNamespace: string;
  clock: Clock;
  log: Logger;
  metrics: Metrics;
}

/**
 * All parts of the operator for one cluster, wired together. Holds no global state: several run in one process, each with
 * its own `metrics`. A replica that does not lead keeps its caches, so that it can take over at once.
 */
export class Operator {
  readonly #o: OperatorOptions;
  readonly #watches: Watches;
  readonly #objects = objectStore();
  readonly #secrets = secretStore();
  readonly #grants = new Store<RoleGrant>();
  readonly #namespaces = new Store<KubeObject>();
  readonly #client: KubeClient;
  readonly #leaseClient: KubeClient;
  readonly #aws: Aws;
  /** Of the namespaces named by the configuration: those whose objects are worked on. */
  readonly #opened = new Set<string>();
  #queue: WorkQueue | undefined;
  #controller: Controller | undefined;
  #fence: () => void = notLeading;

  constructor(options: OperatorOptions) {
    const { connection, clock, log, metrics, aws } = options;
    this.#o = options;
    this.#leaseClient = new KubeClient({ connection, clock, metrics, purpose: 'lease' });
    this.#client = new KubeClient({ connection, clock, metrics, beforeWrite: () => this.#fence() });
    this.#aws = connectAws({ aws, clock, log, metrics });
    this.#watches = new Watches({ client: this.#client, clock, log, metrics });
    this.#watchEverything();
  }

  /** Works until the signal aborts (`released`) or the Lease is lost (`lost`); the process should end then. */
  async run(signal: AbortSignal): Promise<'released' | 'lost'> {
    const { config, clock, log, metrics, identity, isPredecessor, leaseNamespace } = this.#o;
    const end = new AbortController();
    const both = AbortSignal.any([signal, end.signal]);
    const background = [this.#aws.identity.start(both), this.#aws.time.start(both), this.#watches.run(both)];
    try {
      if (!config.leaderElect) {
        await this.#lead(signal, () => {});
        return 'released';
      }
      const lead = (leading: AbortSignal, fence: () => void) => this.#lead(leading, fence);
      const name = config.leaderElectionName;
      const mayBeRenamed = name !== DEFAULT_LEASE_NAME;
      const lease = {
        client: this.#leaseClient,
        namespace: leaseNamespace,
        name,
        identity,
        isPredecessor,
        mayBeRenamed,
      };
      return await runWithLease({ ...lease, clock, log, metrics, lead, signal });
    } finally {
      end.abort();
      await Promise.allSettled(background);
      await this.#aws.close();
    }
  }

  /** What keeps this replica from working, one line each; empty when it is ready. */
  notReady(): string[] {
    const unsynced = this.#watches.notSynced().map((name) => `not synced: ${name}`);
    const problem = this.#aws.identity.problem;
    return problem === undefined ? unsynced : [...unsynced, problem];
  }

  /** False when the leader's loop is stuck. */
  healthy(): boolean {
    return this.#controller?.healthy() ?? true;
  }

  async #lead(signal: AbortSignal, fence: () => void): Promise<void> {
    this.#fence = fence;
    try {
      // What the former leader did while a watch here was down must not be done again.
      await Promise.all([this.#watches.current(undefined, signal), this.#aws.time.known(signal)]);
      await this.#work(signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.#fence = notLeading;
    }
  }

  async #work(signal: AbortSignal): Promise<void> {
    const { config, clock, log, metrics, identity } = this.#o;
    const name = 'aws-assume-role';
    if (!config.controllers.includes(name)) return await ended(signal);
    const recorder = new EventRecorder({ client: this.#client, clock, log, metrics, instance: identity });
    const queue = new WorkQueue({ name, clock, metrics, onIdle: () => recorder.flush() });
    const turns = this.#turns(queue);
    const vending = this.#vending(turns, recorder, await loadWords());
    const reconcile = (key: string, passSignal: AbortSignal) => vending.reconcile(key, passSignal);
    this.#queue = queue;
    this.#controller = new Controller({ name, queue, reconcile, concurrency: config.concurrency, clock, log, metrics });
    const forgetIdentity = this.#aws.identity.onChange(() => this.#enqueueAll());
    const forgetTime = this.#aws.time.onStep(() => this.#enqueueAll());
    this.#enqueueAll();
    for (const namespace of config.namespaces) void this.#open(namespace, signal);
    try {
      await this.#controller.run(signal);
      await recorder.close(EVENTS_MS);
    } finally {
      turns.admission.close();
      turns.gates.close();
      forgetIdentity();
      forgetTime();
      this.#queue = undefined;
    }
  }

  /** What lets calls of AWS wait without a worker. */
  #turns(queue: WorkQueue): { admission: Admission; gates: Gates } {
    const { config, aws, clock, metrics } = this.#o;
    const { concurrency: workers, stsQps: qps, stsBurst: burst, stsWebIdentityQps: rate } = config;
    const operations = { AssumeRoleWithWebIdentity: { rate, burst: 2 * rate } };
    const onTurn = (key: string) => queue.add(key);
    const self = () => ({ caller: this.#aws.identity.current?.caller, region: aws.region });
    return {
      admission: new Admission({ clock, metrics, qps, burst, operations, self, onGranted: onTurn }),
      gates: new Gates({ clock, hosts: this.#aws.hosts, region: aws.region, workers, onTurn }),
    };
  }

  #vending({ admission, gates }: { admission: Admission; gates: Gates }, recorder: EventRecorder, words: Words) {
    const { config, aws, clock, log, metrics } = this.#o;
    const { identity, sts, ecr } = this.#aws;
    return new AwsAssumeRoleController({
      client: this.#client,
      objects: this.#objects,
      secrets: this.#secrets,
      grants: this.#grants,
      namespaces: this.#namespaces,
      issuer: new AssumeRoleIssuer({ sts, ecr, cluster: this.#client, admission }),
      admission,
      gates,
      self: () => ({
        caller: identity.current?.caller,
        identityProblem: identity.problem,
        region: aws.region,
      }),
      skewMs: () => sts.skewMs,
      fence: () => this.#fence(),
      announcer: new Announcer(recorder, words),
      metrics: new VendingMetrics(metrics, config.objectMetrics),
      clock,
      log,
    });
  }

  #watchEverything(): void {
    const objects = this.#objects;
    const labelSelector = `${managedLabel}=true`;
    for (const namespace of this.#scopes()) {
      this.#watches.add<AWSAssumeRole>(awsAssumeRoles, {
        namespace,
        store: objects,
        transform: keptObject,
        onChange: (change) => this.#enqueue(keysOfObject(change, objects)),
      });
      this.#watches.add<KubeObject>(secrets, {
        namespace,
        labelSelector,
        metadataOnly: true,
        store: this.#secrets,
        transform: keptSecret,
        onChange: (change) => this.#enqueue(keysOfSecret(change, objects)),
      });
    }
    this.#watches.add<RoleGrant>(roleGrants, {
      store: this.#grants,
      transform: keptGrant,
      onChange: (change) => {
        this.#enqueue(keysOfGrant(change, objects, this.#namespaces));
        this.#enqueueAll();
      },
    });
    this.#watches.add<KubeObject>(namespaces, {
      metadataOnly: true,
      store: this.#namespaces,
      transform: keptNamespace,
      onChange: (change) => this.#enqueue(keysOfNamespace(change, objects)),
    });
  }

  /** Undefined stands for all namespaces. */
  #scopes(): (string | undefined)[] {
    const { namespaces: named } = this.#o.config;
    return named.length > 0 ? named : [undefined];
  }

  /** Lets work on a namespace begin once its watches are current, whatever becomes of those of the others. */
  async #open(namespace: string, signal: AbortSignal): Promise<void> {
    await this.#watches.current(namespace, signal).catch(() => {});
    if (signal.aborted) return;
    this.#opened.add(namespace);
    this.#enqueueAll(namespace);
  }

  #isOpen(namespace: string | undefined): boolean {
    return this.#o.config.namespaces.length === 0 || this.#opened.has(namespace ?? '');
  }

  #enqueue(keys: readonly string[]): void {
    for (const key of keys) if (this.#isOpen(refOfKey(key).namespace)) this.#queue?.add(key);
  }

  /** Everything, or all of a namespace, behind what changes by itself. Passes over objects that need nothing cost no request. */
  #enqueueAll(only?: string): void {
    for (const object of this.#objects.list()) {
      const { namespace } = object.metadata;
      if (this.#isOpen(namespace) && (only === undefined || only === namespace)) this.#queue?.add(keyOf(object), 'low');
    }
  }
}

function notLeading(): never {
  throw new RolevendError('this replica does not hold the Lease and may not write', {
    code: 'LeaseLost',
    consequence: 'stop',
  });
}

function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
