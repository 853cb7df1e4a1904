// Works as a busy server does, in a process of its own. Prints by how many MiB its young generation has grown, and the most
// MiB that its heap took. Argument: `small`, or not.
import { getHeapSpaceStatistics, getHeapStatistics } from 'node:v8';
import { keepHeapSmall } from '../../lib/commands/heap.ts';

const MIB = 2 ** 20;
/** Objects that live for a while, long enough to come into the old generation. */
const LIVING = 300_000;
const MADE = 5_000_000;

if (process.argv[2] === 'small') keepHeapSmall();
const youngMib = () => {
  const space = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space');
  return (space?.space_size ?? Number.NaN) / MIB;
};
const before = youngMib();
const living: object[] = [];
let mostMib = 0;
for (let n = 0; n < MADE; n += 1) {
  living[n % LIVING] = { name: `object-${n}`, values: [n] };
  if (n % 1000 === 0) mostMib = Math.max(mostMib, getHeapStatistics().total_heap_size / MIB);
}
process.stdout.write(`${JSON.stringify({ held: living.length, youngGrownMib: youngMib() - before, mostMib })}\n`);
