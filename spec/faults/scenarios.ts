import type { AWSAssumeRole } from '../../lib/api/aws-assume-role.ts';
import { findCondition } from '../../lib/api/conditions.ts';
import { annotations, managedLabel } from '../../lib/api/names.ts';
import type { Secret } from '../../lib/controllers/aws-assume-role/secret.ts';
import type { Site } from './site.ts';

/** What a user would find in the namespace. */
export interface Found {
  object: AWSAssumeRole | undefined;
  secrets: Secret[];
  /** Whether a Secret holds what AWS issued as one. */
  isWhole(secret: Secret): boolean;
}

/** Something that users do, in front of an operator. */
export interface Scenario {
  /** As a half sentence. */
  what: string;
  /** The fault meets the operator from its start on. Otherwise it meets one that has vended the object already. */
  fromStart?: boolean;
  /** Several replicas would be there: it works under a Lease. */
  leaderElect?: boolean;
  /** The only resource that is interesting, apart from kills; another scenario has the rest. Default: all are. */
  about?: string;
  /** The resource whose requests depend on who is faster, the garbage collector or the operator: a fault may meet none. */
  racy?: string;
  /** Seconds that the first session lives, default as long as it was asked for. */
  firstSessionSeconds?: number;
  /** AWS denies what is asked for until a session has ended, so that a Secret may be emptied or stand with what has ended. */
  isDenied?: boolean;
  /** Before the operator starts. */
  prepare?(site: Site): Promise<unknown>;
  /** Resolves as soon as it is done, whether the operator has followed or not. */
  act(site: Site): Promise<unknown>;
  /** Whether the operator has done what was to be done. */
  isReached(found: Found): boolean;
}

/** That the role of a site trusts besides the operator. */
export const SERVICE_ACCOUNT = 'app';
const ecrHost = '111122223333.dkr.ecr.eu-central-1.amazonaws.com';

