// `make test`: runs every check, goes on after a failure, and ends with the line `N passed, N failed`.
// Arguments: files or folders of tests, or a part of their paths; then only those tests run. Those that take many minutes
// (*.soak.spec.ts) run only where an argument names them so.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Children } from './children.ts';
import { findTests } from './find-tests.ts';
import { type JestReport, ofCheck, ofJest, sum, type Tally } from './tally.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
process.chdir(root);
process.env['PATH'] = `${join(root, 'node_modules/.bin')}:${process.env['PATH']}`;

const children = new Children();
const tallies: Tally[] = [];

const selected = process.argv.slice(2).map((path) => relative(root, join(root, path)));
const isLong = (path: string) => path.includes('.soak.');
const found = await findTests(root, selected);
const namesLong = selected.some((part) => part.includes('soak'));
const tests = namesLong ? found : found.filter((path) => !isLong(path));
if (tests.length === 0) {
  process.stderr.write(`no test matches ${selected.join(' ')}; tests are named spec/**/*.spec.ts and *.lab.spec.ts\n`);
  tallies.push({ passed: 0, failed: 1, skipped: 0 });
} else {
  if (selected.length === 0) await checks();
  await check('build', 'node', 'spec/tools/build.ts');
  await check('bill of materials', 'node', 'spec/tools/sbom.ts');
  await jest(
    'unit',
    tests.filter((path) => !isLab(path) && !isLong(path)),
  );
  await laboratory('lab', tests.filter(isLab));
  await laboratory('soak', tests.filter(isLong));
}
finish();

async function checks(): Promise<void> {
  await check('lint', 'biome', 'check', '--error-on-warnings', '.');
  await check('types', 'tsc', '-p', '.');
  await check('generated files', 'node', 'spec/generate/main.ts', '--check');
}

async function check(name: string, command: string, ...args: string[]): Promise<boolean> {
  const tally = await step(name, async () => ofCheck(await children.run(command, args)));
  return tally.failed === 0;
}

async function laboratory(project: 'lab' | 'soak', paths: string[]): Promise<void> {
  if (paths.length === 0) return;
  if (await check('laboratory', 'sh', '-c', 'node spec/lab/install.ts >/dev/null')) await jest(project, paths);
}

async function jest(project: 'unit' | 'lab' | 'soak', paths: string[]): Promise<void> {
  if (paths.length === 0) return;
  const dir = await mkdtemp(join(tmpdir(), 'rolevend-test-'));
  const outputFile = join(dir, 'report.json');
  const flags = ['--experimental-vm-modules', '--no-warnings', 'node_modules/jest/bin/jest.js'];
  const options = [
    ...['--selectProjects', project, '--json', `--outputFile=${outputFile}`],
    // Laboratory tests wait for other processes most of the time: two at a time use a third of two processors.
    ...(project === 'lab' ? ['--maxWorkers=4'] : []),
    ...['--runTestsByPath', ...paths],
  ];
  await step(`${project} tests (${paths.length} files)`, async () => {
    const code = await children.run('node', [...flags, ...options]);
    return ofJest(code, await readReport(outputFile));
  });
  await rm(dir, { recursive: true });
}

async function readReport(path: string): Promise<JestReport | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as JestReport;
  } catch {
    return undefined;
  }
}

async function step(name: string, run: () => Promise<Tally>): Promise<Tally> {
  if (children.ending !== undefined) return { passed: 0, failed: 0, skipped: 0 };
  process.stdout.write(`==> ${name}\n`);
  const start = performance.now();
  const tally = await run();
  tallies.push(tally);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const skipped = tally.skipped === 0 ? '' : `, ${tally.skipped} skipped`;
  const problem = tally.problem === undefined ? '' : ` (${tally.problem})`;
  process.stdout.write(
    `    ${name}: ${tally.passed} passed, ${tally.failed} failed${skipped}${problem}, ${seconds} s\n`,
  );
  return tally;
}

function finish(): void {
  const { passed, failed } = sum(tallies);
  if (children.ending !== undefined) process.stdout.write(`ended by ${children.ending}\n`);
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  process.exit(children.endingCode || (failed === 0 ? 0 : 1));
}

function isLab(path: string): boolean {
  return path.endsWith('.lab.spec.ts');
}
