import type { AWSAssumeRole } from '../../api/aws-assume-role.ts';
import { type Counter, counter, type Gauge, gauge, type Histogram, histogram, type Metrics } from '../../metrics.ts';
import type { SessionRecord } from './session-record.ts';

/** The figures of this controller. */
export class VendingMetrics {
  readonly #expiry: Gauge<string>;
  readonly #issued: Gauge<string>;
  readonly #packed: Gauge<string>;
  readonly #overdue: Gauge<string>;
  readonly #refreshes: Counter<string>;
  readonly #duration: Histogram<string>;
  readonly #drift: Counter<string>;
  readonly #perObject: boolean;

  /** `perObject` false leaves out the series that exist once per AWSAssumeRole. */
  constructor(metrics: Metrics, perObject: boolean) {
    const labelNames = ['namespace', 'name'];
    const series = (name: string, help: string) => gauge(metrics, { name: `rolevend_${name}`, help, labelNames });
    this.#perObject = perObject;
    this.#expiry = series('credential_expiry_timestamp_seconds', 'When what the Secret holds expires.');
    this.#issued = series('credential_issued_timestamp_seconds', 'When what the Secret holds was issued.');
    this.#packed = series('packed_policy_size_percent', 'Use of the space for session policies and tags.');
    this.#overdue = series('refresh_overdue_seconds', 'How far a refresh is behind its due time.');
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
      help: 'Repairs of Secrets by what was wrong (data, missing, metadata).',
      labelNames: ['what'],
    });
  }

  refreshed(result: 'success' | 'failure', reason: string, seconds?: number): void {
    this.#refreshes.inc({ result, reason });
    if (seconds !== undefined) this.#duration.observe(seconds);
  }

  drifted(what: 'data' | 'missing' | 'metadata'): void {
    this.#drift.inc({ what });
  }

  /** `overdueMs` is how far `now` is behind the due time, at least 0. */
  observe(object: AWSAssumeRole, record: SessionRecord | undefined, overdueMs: number): void {
    if (!this.#perObject || record === undefined) return;
    const labels = labelsOf(object.metadata.namespace, object.metadata.name);
    this.#expiry.set(labels, record.expiresAt / 1000);
    this.#issued.set(labels, record.issuedAt / 1000);
    this.#overdue.set(labels, overdueMs / 1000);
    if (record.packedPolicySizePercent !== undefined) this.#packed.set(labels, record.packedPolicySizePercent);
  }

  /** The series of an object end with it. */
  forget(namespace: string | undefined, name: string): void {
    const labels = labelsOf(namespace, name);
    for (const series of [this.#expiry, this.#issued, this.#overdue, this.#packed]) series.remove(labels);
  }
}

function labelsOf(namespace: string | undefined, name: string) {
  return { namespace: namespace ?? '', name };
}
