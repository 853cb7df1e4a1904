import { type Clock, sleep } from '../clock.ts';
import type { Logger } from '../log.ts';
import type { WatchEvent } from './client.ts';
import type { Attempt, LeaseClient, LeaseLock } from './lease-lock.ts';
import type { Lease } from './lease-record.ts';
import { leases } from './objects.ts';

export interface StandbyOptions {
  client: LeaseClient;
  clock: Clock;
  log: Logger;
  namespace: string;
  name: string;
  lock: LeaseLock;
  /** A pause of the retry period and its jitter, in milliseconds. */
  pauseMs: () => number;
  signal: AbortSignal;
}

type Held = Extract<Attempt, { held: true }>;

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
      if (attempt?.held) return attempt;
      watching ??= watchForRelease(options, alarm, AbortSignal.any([signal, end.signal]));
      if (attempt && attempt.holder !== holder)
        options.log.info({ holder: attempt.holder }, 'standing by, another process leads');
      holder = attempt?.holder ?? holder;
      await alarm.wait(Math.min(options.pauseMs(), attempt?.ms ?? Number.POSITIVE_INFINITY), signal);
    }
    return undefined;
  } finally {
    end.abort();
    await watching;
  }
}

async function tryOnce({ lock, log, signal }: StandbyOptions): Promise<Attempt | undefined> {
  try {
    return await lock.attempt(signal);
  } catch (error) {
    if (!signal.aborted) log.warn({ err: error }, 'cannot get the leader election lease, will try again');
    return undefined;
  }
}

/** Rings when the Lease lost its holder. Its failures do not matter: the standby polls as well. */
async function watchForRelease(options: StandbyOptions, alarm: Alarm, signal: AbortSignal): Promise<void> {
  const { clock, log, pauseMs } = options;
  while (!signal.aborted) {
    try {
      await watchOnce(options, alarm, signal);
      await sleep(clock, pauseMs(), signal);
    } catch (error) {
      if (!signal.aborted) log.debug({ err: error }, 'the watch of the lease ended');
      await sleep(clock, pauseMs(), signal).catch(() => {});
    }
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
