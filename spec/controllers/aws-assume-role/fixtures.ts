import {
  type AWSAssumeRole,
  type AWSAssumeRoleSpec,
  type AWSAssumeRoleStatus,
  withDefaults,
} from '../../../lib/api/aws-assume-role.ts';
import type { Metadata } from '../../../lib/api/metadata.ts';
import { annotations, legacyLabel, managedLabel } from '../../../lib/api/names.ts';
import { rfc3339 } from '../../../lib/clock.ts';
import type { Failure } from '../../../lib/controllers/aws-assume-role/backoff.ts';
import { type Memory, recall } from '../../../lib/controllers/aws-assume-role/memory.ts';
import type { Pass } from '../../../lib/controllers/aws-assume-role/pass.ts';
import type { Situation } from '../../../lib/controllers/aws-assume-role/plan.ts';
import { type SessionRecord, sessionAnnotations } from '../../../lib/controllers/aws-assume-role/session-record.ts';
import type { IssueRequest } from '../../../lib/credentials/request.ts';
import type { ObjectMeta, OwnerReference } from '../../../lib/kube/objects.ts';

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
/** A time at which nothing special is. */
export const T0 = Date.parse('2026-01-01T00:00:00Z');
/** `T0` plus so many milliseconds, the way it stands in a status. */
export const at = (ms: number) => rfc3339(T0 + ms);

export const defaultRefresh = { percent: 60, jitterPercent: 10, minRemainingSeconds: 420 };

interface RoleChange {
  metadata?: Partial<Metadata>;
  spec?: Partial<AWSAssumeRoleSpec>;
  status?: AWSAssumeRoleStatus;
}

/** An AWSAssumeRole `team/app` of generation 2 with uid `u-app`. */
export function role({ metadata, spec, status }: RoleChange = {}): AWSAssumeRole {
  return {
    apiVersion: 'pincette.net/v1',
    kind: 'AWSAssumeRole',
    metadata: { name: 'app', namespace: 'team', uid: 'u-app', generation: 2, creationTimestamp: at(0), ...metadata },
    spec: { roleName: 'reader', secretName: 'creds', secretType: 'Map', ...spec },
    ...(status && { status }),
  };
}

/** A session of one hour, issued at `T0` for generation 2. */
export function session(change: Partial<SessionRecord> = {}): SessionRecord {
  return {
    issuedAt: T0,
    expiresAt: T0 + HOUR,
    assumedRoleArn: 'arn:aws:sts::111122223333:assumed-role/reader/rolevend-team.app',
    accessKeyId: 'ASIAONE',
    requestId: 'request-ok',
    generation: 2,
    inputHash: 'v1:one',
    ...change,
  };
}

/** A first passing failure of generation 2 at `T0`. */
export function failed(change: Partial<Failure> = {}): Failure {
  return {
    code: 'StsUnreachable',
    message: 'STS gives no answer',
    count: 1,
    lastAttemptAt: T0,
    permanent: false,
    generation: 2,
    ...change,
  };
}

/** The situation right after the issue of `session()`: nothing is to be done. */
export function situation(change: Partial<Situation> = {}): Situation {
  return {
    uid: 'u-app',
    generation: 2,
    now: T0 + SECOND,
    suspended: false,
    secret: 'intact',
    scrubbed: false,
    record: session(),
    inputHash: 'v1:one',
    refresh: defaultRefresh,
    isEcr: false,
    failure: undefined,
    refreshRequest: { wanted: undefined, handled: undefined, tried: undefined, lastAt: undefined },
    repairs: { count: 0, lastAt: undefined },
    settled: undefined,
    ...change,
  };
}

/** An owner reference to an AWSAssumeRole. */
export function reference(uid: string, change: Partial<OwnerReference> = {}): OwnerReference {
  return { apiVersion: 'pincette.net/v1', kind: 'AWSAssumeRole', name: uid.replace(/^u-/, ''), uid, ...change };
}

/** Metadata of the Secret that `role()` owns. */
export function secretMeta(change: Partial<ObjectMeta> = {}): ObjectMeta {
  return {
    name: 'creds',
    namespace: 'team',
    uid: 's-1',
    resourceVersion: '7',
    labels: { [legacyLabel]: 'true', [managedLabel]: 'true' },
    annotations: { [annotations.owner]: 'app', [annotations.ownerUid]: 'u-app' },
    ownerReferences: [reference('u-app', { controller: true })],
    managedFields: [{ manager: 'rolevend' }],
    ...change,
  };
}

/** Metadata of that Secret as this operator writes them. */
export function written(): ObjectMeta {
  const { annotations: own, ...meta } = secretMeta();
  return { ...meta, annotations: { ...own, ...sessionAnnotations(session(), 'sha') } };
}

export const ROLE = 'arn:aws:iam::111122223333:role/reader';
export const granted = { allowed: true, message: 'RoleGrant default' };
/** An object that may ask STS, for a request with this hash. */
export const requested = (inputHash: string): Pass['asked'] => ({
  roleArn: ROLE,
  granted,
  request: { inputHash } as unknown as IssueRequest,
  buckets: ['b'],
});

/** What no grant allows. */
export const denied = {
  roleArn: ROLE,
  granted: { allowed: false, message: 'no grant' },
  obstacle: { code: 'GrantDenied', message: 'no grant', permanent: true },
} as const;
/** What cannot be asked for without an identity. */
export const lost = { obstacle: { code: 'NoIdentity', message: 'none found', permanent: false } } as const;

/** What a test changes of a pass. */
export interface PassChange extends Partial<Omit<Pass, 'memory' | 'spec'>> {
  memory?: Partial<Memory>;
}

/** A pass over an object whose Secret is good and holds `session()`. */
export function passOf({ object = role(), memory, ...change }: PassChange = {}): Pass {
  return {
    key: 'team/app',
    object,
    spec: withDefaults(object.spec),
    seen: { state: 'intact', meta: written(), record: session() },
    asked: requested('v1:one'),
    signal: new AbortController().signal,
    memory: { ...recall(object, T0), ...memory },
    clamps: [],
    durationSeconds: 900,
    ...change,
  };
}
