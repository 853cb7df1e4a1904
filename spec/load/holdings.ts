import { getEventListeners } from 'node:events';
import { sleep, systemClock } from '../../lib/clock.ts';
import type { Figures } from './messages.ts';

/** Node's names of connections. */
const SOCKETS = ['TCPSocketWrap', 'TLSWrap'];

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
  // What one collection finalizes the next one frees.
  for (let turn = 0; turn < 4; turn += 1) {
    globalThis.gc();
    await sleep(systemClock, 5);
  }
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

function listeners(): number {
  let count = 0;
  for (const reference of signals.keys()) {
    const signal = reference.deref();
    if (signal === undefined) signals.delete(reference);
    else if (!signal.aborted) count += getEventListeners(signal, 'abort').length;
  }
  return count;
}
