import { sleep, systemClock } from '../../lib/clock.ts';

const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 200;
/** How much of what was seen last is shown. */
const SHOWN_CHARACTERS = 2_000;

/**
 * How long a test waits for anything, in milliseconds: many times what it takes on a machine that is busy with other work, so
 * that only what hangs gets there. Jest's own limit (`testTimeout` in package.json) is longer, so that the message of
 * `eventually` is the one that is shown.
 */
export const HANG_LIMIT_MS = 300_000;

/** Ends what would wait for ever, at `HANG_LIMIT_MS` from now. */
export function hangSignal(): AbortSignal {
  return AbortSignal.timeout(HANG_LIMIT_MS);
}

/** Notes what a probe has found, to be shown where the wait ends in vain, and gives it back. */
export type Saw = <T>(found: T) => T;

/**
 * Asks `probe` again and again until it gives something truthy, and returns that.
 * A probe that throws or gives something falsy means "not yet". The state that decides goes through `saw`:
 *
 *     await eventually('two calls', (saw) => saw(calls()).length === 2);
 *
 * @param what what is waited for, a half sentence that completes "waited 300 s for …"
 * @param limitMs the longest wait in milliseconds; a single probe that hangs is cut off there too. Only tests of `eventually`
 *   itself have a reason to give another one than `HANG_LIMIT_MS`
 * @throws Error after `limitMs`, which names `what`, the last failure, and what was seen last
 */
export async function eventually<T>(
  what: string,
  probe: (saw: Saw) => Promise<T> | T,
  limitMs = HANG_LIMIT_MS,
): Promise<NonNullable<T>> {
  const end = systemClock.monotonic() + limitMs;
  const seen: unknown[] = [];
  const saw: Saw = (found) => {
    seen[0] = found;
    return found;
  };
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 1.5, LONGEST_PAUSE_MS)) {
    let last: unknown;
    try {
      const found = await orTimeout(() => probe(saw), end - systemClock.monotonic());
      if (found) return found;
      last = new Error(`the last probe gave ${found}`);
    } catch (error) {
      last = error;
    }
    if (systemClock.monotonic() + pause >= end) throw tooLate(what, limitMs, last, seen);
    await sleep(systemClock, pause);
  }
}

function tooLate(what: string, limitMs: number, last: unknown, seen: unknown[]): Error {
  const reason = last instanceof Error ? last.message : String(last);
  const state = seen.length === 0 ? '' : `; last seen: ${shown(seen[0])}`;
  return new Error(`waited ${limitMs / 1000} s for ${what}: ${reason}${state}`, { cause: last });
}

function shown(value: unknown): string {
  const text = (typeof value === 'string' ? value : JSON.stringify(value)) ?? String(value);
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
}

/** A probe that hangs must not make the wait endless. */
async function orTimeout<T>(probe: () => Promise<T> | T, ms: number): Promise<T> {
  let cancel = () => {};
  const timeout = new Promise<never>((_resolve, reject) => {
    cancel = systemClock.after(ms, () => reject(new Error('the last probe gave no answer')));
  });
  try {
    return await Promise.race([Promise.resolve(probe()), timeout]);
  } finally {
    cancel();
  }
}
