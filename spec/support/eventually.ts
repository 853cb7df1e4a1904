import { sleep, systemClock } from '../../lib/clock.ts';

const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 200;

/**
 * Asks `probe` again and again until it gives something truthy, and returns that.
 * A probe that throws or gives something falsy means "not yet".
 *
 * @param what what is waited for, a half sentence that completes "waited 15 s for …"
 * @param limitMs the longest wait in milliseconds, default 15000; a single probe that hangs is cut off there too
 * @throws Error that names `what` and the last failure, after `limitMs`
 */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T> | T,
  limitMs = 15_000,
): Promise<NonNullable<T>> {
  const end = systemClock.monotonic() + limitMs;
  let last: unknown;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 1.5, LONGEST_PAUSE_MS)) {
    try {
      const left = end - systemClock.monotonic();
      const found = await orTimeout(probe, left);
      if (found) return found;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (systemClock.monotonic() + pause >= end) throw tooLate(what, limitMs, last);
    await sleep(systemClock, pause);
  }
}

function tooLate(what: string, limitMs: number, last: unknown): Error {
  const reason = last instanceof Error ? `: ${last.message}` : '';
  return new Error(`waited ${limitMs / 1000} s for ${what}${reason}`, { cause: last });
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
