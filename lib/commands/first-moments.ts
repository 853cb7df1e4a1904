import { describeError, framesOf } from '../errors.ts';

/** What the process does at the two ends that come from outside of its work. */
export interface Endings {
  /** At the first SIGTERM or SIGINT; at the second the process ends in any case. */
  signal: (name: NodeJS.Signals) => void;
  /** At an error that nobody has caught. */
  error: (error: unknown) => void;
}

/** Before anything has begun there is nothing to bring to an end. */
const endings: Endings = {
  signal: () => process.exit(0),
  error: (error) => {
    process.stderr.write(
      `${[`unforeseen error: ${describeError(error)}`, ...(framesOf(error) ?? [])].join('\n  at ')}\n`,
    );
    process.exit(1);
  },
};

/** From now on the process ends in this way. */
export function endBy(others: Endings): void {
  Object.assign(endings, others);
}

/** Ends the process as an uncaught error does, for one that was caught where nobody knows what to do with it. */
export function endByError(error: unknown): void {
  endings.error(error);
}

// `main.ts` imports this file before all others: the first process of a container gets no signal that it does not handle, and
// would be killed a whole grace period later. Until here, the image handles them in the way that stands above.
for (const name of ['SIGTERM', 'SIGINT'] as const) {
  process.removeAllListeners(name);
  process.once(name, () => endings.signal(name));
}
process.once('uncaughtException', (error) => endings.error(error));
