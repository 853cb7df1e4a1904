import type { Clock } from '../clock.ts';
import { describeError, framesOf } from '../errors.ts';
import type { Logger } from '../log.ts';
import { Backoff } from './backoff.ts';

/** Something that is good for a while. */
export interface Expiring {
  /** Milliseconds since 1970; absent: until it is refused. */
  expiresAt?: number;
}

export interface RenewalOptions<T extends Expiring> {
  /** Gets a new one. Never called again before the last call has ended. */
  fetch(): Promise<T>;
  clock: Clock;
  log: Logger;
  /** Names what is renewed, in logs. */
  name: string;
  /** A number from 0 up to 1; default `Math.random`. */
  random?: () => number;
}

/** What it takes to try some times before the end: it is renewed so long ahead, or in the last fifth of its life. */
const aheadMs = 300_000;
/** What was refused is not renewed more often than this. What has ended as it comes serves so long: a clock may be wrong. */
const leastIntervalMs = 5_000;
/** After a failure nothing is tried for so long, then longer and longer. */
const backoffMs = { baseMs: 5_000, maxMs: 60_000 };

/**
 * Keeps a credential fresh. The known one serves until its end, while a new one is fetched in the background ahead of that;
 * only who comes when there is none that is valid waits. One fetch at a time.
 */
export class Renewal<T extends Expiring> {
  readonly #options: RenewalOptions<T>;
  readonly #backoff: Backoff;
  #known: T | undefined;
  /** Wall-clock milliseconds since 1970. */
  #renewAt = 0;
  #endsAt = 0;
  #running: Promise<T> | undefined;
  #renewedAt = Number.NEGATIVE_INFINITY;
  /** What every try gets until then (on the steady clock). */
  #failure: { error: unknown; until: number } | undefined;

  constructor(options: RenewalOptions<T>) {
    this.#options = options;
    this.#backoff = new Backoff({ ...backoffMs, ...(options.random && { random: options.random }) });
  }

  /** Throws what `fetch` throws, but only where there is none that is valid. */
  async current(): Promise<T> {
    const now = this.#options.clock.now();
    if (this.#known === undefined || now >= this.#endsAt) return await this.#attempt();
    // Its failure is logged, and serves those who come when the known one has ended.
    if (now >= this.#renewAt) void this.#attempt().catch(() => undefined);
    return this.#known;
  }

  /** Gets a new one although the one at hand has not ended, since it was refused. Throws what `fetch` throws. */
  async renew(): Promise<void> {
    const now = this.#options.clock.monotonic();
    if (this.#running === undefined && now - this.#renewedAt < leastIntervalMs) return;
    this.#renewedAt = now;
    await this.#attempt();
  }

  #attempt(): Promise<T> {
    if (this.#running !== undefined) return this.#running;
    if (this.#failure && this.#options.clock.monotonic() < this.#failure.until) {
      return Promise.reject(this.#failure.error);
    }
    this.#running = this.#fetch().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #fetch(): Promise<T> {
    const { fetch, clock } = this.#options;
    try {
      const fetched = await fetch();
      this.#keep(fetched, clock.now());
      return fetched;
    } catch (error) {
      this.#note(error);
      throw error;
    }
  }

  #keep(fetched: T, now: number): void {
    const life = (fetched.expiresAt ?? Number.POSITIVE_INFINITY) - now;
    this.#known = fetched;
    this.#endsAt = now + (life > 0 ? life : leastIntervalMs);
    this.#renewAt = this.#endsAt - Math.min(aheadMs, Math.max(life, 0) / 5);
    if (this.#failure) this.#options.log.info({ login: this.#options.name }, 'login renewed again');
    this.#failure = undefined;
    this.#backoff.reset();
  }

  /** The first failure of a row is told, the others are no news. */
  #note(error: unknown): void {
    const { clock, log, name } = this.#options;
    const level = this.#failure ? 'debug' : 'warn';
    log[level](
      { login: name, problem: describeError(error), frames: framesOf(error) },
      'login not renewed, the one at hand serves until its end',
    );
    this.#failure = { error, until: clock.monotonic() + this.#backoff.next() };
  }
}
