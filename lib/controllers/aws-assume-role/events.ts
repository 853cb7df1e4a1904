import type { AWSAssumeRole } from '../../api/aws-assume-role.ts';
import { rfc3339 } from '../../clock.ts';
import type { EventRecorder } from '../../kube/events.ts';
import type { Words } from '../../words.ts';
import type { Obstacle } from './ask.ts';
import type { Failure } from './backoff.ts';
import type { Drift } from './drift.ts';
import type { IssueReason } from './plan.ts';
import type { RestartResult } from './restart.ts';
import type { RestartProblem } from './restart-problem.ts';
import { nameOf } from './restart-target.ts';
import type { SessionRecord } from './session-record.ts';

/** What was put right, for people. */
const repairs: Readonly<Record<Drift, string>> = {
  data: 'the Secret was edited; it holds a new credential now',
  missing: 'the Secret was deleted; it holds a new credential now',
  owner: 'the Secret was replaced by one of another owner; it holds a new credential now',
  session: 'the annotations of the Secret were edited; it holds a new credential now',
  metadata: 'labels, annotations or owner of the Secret were put right',
  immutable: 'the Secret was made immutable',
};

/** What is over once a credential was issued. Each refresh is news of its own. */
const overOnceIssued = [
  'Refreshed',
  'RefreshFailed',
  'Throttled',
  'GrantDenied',
  'Expired',
  'Scrubbed',
  'AdoptionRefused',
  'ConflictingSecret',
];

/** What users read in `kubectl describe`. Repetitions are held back by the recorder. */
export class Announcer {
  readonly #recorder: EventRecorder;
  readonly #words: Words;

  constructor(recorder: EventRecorder, words: Words) {
    this.#recorder = recorder;
    this.#words = words;
  }

  /** A credential stands in the Secret. `isRepair`: somebody had changed or deleted the Secret. */
  issued(object: AWSAssumeRole, reason: IssueReason, record: SessionRecord, isRepair: boolean): void {
    if (reason === 'Adopted') {
      const name = object.spec.secretName;
      this.#normal(
        object,
        'Adopted',
        `Secret "${name}", which nobody owned, was taken over and its data were replaced`,
      );
    }
    // A Secret that somebody changes again and again is told ever more rarely.
    if (!isRepair) this.#recorder.over(object, overOnceIssued);
    const life = this.#words.duration(record.expiresAt - record.issuedAt);
    const until = `valid for ${life}, until ${rfc3339(record.expiresAt)}`;
    const isFirst = object.status?.issuedAt === undefined && !isRepair;
    if (isFirst) this.#normal(object, 'Issued', `issued a credential of ${record.assumedRoleArn}, ${until}`);
    else this.#normal(object, 'Refreshed', `replaced the credential (${reason}), ${until}`);
  }

  /** The Secret was not as it was written, and was put right. `count` is how often in a row. */
  repaired(object: AWSAssumeRole, what: Drift, count: number): void {
    const again = `; it is changed again and again (${count} times in a row), so each repair comes later than the one before`;
    this.#normal(object, 'DriftRepaired', repairs[what] + (count > 1 ? again : ''));
  }

  /** The Secret's labels, annotations or owner could not be put right. */
  notRepaired(object: AWSAssumeRole, why: string): void {
    this.#warn(object, 'RepairFailed', `labels, annotations or owner of the Secret could not be put right: ${why}`);
  }

  /** The Secret was made immutable by somebody. */
  immutable(object: AWSAssumeRole): void {
    const name = object.spec.secretName;
    this.#warn(
      object,
      'ImmutableSecret',
      `Secret "${name}" was made immutable; its next refresh replaces it by a new one`,
    );
  }

  /** A Secret of a former name still stands. */
  notRemoved(object: AWSAssumeRole, why: string): void {
    this.#warn(object, 'FormerSecretKept', `the Secret of a former spec.secretName could not be removed: ${why}`);
  }

  /** An attempt failed. */
  failed(object: AWSAssumeRole, failure: Failure, isThrottle: boolean): void {
    this.#warn(object, isThrottle ? 'Throttled' : 'RefreshFailed', failure.message);
  }

  /** Nothing could be asked for at all. */
  obstructed(object: AWSAssumeRole, obstacle: Obstacle): void {
    this.#warn(object, obstacle.code === 'GrantDenied' ? 'GrantDenied' : 'RefreshFailed', obstacle.message);
  }

  /** The Secret belongs to somebody else. */
  refused(object: AWSAssumeRole, blocked: { reason: string; message: string }): void {
    this.#warn(object, blocked.reason, blocked.message);
  }

  /** The credential ended before it could be replaced. */
  expired(object: AWSAssumeRole, record: SessionRecord): void {
    this.#warn(object, 'Expired', `the credential ended at ${rfc3339(record.expiresAt)} and could not be replaced`);
  }

  /** An ended credential was removed from the Secret. */
  scrubbed(object: AWSAssumeRole, record: SessionRecord): void {
    const why = `its credential ended at ${rfc3339(record.expiresAt)}`;
    this.#warn(object, 'Scrubbed', `the data of Secret "${object.spec.secretName}" were removed, since ${why}`);
  }

  /** Workloads were restarted. */
  restarted(object: AWSAssumeRole, { restarted }: RestartResult): void {
    const names = restarted.map(nameOf).join(', ');
    this.#recorder.over(object, ['RolloutRestarted', 'RestartImpaired']);
    this.#normal(object, 'RolloutRestarted', `restarted ${names}, since the Secret holds a new credential`);
  }

  /** Workloads were to be restarted and were not. */
  notRestarted(object: AWSAssumeRole, { message }: RestartProblem): void {
    this.#warn(object, 'RestartImpaired', message);
  }

  /** The session is shorter than asked for. */
  clamped(object: AWSAssumeRole, message: string): void {
    this.#normal(object, 'DurationClamped', message);
  }

  /** A legacy operator still works on the same Secrets. */
  legacyOperator(object: AWSAssumeRole, manager: string): void {
    const advice = 'stop the other operator, or both replace the Secret again and again';
    this.#warn(
      object,
      'LegacyOperatorActive',
      `"${manager}" has written the Secret after it was taken over; ${advice}`,
    );
  }

  #normal(object: AWSAssumeRole, reason: string, message: string): void {
    this.#recorder.record(object, 'Normal', reason, message);
  }

  #warn(object: AWSAssumeRole, reason: string, message: string): void {
    this.#recorder.record(object, 'Warning', reason, message);
  }
}
