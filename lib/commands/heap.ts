import { setFlagsFromString } from 'node:v8';

/** By how much the heap may outgrow what survived the last full collection, in percent. */
const GROWTH_PERCENT = 50;

/**
 * Keeps the heap close to what lives in it, for a process that runs for months. On a machine with much memory V8 would let
 * the young generation grow to 128 MiB and the old one to several times of what it holds, and it gives hardly anything
 * back. V8 reads these flags whenever it sizes or collects; its other limits are fixed when the process starts. The young
 * generation stays as large as it is: where the image starts the program that is enough for what a pass needs while it
 * waits for answers, which would else become old and be collected with all the rest. To collect so little, several threads,
 * or a collection before it is full, cost more than they save.
 */
export function keepHeapSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString('--no-parallel-scavenge');
  setFlagsFromString('--no-minor-gc-task');
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`);
}
