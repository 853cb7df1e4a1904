import type { Clock } from '../clock.ts';
import { gauge, type Metrics, type Series } from '../metrics.ts';
import { type BucketSettings, TokenBucket } from './bucket.ts';
import { hostName } from './hosts.ts';
import { Line, type Order } from './line.ts';
import type { CallerIdentity } from './options.ts';
import { regionLabel } from './regions.ts';

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
  /** Whose identity and Region are the operator's own. Metrics name no others, since users choose those. */
  self(): { caller: Payer | undefined; region: string };
  /** Settings of single operations, such as `AssumeRoleWithWebIdentity`. */
  operations?: Readonly<Record<string, BucketSettings>>;
  /** It is this key's turn at a bucket. Called with no locks held; it may call `claim` itself. */
  onGranted(key: string): void;
}

/** Who signs, as far as it decides on whose limits AWS counts. */
export type Payer = Pick<CallerIdentity, 'accountId' | 'role' | 'arn'>;

/** Name of the bucket of an identity, Region and operation. AWS counts on the caller's account and Region. */
export function bucketName(caller: Payer, region: string, operation: string): string {
  return `${payerName(caller)} ${region} ${operation}`;
}

function payerName({ accountId, role, arn }: Payer): string {
  return `${accountId}/${role ?? arn.split('/').at(-1) ?? ''}`;
}

/** The host that the requests of a bucket go to. */
export function hostOfBucket(name: string): string {
  const [, region = '', operation = ''] = name.split(' ');
  if (operation.startsWith('ecr-public:')) return hostName('ECR Public', region);
  return hostName(operation === 'GetAuthorizationToken' ? 'ECR' : 'STS', region);
}

interface Lane {
  bucket: TokenBucket;
  line: Line;
}

/** A key in a line, and the buckets of which it has a token already. */
interface Waiting {
  name: string;
  held: Set<string>;
}

/** Tokens that lie there for a key, by the names of their buckets. */
interface Grant {
  held: Set<string>;
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
  readonly #waiting = new Map<string, Waiting>();
  /** In the order of their ends. */
  readonly #grants = new Map<string, Grant>();
  #cancelTimer: (() => void) | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#exposeTokens(options.metrics);
  }

  /**
   * True: a token of each of these buckets was taken for this key, make the requests. False: the key waits for one of them
   * and `onGranted` will name it; ask again then, within 30 s, or what it has got is lost. Asking again while waiting
   * updates the order. Name the buckets of which others take last: what is held meanwhile, nobody else has.
   */
  claim(names: readonly string[], key: string, order: Order): boolean {
    const now = this.#clock.monotonic();
    this.#dropStaleGrants(now);
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined && names.includes(waiting.name)) {
      this.#lane(waiting.name).line.add(key, order);
      return false;
    }
    const held = this.#takeOut(key);
    for (const name of held) if (!names.includes(name)) this.refund(name);
    for (const name of names) {
      if (held.has(name)) continue;
      const lane = this.#lane(name);
      if (lane.line.size > 0 || !lane.bucket.take(now)) {
        this.#waiting.set(key, { name, held });
        lane.line.add(key, order);
        this.#arm(now + lane.bucket.waitMs(now));
        return false;
      }
      held.add(name);
    }
    return true;
  }

  /**
   * Forgets a key that waits or has tokens lying, which go back; for objects that are gone or need no request any more.
   */
  cancel(key: string): void {
    for (const name of this.#takeOut(key)) this.refund(name);
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

  /** How many buckets are kept. */
  get size(): number {
    return this.#lanes.size;
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

  /** Forgets a key, and gives the buckets of which it has a token. While it waits for another one they do not end. */
  #takeOut(key: string): Set<string> {
    const waiting = this.#waiting.get(key);
    const held = this.#grants.get(key)?.held ?? waiting?.held ?? new Set();
    this.#grants.delete(key);
    this.#waiting.delete(key);
    if (waiting !== undefined) this.#lane(waiting.name).line.delete(key);
    return held;
  }

  #grant(name: string, lane: Lane, now: number): string {
    const key = lane.line.next() ?? '';
    const held = this.#waiting.get(key)?.held ?? new Set();
    this.#waiting.delete(key);
    this.#grants.set(key, { held: held.add(name), until: now + GRANT_MS });
    return key;
  }

  #dropStaleGrants(now: number): void {
    for (const [key, grant] of this.#grants) {
      if (grant.until >= now) return;
      this.#grants.delete(key);
      for (const name of grant.held) this.refund(name);
    }
  }

  #exposeTokens(metrics: Metrics): void {
    const least = () => this.#leastTokens();
    gauge(metrics, {
      name: 'rolevend_sts_bucket_tokens',
      help: 'Requests that may go out at once, by identity (the own one, or the least of all others), Region and operation',
      labelNames: ['identity', 'region', 'op'],
      collect() {
        this.reset();
        for (const { labels, value } of least()) this.set(labels, value);
      },
    });
  }

  /** The fewest tokens of the buckets that have the same labels. */
  #leastTokens(): Series[] {
    const { caller, region: ownRegion } = this.#options.self();
    const own = caller && payerName(caller);
    const all = new Map<string, Series>();
    for (const [name, lane] of this.#lanes) {
      const [payer = '', region = '', op = ''] = name.split(' ');
      const labels = { identity: payer === own ? payer : 'other', region: regionLabel(region, ownRegion), op };
      const id = Object.values(labels).join(' ');
      const tokens = lane.bucket.tokens(this.#clock.monotonic());
      all.set(id, { labels, value: Math.min(tokens, all.get(id)?.value ?? tokens) });
    }
    return [...all.values()];
  }
}
