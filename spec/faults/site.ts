import type { AWSAssumeRole, AWSAssumeRoleSpec } from '../../lib/api/aws-assume-role.ts';
import { annotations } from '../../lib/api/names.ts';
import type { RestartTarget } from '../../lib/api/rollout-restart.ts';
import { systemClock } from '../../lib/clock.ts';
import type { Secret } from '../../lib/controllers/aws-assume-role/secret.ts';
import { textOf } from '../controllers/aws-assume-role/observe.ts';
import { leaveBehind, OLDER_DURATION_SECONDS } from '../controllers/aws-assume-role/older-operator.ts';
import { objectOf, tripleOf } from '../controllers/aws-assume-role/support.ts';
import { workload } from '../controllers/aws-assume-role/workloads.ts';
import { keysOf, TestClients } from '../lab/aws/test-clients.ts';
import {
  type AttachedControlPlane,
  expectSuccess,
  type Keys,
  type LabAws,
  type TestNamespace,
  trustPrincipals,
} from '../lab/index.ts';
import { eventually } from '../support/eventually.ts';
import type { Ground } from './ground.ts';
import { hopName } from './identity.ts';
import type { Found } from './scenarios.ts';
import type { Subject } from './subject.ts';

/** A subject whose time can be put forward, and that has had nothing to do for so long, gets an hour. */
const PATIENCE_MS = 2_000;
const HOUR_MS = 3_600_000;

const GRANTS = '/apis/rolevend.dev/v1alpha1/rolegrants';

export interface SiteOptions {
  ground: Pick<Ground, 'plane' | 'aws'>;
  ns: TestNamespace;
  /** Of the user that the operator is. */
  keys: Keys & { arn: string };
  subject: Subject;
  /** Whether the time of a subject that waits in vain may be put forward. */
  mayPutForward: () => boolean;
}

/** What a scenario can do: a user in one namespace with one object `app`, past every fault. */
export class Site {
  readonly namespace: string;
  readonly #plane: AttachedControlPlane;
  readonly #aws: LabAws;
  readonly #ns: TestNamespace;
  readonly #keys: Keys & { arn: string };
  readonly #subject: Subject;
  readonly #mayPutForward: () => boolean;

  constructor(options: SiteOptions) {
    this.namespace = options.ns.name;
    this.#plane = options.ground.plane;
    this.#aws = options.ground.aws;
    this.#ns = options.ns;
    this.#keys = options.keys;
    this.#subject = options.subject;
    this.#mayPutForward = options.mayPutForward;
  }

  /** The role through which a chain may lead to the role of the namespace. */
  get hopArn(): string {
    return this.#aws.roleArn(hopName(this.namespace));
  }

  /** Sessions of 12 h, so that time may be put forward. */
  async create(change: Partial<AWSAssumeRoleSpec> = {}): Promise<void> {
    const spec = { roleName: this.namespace, durationSeconds: 43_200, ...change };
    await this.#ok('POST', this.#objects, { ...objectOf('app', spec), kind: 'AWSAssumeRole' });
  }

