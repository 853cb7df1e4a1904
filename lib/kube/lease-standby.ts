import { type Clock, sleep } from '../clock.ts';
import type { Logger } from '../log.ts';
import type { WatchEvent } from './client.ts';
import type { Attempt, LeaseClient, LeaseLock } from './lease-lock.ts';
import type { Lease } from './lease-record.ts';
import { leases } from './objects.ts';
import { retryAfterOf } from './retry-after.ts';

export interface StandbyOptions {
  client: LeaseClient;
  clock: Clock;
  log: Logger;
  namespace: string;
  name: string;
  lock: LeaseLock;
  /** A pause of the retry period and its jitter, in milliseconds. */
  pauseMs: () => number;
  /** A server that refuses is left alone for as long as it asks, but not for longer than this. */
  leaseDurationMs: number;
  signal: AbortSignal;
}

type Held = Extract<Attempt, { held: true }>;
/** What the server asked for when it refused an attempt, in milliseconds. */
type Refused = { held: undefined; askedMs: number };

/**
 * Waits for the Lease: looks at it every retry period, when the holder's term ends, and as soon as a watch shows that it
 * was released or deleted. Undefined when the signal aborted first.
 */
export async function standBy(options: StandbyOptions): Promise<Held | undefined> {
  const { signal } = options;
  const alarm = new Alarm(options.clock);
  const end = new AbortController();
  let watching: Promise<void> | undefined;
  let holder: string | undefined;
  try {
    while (!signal.aborted) {
      const attempt = await tryOnce(options);
      if (attempt.held) return attempt;
      watching ??= watchForRelease(options, alarm, AbortSignal.any([signal, end.signal]));
      if (attempt.held === undefined) {
        await alarm.wait(longerPause(options, attempt.askedMs), signal);
        continue;
      }
      if (attempt.holder !== holder) options.log.info({ holder: attempt.holder }, 'standing by, another process leads');
      holder = attempt.holder;
      await alarm.wait(Math.min(options.pauseMs(), attempt.ms), signal);
    }
    return undefined;
  } finally {
    end.abort();
    await watching;
  }
}

function longerPause({ pauseMs, leaseDurationMs }: StandbyOptions, askedMs: number): number {
  return Math.max(pauseMs(), Math.min(askedMs, leaseDurationMs));
}

async function tryOnce({ lock, log, signal }: StandbyOptions): Promise<Attempt | Refused> {
  try {
    return await lock.attempt(signal);
  } catch (error) {
    if (!signal.aborted) log.warn({ err: error }, 'cannot get the leader election lease, will try again');
    return { held: undefined, askedMs: retryAfterOf(error) };
  }
}

/** Rings when the Lease lost its holder. Its failures do not matter: the standby polls as well. */
async function watchForRelease(options: StandbyOptions, alarm: Alarm, signal: AbortSignal): Promise<void> {
  const { clock, log } = options;
  while (!signal.aborted) {
    let askedMs = 0;
    await watchOnce(options, alarm, signal).catch((error: unknown) => {
      askedMs = retryAfterOf(error);
      if (!signal.aborted) log.debug({ err: error }, 'the watch of the lease ended');
    });
    await sleep(clock, longerPause(options, askedMs), signal).catch(() => {});
  }
}

async function watchOnce(
  { client, namespace, name, lock }: StandbyOptions,
  alarm: Alarm,
  signal: AbortSignal,
): Promise<void> {
  const { resourceVersion } = lock;
  if (resourceVersion === undefined || client.watch === undefined) return;
  const onEvent = ({ type, object }: WatchEvent<Lease>) => {
    if (type === 'BOOKMARK' || object.metadata.name !== name) return;
    if (type === 'DELETED' || !object.spec?.holderIdentity) alarm.ring();
  };
  await client.watch<Lease>(leases, {
    namespace,
    fieldSelector: `metadata.name=${name}`,
    resourceVersion,
    signal,
    timeoutSeconds: 300,
    idleMs: 75_000,
    onEvent,
  });
}

/** A pause that can be cut short; a ring that nobody waited for cuts the next one. */
class Alarm {
  readonly #clock: Clock;
  #rung = false;
  #wake = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  ring(): void {
    this.#rung = true;
    this.#wake();
  }

  /** Resolves after `ms` milliseconds, at a ring, or when the signal aborts. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    const cut = new AbortController();
    const wake = () => cut.abort();
    this.#wake = wake;
    if (this.#rung || signal.aborted) wake();
    signal.addEventListener('abort', wake, { once: true });
    await sleep(this.#clock, ms, cut.signal).catch(() => {});
    signal.removeEventListener('abort', wake);
    this.#rung = false;
    this.#wake = () => {};
  }
}