/** Everything that happens in the life of an object. */
export const scenarios = {
  create: {
    what: 'an object is created',
    fromStart: true,
    act: (site) => site.create(),
    isReached: isVended('app'),
  },
  lead: {
    what: 'an object is created, and the operator works under a Lease',
    fromStart: true,
    leaderElect: true,
    about: 'leases',
    act: (site) => site.create(),
    isReached: isVended('app'),
  },
  adopt: {
    what: 'an object takes a Secret over that nobody owns',
    fromStart: true,
    async act(site) {
      await site.createSecret({ team: 'a' });
      await site.create({ adoption: 'IfUnowned' });
    },
    isReached: (found) => isVended('app')(found) && found.secrets[0]?.metadata.labels?.['team'] === 'a',
  },
  legacy: {
    what: 'an older operator left an object and a Secret that is still good',
    fromStart: true,
    prepare: (site) => site.leaveBehind(),
    async act() {},
    isReached: isVended('app'),
  },
  account: {
    what: 'an object is created whose identity is a ServiceAccount',
    fromStart: true,
    prepare: (site) => site.createAccount(SERVICE_ACCOUNT),
    act: (site) => site.create({ auth: { type: 'ServiceAccount', serviceAccountRef: { name: SERVICE_ACCOUNT } } }),
    isReached: isVended('app'),
  },
  chain: {
    what: 'an object is created whose role is reached through another one',
    fromStart: true,
    act: (site) => site.create({ chain: [{ roleArn: site.hopArn }], durationSeconds: 3600 }),
    isReached: isVended('app'),
  },
  restart: {
    what: 'the operator is replaced by another one',
    act: (site) => site.restart(),
    isReached: isVended('app'),
  },
  rotate: {
    what: 'a session comes to its end',
    firstSessionSeconds: 110,
    async act() {},
    isReached: (found) => isVended('app')(found) && lifeMs(found) > 120_000,
  },
  scrub: {
    what: 'a session ends while the role does not trust the operator, and is taken out until it does again',
    firstSessionSeconds: 40,
    isDenied: true,
    async act(site) {
      await site.closeRole();
      await site.change({ spec: { onExpiry: 'Scrub' } });
      await site.until('Scrubbed', ({ object }) => reasonOf(object, 'Scrubbed') !== undefined);
      await site.openRole();
      await site.askForRefresh();
    },
    isReached: (found) => isVended('app')(found) && lifeMs(found) > 120_000,
  },
  refresh: {
    what: 'a refresh is asked for',
    act: (site) => site.askForRefresh(),
    isReached: (found) => isVended('app')(found) && found.object?.status?.lastHandledRefreshRequest === 'now',
  },
  rollout: {
    what: 'a new session restarts workloads',
    async act(site) {
      const targets = await site.createWorkloads();
      const asked = { annotations: { [annotations.refreshRequestedAt]: 'now' } };
      await site.change({ metadata: asked, spec: { rolloutRestart: { targets, minInterval: '1m' } } });
    },
    isReached: (found) => isVended('app')(found) && isRestarted(found),
  },
  respec: {
    what: 'the duration is changed',
    act: (site) => site.change({ spec: { durationSeconds: 1800 } }),
    isReached: (found) => isVended('app')(found) && found.object?.status?.effectiveDurationSeconds === 1800,
  },
  retype: {
    what: 'the type of the Secret is changed',
    act: (site) => site.change({ spec: { secretType: 'EcrDockerConfigJson', ecrRepositoryUrl: ecrHost } }),
    isReached: (found) => isVended('app')(found) && found.secrets[0]?.type === 'kubernetes.io/dockerconfigjson',
  },
  rename: {
    what: 'the name of the Secret is changed',
    act: (site) => site.change({ spec: { secretName: 'other' } }),
    isReached: isVended('other'),
  },
  retain: {
    what: 'the Secret is to outlive its object',
    act: (site) => site.change({ spec: { deletionPolicy: 'Retain' } }),
    isReached: (found) => isVended('app')(found) && found.secrets[0]?.metadata.ownerReferences === undefined,
  },
  drift: {
    what: 'somebody edits the data of the Secret',
    act: (site) => site.changeSecret({ stringData: { awsSecretAccessKey: 'edited' } }),
    isReached: isVended('app'),
  },
  strip: {
    what: 'somebody takes the label from the Secret',
    act: (site) => site.changeSecret({ metadata: { labels: { [managedLabel]: null } } }),
    isReached: (found) => isVended('app')(found) && found.secrets[0]?.metadata.labels?.[managedLabel] === 'true',
  },
  missing: {
    what: 'somebody deletes the Secret',
    act: (site) => site.removeSecret(),
    isReached: isVended('app'),
  },
  suspend: {
    what: 'the object is suspended and goes on',
    async act(site) {
      await site.change({ spec: { suspend: true } });
      await site.until('Suspended', ({ object }) => reasonOf(object, 'Suspended') !== undefined);
      await site.change({ spec: { suspend: null } });
    },
    isReached: (found) => isVended('app')(found) && reasonOf(found.object, 'Suspended') === undefined,
  },
  revoke: {
    what: 'the grant is taken away and given back',
    async act(site) {
      await site.revoke();
      await site.until('GrantDenied', ({ object }) => reasonOf(object, 'Granted') === 'GrantDenied');
      await site.grant();
    },
    isReached: (found) => isVended('app')(found) && reasonOf(found.object, 'Granted') === 'Granted',
  },
  remove: {
    what: 'the object is deleted',
    act: (site) => site.remove(),
    isReached: ({ object, secrets }) => object === undefined && secrets.length === 0,
  },
  revive: {
    what: 'the object is deleted and made anew at once',
    racy: 'secrets',
    async act(site) {
      await site.remove();
      await site.create();
    },
    isReached: isVended('app'),
  },
} satisfies Readonly<Record<string, Scenario>>;

export type ScenarioName = keyof typeof scenarios;

/** The scenario of this name, with what the table leaves out. */
export function scenarioOf(name: ScenarioName): Scenario {
  return scenarios[name];
}

/** The object is Ready as it stands, and the one Secret is whole, its own and the one that the status tells. */
export function isVended(name: string): (found: Found) => boolean {
  return ({ object, secrets, isWhole }) => {
    const [secret, ...others] = secrets;
    if (object === undefined || secret === undefined || others.length > 0) return false;
    const { status = {}, metadata } = object;
    const isReady = findCondition(status.conditions, 'Ready')?.status === 'True';
    const isNamed = secret.metadata.name === name && status.secretRef?.name === name;
    const isTold = status.secretRef?.resourceVersion === secret.metadata.resourceVersion;
    const isOwned = secret.metadata.annotations?.[annotations.ownerUid] === metadata.uid;
    const isSeen = status.observedGeneration === metadata.generation;
    return isReady && isNamed && isTold && isOwned && isSeen && isWhole(secret);
  };
}

/** Workloads were restarted for the data that the Secret holds. */
function isRestarted({ object, secrets }: Found): boolean {
  const digest = secrets[0]?.metadata.annotations?.[annotations.dataSha256];
  const isDone = object?.status?.lastRestartDigest === digest && reasonOf(object, 'RestartImpaired') === undefined;
  return digest !== undefined && isDone;
}

function reasonOf(object: AWSAssumeRole | undefined, type: string): string | undefined {
  return findCondition(object?.status?.conditions, type)?.reason;
}

function lifeMs({ object }: Found): number {
  const { issuedAt = '', expiresAt = '' } = object?.status ?? {};
  return Date.parse(expiresAt) - Date.parse(issuedAt);
}