  /** Makes object, status and Secret as an older operator left them, with a session that AWS has issued. */
  async leaveBehind(): Promise<void> {
    const clients = new TestClients(this.#aws);
    const role = this.#aws.roleArn(this.namespace);
    const session = keysOf(await clients.assume(this.#keys, role, { DurationSeconds: OLDER_DURATION_SECONDS }));
    clients.destroy();
    const data = {
      awsAccessKeyId: session.accessKeyId,
      awsSecretAccessKey: session.secretAccessKey,
      awsSessionToken: session.sessionToken,
    };
    const get = async () => (await this.find()).object;
    const form = { spec: { roleName: this.namespace }, type: 'Opaque', data };
    await leaveBehind({ ns: this.#ns, get }, 'app', 'labelled', 1, form);
  }

  change(patch: object): Promise<unknown> {
    return this.#ok('PATCH', `${this.#objects}/app`, patch);
  }

  remove(): Promise<unknown> {
    return this.#ok('DELETE', `${this.#objects}/app`);
  }

  askForRefresh(): Promise<unknown> {
    return this.change({ metadata: { annotations: { [annotations.refreshRequestedAt]: 'now' } } });
  }

  changeSecret(patch: object): Promise<unknown> {
    return this.#ok('PATCH', `${this.#secrets}/app`, patch);
  }

  /** Makes a Secret under the name before the object has one. */
  createSecret(labels: Record<string, string>): Promise<unknown> {
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'app', labels } };
    return this.#ok('POST', this.#secrets, { ...secret, stringData: { mine: 'a password' } });
  }

  /** Makes two workloads and gives them as what an object may restart. */
  async createWorkloads(): Promise<RestartTarget[]> {
    const targets: RestartTarget[] = [
      { kind: 'Deployment', name: 'web' },
      { kind: 'StatefulSet', name: 'db' },
    ];
    const path = `/apis/apps/v1/namespaces/${this.namespace}`;
    for (const target of targets) await this.#ok('POST', `${path}/${target.kind.toLowerCase()}s`, workload(target));
    return targets;
  }

  createAccount(name: string): Promise<unknown> {
    const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name } };
    return this.#ok('POST', `/api/v1/namespaces/${this.namespace}/serviceaccounts`, account);
  }

  removeSecret(): Promise<unknown> {
    return this.#ok('DELETE', `${this.#secrets}/app`);
  }

  grant(): Promise<unknown> {
    const spec = { namespaces: { names: [this.namespace] }, roles: ['arn:self:iam::self:role/*'] };
    const type = { apiVersion: 'rolevend.dev/v1alpha1', kind: 'RoleGrant' };
    return this.#ok('POST', GRANTS, { ...type, metadata: { name: this.namespace }, spec });
  }

  /** The role trusts somebody else from now on. */
  closeRole(): Promise<unknown> {
    return this.#aws.updateTrust(this.namespace, trustPrincipals(`arn:aws:iam::${this.#aws.accountId}:user/admin`));
  }

  openRole(): Promise<unknown> {
    return this.#aws.updateTrust(this.namespace, trustPrincipals(this.#keys.arn));
  }

  revoke(): Promise<unknown> {
    return this.#ok('DELETE', `${GRANTS}/${this.namespace}`);
  }

  /** Another operator takes the place of the one that runs. */
  async restart(): Promise<void> {
    await this.#subject.stop();
    await this.#subject.start();
  }

  /** What stands now. */
  async find(): Promise<Found> {
    const answer = await this.#plane.request<AWSAssumeRole>('GET', `${this.#objects}/app`);
    const { items } = await this.#ok<{ items: Secret[] }>('GET', this.#secrets);
    const { gateway } = this.#aws;
    return {
      object: answer.status === 404 ? undefined : expectSuccess(answer, 'app'),
      secrets: items,
      isWhole: (secret) => {
        const registry = textOf(secret)['.dockerconfigjson'];
        if (registry === undefined) return gateway.isOneSession(tripleOf(textOf(secret)));
        return gateway.ecrTokens().some(({ password }) => registry.includes(password));
      },
    };
  }

  /** Waits until it is so. Puts the subject's time forward, an hour at a time, where it does not come by itself. */
  async until(what: string, isSo: (found: Found) => boolean): Promise<Found> {
    let idleSince = Number.POSITIVE_INFINITY;
    return eventually(what, async () => {
      const found = await this.find();
      if (isSo(found)) return found;
      const now = systemClock.monotonic();
      const isIdle = this.#mayPutForward() && (await this.#subject.isIdle());
      idleSince = isIdle ? Math.min(idleSince, now) : Number.POSITIVE_INFINITY;
      if (now - idleSince > PATIENCE_MS) {
        this.#subject.skip?.(HOUR_MS);
        idleSince = now;
      }
      return undefined;
    });
  }

  /** The resource version of now. */
  async version(): Promise<string> {
    const path = `/api/v1/namespaces/${this.namespace}/configmaps?limit=1`;
    return (await this.#ok<{ metadata: { resourceVersion: string } }>('GET', path)).metadata.resourceVersion;
  }

  /** Everything that users may read about the object besides the Secret. */
  async texts(): Promise<Record<string, string>> {
    const { object } = await this.find();
    const events = await this.#ok('GET', `/api/v1/namespaces/${this.namespace}/events`);
    return { object: JSON.stringify(object ?? {}), events: JSON.stringify(events) };
  }

  get #objects(): string {
    return `/apis/pincette.net/v1/namespaces/${this.namespace}/awsassumeroles`;
  }

  get #secrets(): string {
    return `/api/v1/namespaces/${this.namespace}/secrets`;
  }

  async #ok<T>(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: object): Promise<T> {
    return expectSuccess(await this.#plane.request<T>(method, path, body), `${method} ${path}`);
  }
}
