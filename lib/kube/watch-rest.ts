/** What is known of a watch that the server had accepted and that is over, whatever ended it. */
export interface EndedWatch {
  /** From its acceptance to its end, in milliseconds. */
  livedMs: number;
  /** After how many milliseconds the server was to end it. */
  askedMs: number;
  /** Whether it brought anything, so that the next one begins at a later version. */
  hasProgressed: boolean;
}

/** Whoever lets a watch live so long is not in trouble: load balancers end what is quiet for some ten seconds. */
export const soundMs = 5_000;
/** By how much a server may end a watch before its time. */
const earlyMs = 500;
/** From the beginning of one watch to that of the next, where the server ends each after its first events. */
const leastBetweenMs = 1_000;

/**
 * Milliseconds until a watch is opened again where it was, 0 for at once; undefined where its end is trouble, which needs a
 * back-off: a server that accepts watches only to end them at once must not be asked in a loop.
 */
export function restAfter({ livedMs, askedMs, hasProgressed }: EndedWatch): number | undefined {
  if (livedMs >= Math.min(soundMs, askedMs - earlyMs)) return 0;
  return hasProgressed ? Math.max(0, leastBetweenMs - livedMs) : undefined;
}
