// `make faults`: every plan of the vending controller. `make fault PLAN=<line>`: one, with everything that happened.
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../lib/clock.ts';
import { startControlPlane } from '../lab/index.ts';
import { MissingPrerequisite } from '../lab/install.ts';
import { openGround } from './ground.ts';
import { parsePlan, planLine } from './plan.ts';
import { faultWords, table, timeline } from './report.ts';
import { type Result, Suite } from './suite.ts';

/** Plans mostly wait; more at a time would make them wait for the machine. */
const CONCURRENCY = 12;
const REPORT_MS = 10_000;

const endings: (() => Promise<unknown>)[] = [];
process.chdir(fileURLToPath(new URL('../..', import.meta.url)));
process.exitCode = 1;
try {
  const line = process.argv[2];
  const plan = line === undefined ? undefined : parsePlan(line);
  const plane = await startControlPlane({ name: 'faults' });
  endings.push(() => plane.stop());
  const ground = await openGround(plane);
  endings.push(() => ground.close());
  const suite = new Suite(ground, CONCURRENCY);
  const results = plan === undefined ? await all(suite) : [await suite.one(plan)];
  if (plan !== undefined) tellOne(results[0] as Result);
  const failed = results.filter(({ wrong }) => wrong.length > 0).length;
  process.stdout.write(`\n${results.length - failed} passed, ${failed} failed\n`);
  process.exitCode = failed === 0 ? 0 : 1;
} catch (error) {
  const { message, stack } = error as Error;
  process.stderr.write(`faults: ${error instanceof MissingPrerequisite || process.argv[2] ? message : stack}\n`);
}
for (let end = endings.pop(); end !== undefined; end = endings.pop()) await end();
process.exit();

async function all(suite: Suite): Promise<Result[]> {
  process.stdout.write('recording what each scenario does without a fault\n');
  const plans = await suite.plans();
  process.stdout.write(`${plans.length} plans, ${CONCURRENCY} at a time\n`);
  const start = systemClock.monotonic();
  let done = 0;
  let toldAt = start;
  const results = await suite.run(plans, ({ plan, wrong }) => {
    done += 1;
    const now = systemClock.monotonic();
    if (wrong.length > 0) process.stdout.write(`FAILED ${planLine(plan)}\n${wrong.join('\n')}\n`);
    if (now - toldAt < REPORT_MS) return;
    toldAt = now;
    process.stdout.write(`${done} of ${plans.length} plans, ${((now - start) / 1000).toFixed(0)} s\n`);
  });
  process.stdout.write(`\n${table(results)}\n`);
  return results;
}

function tellOne({ plan, wrong, history }: Result): void {
  process.stdout.write(`${planLine(plan)}: ${faultWords(plan)}\n\n`);
  if (history !== undefined) process.stdout.write(`${timeline(history).join('\n')}\n`);
  process.stdout.write(wrong.length === 0 ? '\nAll that is promised held.\n' : `\n${wrong.join('\n')}\n`);
}
