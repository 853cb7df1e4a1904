/** Rejects with the signal's reason as soon as it aborts, also where `work` itself does not notice the signal. */
export function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const end = () => reject(signal.reason);
    if (signal.aborted) end();
    signal.addEventListener('abort', end, { once: true });
    const finish = () => signal.removeEventListener('abort', end);
    work.then(resolve, reject).finally(finish);
  });
}
