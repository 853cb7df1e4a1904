import type { Clock } from '../clock.ts';
import { BoundedMap } from './bounded-map.ts';

/** Pause before a host that did not answer is asked again; it doubles with each further failure, less up to a half of it. */
const FIRST_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 30_000;
/** Users name Regions, and so hosts. One that is forgotten counts as never asked. */
const MOST_HOSTS = 512;

/** What is told of a host that does not answer. */
export interface HostProblem {
  code: string;
  message: string;
}

/** What is known of a host. Times are milliseconds of the steady clock. */
export interface HostState {
  /** Whether its last call got an answer, of whatever kind. */
  isProven: boolean;
  /** Before this time it is not asked. */
  retryAt: number;
  /** Why it is not proven: what its first failed call told. Undefined also for a host that was never asked. */
  problem?: HostProblem;
}

interface Known extends HostState {
  /** Failed calls in a row. */
  failures: number;
  newsAt: number;
}

const unknown: HostState = { isProven: false, retryAt: Number.NEGATIVE_INFINITY };

/** The service of a Region, which has one host: the settings that decide on it are the operator's. */
export function hostName(service: 'STS' | 'ECR' | 'ECR Public', region: string): string {
  return `${service} ${region}`;
}

/** Which hosts of AWS answer. Any answer proves a host; a call without one speaks against it until the next answer. */
export class Hosts {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #known = new BoundedMap<string, Known>(MOST_HOSTS);
  readonly #listeners = new Set<(host: string, isProven: boolean) => void>();

  /** `random` draws the jitter, in [0, 1). Default: Math.random. */
  constructor(options: { clock: Clock; random?: () => number }) {
    this.#clock = options.clock;
    this.#random = options.random ?? Math.random;
  }

  look(host: string): HostState {
    return this.#known.get(host) ?? unknown;
  }

  /** An answer has come. */
  answered(host: string): void {
    const before = this.#known.get(host);
    const newsAt = this.#clock.monotonic();
    this.#known.set(host, { isProven: true, retryAt: unknown.retryAt, failures: 0, newsAt });
    if (before?.isProven !== true) this.#tell(host, true);
  }

  /**
   * A call that began at `since` has ended without an answer. One that began before the last news came says nothing new:
   * of many that fail together the first counts.
   */
  failed(host: string, since: number, problem: HostProblem): void {
    const before = this.#known.get(host);
    const newsAt = this.#clock.monotonic();
    if (before !== undefined && since < before.newsAt) return;
    const failures = (before?.failures ?? 0) + 1;
    const pause = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures - 1, 16));
    const retryAt = newsAt + pause * (0.5 + this.#random() / 2);
    this.#known.set(host, { isProven: false, retryAt, failures, newsAt, problem: before?.problem ?? problem });
    if (before?.problem === undefined) this.#tell(host, false);
  }

  /** Calls `run` when a host answers that did not before, or the first time when one does not answer. */
  onNews(run: (host: string, isProven: boolean) => void): () => void {
    this.#listeners.add(run);
    return () => this.#listeners.delete(run);
  }

  #tell(host: string, isProven: boolean): void {
    for (const run of this.#listeners) run(host, isProven);
  }
}
