import type { AWSAssumeRole } from '../../api/aws-assume-role.ts';
import { rfc3339 } from '../../clock.ts';
import type { EventRecorder } from '../../kube/events.ts';
import type { Obstacle } from './ask.ts';
import type { Failure } from './backoff.ts';
import type { IssueReason } from './plan.ts';
import type { SessionRecord } from './secret.ts';

/** What users read in `kubectl describe`. Repetitions are held back by the recorder. */
export class Announcer {
  readonly #recorder: EventRecorder;

  constructor(recorder: EventRecorder) {
    this.#recorder = recorder;
  }

  issued(object: AWSAssumeRole, reason: IssueReason, record: SessionRecord, isFirst: boolean): void {
    if (reason === 'Drift' || (reason === 'Missing' && !isFirst)) {
      this.#normal(object, 'DriftRepaired', `the Secret was edited or deleted; it holds a new credential now`);
    }
    const until = `valid until ${rfc3339(record.expiresAt)}`;
    if (isFirst) this.#normal(object, 'Issued', `issued a credential of ${record.assumedRoleArn}, ${until}`);
    else this.#normal(object, 'Refreshed', `replaced the credential (${reason}), ${until}`);
  }

  repaired(object: AWSAssumeRole): void {
    this.#normal(object, 'DriftRepaired', 'labels, annotations or owner of the Secret were put right');
  }

  failed(object: AWSAssumeRole, failure: Failure, isThrottle: boolean): void {
    this.#warn(object, isThrottle ? 'Throttled' : 'RefreshFailed', failure.message);
  }

  /** Nothing could be asked for at all. */
  obstructed(object: AWSAssumeRole, obstacle: Obstacle): void {
    this.#warn(object, obstacle.code === 'GrantDenied' ? 'GrantDenied' : 'RefreshFailed', obstacle.message);
  }

  refused(object: AWSAssumeRole, blocked: { reason: string; message: string }): void {
    this.#warn(object, blocked.reason, blocked.message);
  }

  expired(object: AWSAssumeRole, record: SessionRecord): void {
    this.#warn(object, 'Expired', `the credential ended at ${rfc3339(record.expiresAt)} and could not be replaced`);
  }

  clamped(object: AWSAssumeRole, message: string): void {
    this.#normal(object, 'DurationClamped', message);
  }

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
