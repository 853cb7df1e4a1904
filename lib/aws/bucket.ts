/** Least rate to which throttling brings a bucket, in tokens a second. */
const FLOOR = 1;
/** Gain of a lowered rate for every whole second without a throttled answer, in tokens a second. */
const GAIN = 10;
/** Throttled answers within so many milliseconds count as one. */
const THROTTLE_PAUSE_MS = 1000;
const SECOND_MS = 1000;
/** Fractions of tokens are sums of floats: a token that lacks less than this is there. */
const EPSILON = 1e-6;

export interface BucketSettings {
  /** Tokens a second. */
  rate: number;
  /** Most tokens that an idle bucket holds. */
  burst: number;
}

/**
 * A token bucket that adapts to throttling. All times are milliseconds of a clock that never steps back and are
 * handed in. A throttled answer empties the bucket and halves the rate, at most once a second and not below 1 token
 * a second. While the rate is below its setting the burst is one second of the rate; the rate gains 10 a second for
 * each second without a throttled answer.
 */
export class TokenBucket {
  readonly #settings: BucketSettings;
  readonly #floor: number;
  #rate: number;
  #tokens: number;
  #at: number;
  #gainAt = Number.POSITIVE_INFINITY;
  #halvedAt = Number.NEGATIVE_INFINITY;

  constructor(settings: BucketSettings, now: number) {
    this.#settings = settings;
    this.#floor = Math.min(FLOOR, settings.rate);
    this.#rate = settings.rate;
    this.#tokens = settings.burst;
    this.#at = now;
  }

  /** Whole and part tokens at `now`; below 0 after `charge`. */
  tokens(now: number): number {
    this.#advance(now);
    return this.#tokens;
  }

  /** Tokens a second at `now`. */
  rate(now: number): number {
    this.#advance(now);
    return this.#rate;
  }

  /** Whether it is as good as a new one. */
  isFull(now: number): boolean {
    return this.tokens(now) >= this.#settings.burst && this.#rate >= this.#settings.rate;
  }

  /** Takes one token, if there is one. */
  take(now: number): boolean {
    this.#advance(now);
    if (this.#tokens < 1 - EPSILON) return false;
    this.#tokens = Math.max(0, this.#tokens - 1);
    return true;
  }

  /** Books a request that cannot wait; the bucket may go into debt, which later requests pay by waiting. */
  charge(now: number): void {
    this.#advance(now);
    this.#tokens -= 1;
  }

  /** Takes a token back. */
  refund(now: number): void {
    this.#advance(now);
    this.#tokens = Math.min(this.#settings.burst, this.#tokens + 1);
  }

  /** Milliseconds until a token is there at the present rate, 0 when one is. The rate may grow meanwhile. */
  waitMs(now: number): number {
    this.#advance(now);
    const missing = 1 - EPSILON - this.#tokens;
    return missing <= 0 ? 0 : Math.ceil((missing / this.#rate) * SECOND_MS);
  }

  /** The service asked for fewer requests. */
  throttled(now: number): void {
    this.#advance(now);
    this.#gainAt = now + SECOND_MS;
    if (now - this.#halvedAt < THROTTLE_PAUSE_MS) return;
    this.#halvedAt = now;
    this.#rate = Math.max(this.#floor, this.#rate / 2);
    this.#tokens = Math.min(0, this.#tokens);
  }

  /** Brings tokens and rate to `now`, second by second while the rate still grows. */
  #advance(now: number): void {
    while (this.#rate < this.#settings.rate && this.#gainAt <= now) {
      this.#fill(this.#gainAt);
      this.#rate = Math.min(this.#settings.rate, this.#rate + GAIN);
      this.#gainAt += SECOND_MS;
    }
    this.#fill(now);
  }

  #fill(now: number): void {
    const lowered = this.#rate < this.#settings.rate;
    const most = lowered ? Math.max(1, Math.min(this.#settings.burst, this.#rate)) : this.#settings.burst;
    const gained = (Math.max(0, now - this.#at) / SECOND_MS) * this.#rate;
    this.#tokens = Math.min(most, this.#tokens + gained);
    this.#at = Math.max(this.#at, now);
  }
}
