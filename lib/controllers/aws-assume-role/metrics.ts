import type { AWSAssumeRole } from '../../api/aws-assume-role.ts';
import { keyOf } from '../../kube/objects.ts';
import {
  addComputedGauge,
  type Counter,
  counter,
  type Histogram,
  histogram,
  type Metrics,
  type Series,
} from '../../metrics.ts';
import type { Drift } from './drift.ts';
import type { SessionRecord } from './session-record.ts';

/** What the series of one object tell. Times are milliseconds since 1970. */
interface Told {
  labels: Record<'namespace' | 'name', string>;
  expiresAt: number;
  issuedAt: number;
  overdueMs: number;
  packedPolicySizePercent: number | undefined;
}

/** The figures of this controller. */
export class VendingMetrics {
  /** By namespace and name. */
  readonly #told = new Map<string, Told>();
  readonly #refreshes: Counter<string>;
  readonly #duration: Histogram<string>;
  readonly #drift: Counter<string>;
  readonly #perObject: boolean;

  /** `perObject` false leaves out the series that exist once per AWSAssumeRole. */
  constructor(metrics: Metrics, perObject: boolean) {
    const labelNames = ['namespace', 'name'];
    const series = (name: string, help: string, value: (told: Told) => number | undefined) =>
      addComputedGauge(metrics, { name: `rolevend_${name}`, help, labelNames }, () => this.#series(value));
    this.#perObject = perObject;
    series(
      'credential_expiry_timestamp_seconds',
      'When what the Secret holds expires.',
      ({ expiresAt }) => expiresAt / 1000,
    );
    series(
      'credential_issued_timestamp_seconds',
      'When what the Secret holds was issued.',
      ({ issuedAt }) => issuedAt / 1000,
    );
    series(
      'packed_policy_size_percent',
      'Use of the space for session policies and tags.',
      ({ packedPolicySizePercent }) => packedPolicySizePercent,
    );
    series('refresh_overdue_seconds', 'How far a refresh is behind its due time.', ({ overdueMs }) => overdueMs / 1000);
    this.#refreshes = counter(metrics, {
      name: 'rolevend_refresh_total',
      help: 'Issues and refreshes by result (success, failure) and reason.',
      labelNames: ['result', 'reason'],
    });
    this.#duration = histogram(metrics, {
      name: 'rolevend_refresh_duration_seconds',
      help: 'Time of a refresh from the call to the written Secret.',
      buckets: [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30],
    });
    this.#drift = counter(metrics, {
      name: 'rolevend_drift_total',
      help: 'Secrets that were not as written, by what was wrong (data, missing, owner, session, metadata, immutable).',
      labelNames: ['what'],
    });
  }

  refreshed(result: 'success' | 'failure', reason: string, seconds?: number): void {
    this.#refreshes.inc({ result, reason });
    if (seconds !== undefined) this.#duration.observe(seconds);
  }

  drifted(what: Drift): void {
    this.#drift.inc({ what });
  }

  /** `overdueMs` is how far `now` is behind the due time, at least 0. */
  observe(object: AWSAssumeRole, record: SessionRecord | undefined, overdueMs: number): void {
    if (!this.#perObject || record === undefined) return;
    const labels = { namespace: object.metadata.namespace ?? '', name: object.metadata.name };
    const { expiresAt, issuedAt, packedPolicySizePercent } = record;
    this.#told.set(keyOf(object), { labels, expiresAt, issuedAt, overdueMs, packedPolicySizePercent });
  }

  /** The series of an object end with it. */
  forget(namespace: string | undefined, name: string): void {
    this.#told.delete(keyOf({ namespace, name }));
  }

  #series(pick: (told: Told) => number | undefined): Series[] {
    return [...this.#told.values()].flatMap((told) => {
      const value = pick(told);
      return value === undefined ? [] : [{ labels: told.labels, value }];
    });
  }
}
