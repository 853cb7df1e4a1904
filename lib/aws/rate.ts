import type { Clock } from '../clock.ts';
import { gauge, type Metrics } from '../metrics.ts';
import { type BucketSettings, TokenBucket } from './bucket.ts';
import { Line, type Order } from './line.ts';
import type { CallerIdentity } from './options.ts';

export type { Order } from './line.ts';

/** With so many lanes, those that nobody uses are forgotten before another one is made. */
const MAX_IDLE_LANES = 128;
/** How long a key may leave its token lying, in milliseconds. */
const GRANT_MS = 30_000;

export interface AdmissionOptions {
  clock: Clock;
  metrics: Metrics;
  /** Requests a second of each bucket. Default 200. */
  qps?: number;
  /** Most requests at once after a pause. Default 500. */
  burst?: number;
  /** Settings of single operations, such as `AssumeRoleWithWebIdentity`. */
  operations?: Readonly<Record<string, BucketSettings>>;
  /** A token is there for this key. Called with no locks held; it may call `claim` itself. */
  onGranted(key: string): void;
}

/** Name of the bucket of a base identity, Region and operation. AWS counts on the caller's account and Region. */
export function bucketName(
  caller: Pick<CallerIdentity, 'accountId' | 'role' | 'arn'>,
  region: string,
  operation: string,
): string {
  return `${caller.accountId}/${caller.role ?? caller.arn.split('/').at(-1) ?? ''} ${region} ${operation}`;
}

interface Lane {
  bucket: TokenBucket;
  line: Line;
}

interface Grant {
  name: string;
  until: number;
}

/**
 * Rations requests to AWS. Work asks with `claim` and, where no token is there, ends its pass; it holds no worker
 * while it waits. One timer serves all buckets.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #clock: Clock;
  readonly #lanes = new Map<string, Lane>();
  readonly #waiting = new Map<string, string>();
  readonly #grants = new Map<string, Grant>();
  #cancelTimer: (() => void) | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#exposeTokens(options.metrics);
  }

  /**
   * True: a token was taken for this key, make the request. False: the key waits and `onGranted` will name it; its
   * token then stands for 30 s, and the next `claim` gives true. Asking again while waiting updates the order.
   */
  claim(name: string, key: string, order: Order): boolean {
    const now = this.#clock.monotonic();
    const grant = this.#grants.get(key);
    this.#grants.delete(key);
    if (grant?.name === name && grant.until >= now) return true;
    const lane = this.#lane(name);
    if (this.#waiting.get(key) !== name) this.cancel(key);
    if (lane.line.size === 0 && lane.bucket.take(now)) return true;
    this.#waiting.set(key, name);
    lane.line.add(key, order);
    this.#arm(now + lane.bucket.waitMs(now));
    return false;
  }

  /** Forgets a key that waits or has a token lying; for objects that are gone or need no request any more. */
  cancel(key: string): void {
    this.#grants.delete(key);
    const name = this.#waiting.get(key);
    if (name === undefined) return;
    this.#waiting.delete(key);
    this.#lane(name).line.delete(key);
  }

  /** Milliseconds until a bucket has a token, 0 when it has one. For requests that follow another one of the same pass. */
  waitMs(name: string): number {
    return this.#lane(name).bucket.waitMs(this.#clock.monotonic());
  }

  /** Books a second request of a pass that already has its token; the bucket may go into debt. */
  charge(name: string): void {
    this.#lane(name).bucket.charge(this.#clock.monotonic());
  }

  /** Gives a token back with which no request was made. */
  refund(name: string): void {
    this.#lane(name).bucket.refund(this.#clock.monotonic());
  }

  /** AWS asked for fewer requests. Waiting keys get their tokens at the new rate. */
  throttled(name: string): void {
    this.#lane(name).bucket.throttled(this.#clock.monotonic());
  }

  /** Tokens of a bucket at this moment. */
  tokens(name: string): number {
    return this.#lane(name).bucket.tokens(this.#clock.monotonic());
  }

  /** How many keys wait. */
  waiting(): number {
    return this.#waiting.size;
  }

  /** Stops the timer; nothing is granted any more. */
  close(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#timerAt = Number.NEGATIVE_INFINITY;
  }

  #lane(name: string): Lane {
    const known = this.#lanes.get(name);
    if (known !== undefined) return known;
    const { qps: rate = 200, burst = 500, operations } = this.#options;
    const settings = operations?.[name.split(' ').at(-1) ?? ''] ?? { rate, burst };
    if (this.#lanes.size >= MAX_IDLE_LANES) this.#dropIdleLanes();
    const lane = { bucket: new TokenBucket(settings, this.#clock.monotonic()), line: new Line() };
    this.#lanes.set(name, lane);
    return lane;
  }

  /** Objects choose accounts and Regions, so lanes must not add up for ever. An idle one is as good as a new one. */
  #dropIdleLanes(): void {
    const now = this.#clock.monotonic();
    for (const [name, { bucket, line }] of this.#lanes) {
      if (line.size === 0 && bucket.isFull(now)) this.#lanes.delete(name);
    }
  }

  #arm(at: number): void {
    if (at >= this.#timerAt) return;
    this.#cancelTimer?.();
    this.#timerAt = at;
    this.#cancelTimer = this.#clock.after(at - this.#clock.monotonic(), () => this.#pump());
  }

  #pump(): void {
    this.#timerAt = Number.POSITIVE_INFINITY;
    const now = this.#clock.monotonic();
    this.#dropStaleGrants(now);
    const granted: string[] = [];
    for (const [name, lane] of this.#lanes) {
      while (lane.line.size > 0 && lane.bucket.take(now)) granted.push(this.#grant(name, lane, now));
      if (lane.line.size > 0) this.#arm(now + Math.max(1, lane.bucket.waitMs(now)));
    }
    for (const key of granted) this.#options.onGranted(key);
  }

  #grant(name: string, lane: Lane, now: number): string {
    const key = lane.line.next() ?? '';
    this.#waiting.delete(key);
    this.#grants.set(key, { name, until: now + GRANT_MS });
    return key;
  }

  /** Grants stand in the order of their ends. */
  #dropStaleGrants(now: number): void {
    for (const [key, grant] of this.#grants) {
      if (grant.until >= now) return;
      this.#grants.delete(key);
    }
  }

  #exposeTokens(metrics: Metrics): void {
    const lanes = this.#lanes;
    const clock = this.#clock;
    gauge(metrics, {
      name: 'rolevend_sts_bucket_tokens',
      help: 'Requests that may go out at once, by base identity, Region and operation',
      labelNames: ['identity', 'region', 'op'],
      collect() {
        this.reset();
        for (const [name, lane] of lanes) {
          const [identity = '', region = '', op = ''] = name.split(' ');
          this.set({ identity, region, op }, lane.bucket.tokens(clock.monotonic()));
        }
      },
    });
  }
}
