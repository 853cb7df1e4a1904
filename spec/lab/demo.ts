// `make demo`: what rolevend does, seen from outside. Nothing but this machine is needed.
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../lib/clock.ts';
import { Screen } from './demo/screen.ts';
import { type Endings, openStage, type Stage } from './demo/stage.ts';
import { seconds, tell } from './demo/story.ts';
import type { SecretWatch } from './demo/watch.ts';
import { MissingPrerequisite } from './install.ts';

/** How long a session and a registry token live. */
const SESSION_SECONDS = 12;

const screen = new Screen();
const endings: Endings = [];

async function demo(): Promise<void> {
  const start = systemClock.monotonic();
  screen.title(
    'rolevend: AWS credentials as Kubernetes Secrets that are replaced before they expire',
    `All of this runs on your machine. Sessions live ${SESSION_SECONDS} s here instead of 15 minutes to 12 hours.`,
  );
  const stage = await openStage(screen, SESSION_SECONDS, endings);
  const { process: operator } = stage.operator;
  const ended = operator.exited.then(async (code) => {
    throw new Error(`the operator ended with exit code ${code}:\n${await operator.tail()}`);
  });
  summarize(stage, await Promise.race([tell(screen, stage, endings), ended]));
  await cleanUp();
  screen.line(`\nDone in ${seconds(systemClock.monotonic() - start)} s, everything is stopped.`);
}

function summarize({ aws }: Stage, watch: SecretWatch): void {
  const left = watch.revisions.flatMap(({ leftMs }) => leftMs ?? []);
  screen.section('Summary');
  screen.line(`   ${left.length} replacements, each with at least ${seconds(Math.min(...left))} s of life left`);
  screen.line(`   ${watch.reads} reads of the Secrets: none was empty, expired or mixed from two sessions`);
  screen.line(`   ${aws.gateway.count('AssumeRole')} calls of AssumeRole`);
  screen.note('Next: examples/ has the manifests, docs/how-it-works.md the timing, "make lab" keeps all this running.');
}

/** The last that was started ends first. */
async function cleanUp(): Promise<void> {
  for (let end = endings.pop(); end !== undefined; end = endings.pop()) await end();
}

// What was started is guarded: it ends with this process, however that ends.
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.once(signal, () => {
    screen.line('\nInterrupted, everything is stopped.');
    process.exit(code);
  });
}

process.chdir(fileURLToPath(new URL('../..', import.meta.url)));
try {
  await demo();
  process.exit(0);
} catch (error) {
  const { message } = error as Error;
  screen.close();
  process.stderr.write(`\n${error instanceof MissingPrerequisite ? '' : 'The demo failed: '}${message}\n`);
  await cleanUp().catch(() => {});
  process.exit(1);
}
