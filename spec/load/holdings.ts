import { getEventListeners } from 'node:events';
import { sleep, systemClock } from '../../lib/clock.ts';
import type { Figures } from './messages.ts';

/** Node's names of connections. */
const SOCKETS = ['TCPSocketWrap', 'TLSWrap'];

/** Collections that free nothing more, one after the other, and how many there are at most. */
const QUIET_TURNS = 5;
const MOST_TURNS = 100;
const NOTHING_BYTES = 16 * 1024;

const signals = new Map<WeakRef<AbortSignal>, undefined>();
const known = new WeakSet<AbortSignal>();
const warnings: string[] = [];

/** Notes from now on which signals anybody listens to, and what Node warns of. */
export function watchHoldings(): void {
  process.on('warning', ({ name, message }) => warnings.push(`${name}: ${message}`));
  const { addEventListener } = EventTarget.prototype;
  EventTarget.prototype.addEventListener = function (this: EventTarget, ...args) {
    if (this instanceof AbortSignal && !known.has(this)) {
      known.add(this);
      signals.set(new WeakRef(this), undefined);
    }
    return addEventListener.apply(this, args);
  };
}

/** What this process holds besides the given number of timers. Needs `node --expose-gc`. */
export async function holdings(timers: number): Promise<Figures> {
  if (globalThis.gc === undefined) throw new Error('start node with --expose-gc');
  await collect(globalThis.gc);
  const resources = process.getActiveResourcesInfo();
  const { heapUsed, rss } = process.memoryUsage();
  return {
    heapBytes: heapUsed,
    rssBytes: rss,
    timers,
    sockets: resources.filter((name) => SOCKETS.includes(name)).length,
    resources: resources.length,
    listeners: listeners(),
    warnings,
  };
}

/** Collects until nothing more is freed: what one turn finalizes the next one frees, and answers may still be on their way. */
async function collect(gc: () => void): Promise<void> {
  let least = Number.POSITIVE_INFINITY;
  for (let [turn, quiet] = [0, 0]; turn < MOST_TURNS && quiet < QUIET_TURNS; turn += 1) {
    gc();
    await sleep(systemClock, 10);
    const { heapUsed } = process.memoryUsage();
    quiet = heapUsed < least - NOTHING_BYTES ? 0 : quiet + 1;
    least = Math.min(least, heapUsed);
  }
  gc();
}

function listeners(): number {
  let count = 0;
  for (const reference of signals.keys()) {
    const signal = reference.deref();
    if (signal === undefined) signals.delete(reference);
    else if (!signal.aborted) count += getEventListeners(signal, 'abort').length;
  }
  return count;
}
