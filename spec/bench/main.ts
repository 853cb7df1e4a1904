// `make bench`: what the operator costs, next to what the same API server can do at most. Everything is measured in one
// run; only ratios say anything about another machine. Arguments: `--write` for docs/benchmarks.md, the number of objects.
import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { type Contents, contentsOf } from './bare-loop.ts';
import { namesOf } from './cluster.ts';
import { type Figure, type FigureName, figuresFor, fullSizes, isMet, type Sizes, told, toldTarget } from './figures.ts';
import { type Ground, openGround } from './ground.ts';
import { handover } from './handover.ts';
import { help } from './help.ts';
import { many, medians } from './many.ts';
import { cellsOf, pageOf } from './page.ts';
import { single } from './single.ts';
import { stock } from './stock.ts';
import { vend } from './vend.ts';

const PAGE = 'docs/benchmarks.md';

type Values = Record<FigureName, number>;

/** Measures everything, one thing after the other. */
async function measure(ground: Ground, sizes: Sizes): Promise<Values> {
  const namespaces = namesOf('vending', Math.round(sizes.stock / sizes.many));
  const contents = await contentsOfOne(ground, 'sample');
  const rounds: Awaited<ReturnType<typeof many>>[] = [];
  for (const namespace of namespaces) {
    note(`round in ${namespace}`);
    rounds.push(await many(ground, { namespace, count: sizes.many, contents }));
  }
  const exact = { stsCalls: sizes.many, secretWrites: sizes.many };
  const ofMany = medians(rounds, exact);
  note('one object at a time');
  const ofSingle = await single(ground, 'alone');
  note(`restart with ${sizes.stock} objects, and ${sizes.foreign} Secrets of others`);
  const ofStock = await stock(ground, namespaces, sizes.stock, sizes.foreign);
  note('change of the leader');
  return { ...ofMany, ...ofSingle, ...ofStock, ...(await handover(ground, 'led')), ...(await help()) };
}

/** What the operator writes for an object. */
async function contentsOfOne(ground: Ground, namespace: string): Promise<Contents> {
  await ground.cluster.createNamespace(namespace);
  const { operator } = await ground.startOperator([namespace]);
  await vend(ground, namespace, [namespace]);
  await operator.process.stop();
  return await contentsOf(ground.cluster, namespace, namespace);
}

/** Prints all figures. Gives what is wrong, a line each: counts that have to be exact and are not. */
function report(figures: Record<FigureName, Figure>, values: Values): string[] {
  const width = Math.max(...Object.values(figures).map(({ what }) => what.length));
  const wrong: string[] = [];
  for (const [name, figure] of Object.entries(figures)) {
    const value = values[name as FigureName];
    const isGood = isMet(figure.target, value);
    const target = toldTarget(figure);
    const verdict = target === '' ? '' : `${target}${isGood ? '' : '  MISSED'}`;
    process.stdout.write(`${figure.what.padEnd(width)}  ${told(figure, value).padStart(15)}  ${verdict}\n`);
    if (!isGood && 'exactly' in (figure.target ?? {})) wrong.push(`${figure.what}: ${value}, not ${target}`);
  }
  return wrong;
}

/** The machine in words, without its name. */
async function machineOf({ plane }: Ground): Promise<string> {
  const { body } = await plane.request<{ gitVersion: string }>('GET', '/version');
  const node = process.version.slice(1);
  return `${availableParallelism()} cores, with Node.js ${node} and kube-apiserver ${body.gitVersion.slice(1)}.`;
}

function note(text: string): void {
  process.stderr.write(`${text} …\n`);
}

process.chdir(fileURLToPath(new URL('../..', import.meta.url)));
const args = process.argv.slice(2).filter((arg) => arg !== '');
const isWritten = args.includes('--write');
const [given = String(fullSizes.many), ...others] = args.filter((arg) => arg !== '--write');
const scale = Number(given) / fullSizes.many;
if (!/^[1-9]\d*$/.test(given) || others.length > 0 || (isWritten && scale !== 1)) {
  process.stderr.write('usage: node spec/bench/main.ts [--write | number of objects]\n');
  process.exit(2);
}
const sizes = { many: Number(given), stock: fullSizes.stock * scale, foreign: fullSizes.foreign * scale };
const ground = await openGround();
try {
  const values = await measure(ground, sizes);
  const wrong = report(figuresFor(sizes), values);
  if (isWritten) await writeFile(PAGE, pageOf(await machineOf(ground), cellsOf(values)));
  for (const line of wrong) process.stderr.write(`wrong: ${line}\n`);
  process.exitCode = wrong.length === 0 ? 0 : 1;
} finally {
  await ground.close();
}
