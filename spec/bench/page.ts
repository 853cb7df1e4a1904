import { type Figure, type FigureName, figuresFor, fullSizes, isMet, told, toldTarget } from './figures.ts';

/** What stands in the column of a figure. */
export type Cells = Readonly<Record<FigureName, string>>;

/** The figures as the page shows them: a missed target is said to be one. */
export function cellsOf(values: Readonly<Record<FigureName, number>>): Cells {
  const cell = ([name, figure]: [string, Figure]) => {
    const value = values[name as FigureName];
    return [name, `${told(figure, value)}${isMet(figure.target, value) ? '' : ' (missed)'}`];
  };
  return Object.fromEntries(Object.entries(figuresFor(fullSizes)).map(cell));
}

/** `docs/benchmarks.md`. `machine` says where it was measured, in words. */
export function pageOf(machine: string, cells: Cells): string {
  const figures = Object.entries(figuresFor(fullSizes));
  const row = ([name, figure]: [string, Figure]) =>
    `| ${figure.what} | ${cells[name as FigureName]} | ${toldTarget(figure)} |`;
  return `# What it costs

<!-- Written by \`make bench WRITE=1\` from spec/bench/page.ts: do not edit. -->

\`make bench\` measures the operator against a real API server. Everything shares one machine: etcd, API server, garbage
collector, the operator, the benchmark, and a stand-in for STS that answers in 20 ms and checks nothing.

${MACHINE}${machine}

| figure | measured | target |
| --- | --- | --- |
${figures.map(row).join('\n')}

The figures about objects that are created at once are medians of five rounds, ratios those of the rounds' ratios. A round is a
bare loop that writes little, and then, right one after the other, a bare loop, a new process of the operator, a bare loop,
another new process of the operator and a bare loop. The round's ratio is the mean of two, each of the operator to the bare
loops beside it, so that they are of things that were measured within seconds: most machines are faster at one minute than at
the next. The bare loops, and what creates the objects for the operator, are new processes, too. At last one more process of
the operator issues as many, for the other figures, and the benchmark watches for its Secrets.

## What the figures mean

${figures.map(([, { what, meaning }]) => `- **${what}**: ${meaning}`).join('\n')}

## Where the time goes

On a machine with few cores processor time is the limit, and about three quarters of it are the API server's and
etcd's. The operator asks of them hardly more than the bare loop does: beside the three writes there are for each object one
\`AssumeRole\` call, the watches by which the operator is told of everything, and one Event, which waits until nothing else is
to do (10 s at most).
Of the operator's own time about a third is HTTP and TLS, a fifth the call of AWS (signing, XML), a tenth the start of the
program, and the rest JSON, decisions and the collection of garbage. No request for AWS or Kubernetes is made twice.

## Others

Measured elsewhere, also on two cores, with an STS that answers in 20 ms and 1,000 objects at once; there the bare loop did
about 330 objects a second.

| | objects/s | processor time | memory | STS calls |
| --- | --- | --- | --- | --- |
| the existing operator for \`AWSAssumeRole\` in Rust | 26 (38 s for all) | 2.7 s | 25 MB | 1,176 |
| the most used secrets operator, as installed | 10 | 11 s | 535 MB | |
| the most used secrets operator, with ten workers | 17 | 11 s | 535 MB | |

## To measure again

\`make bench\` takes some minutes and prints the table; \`make bench WRITE=1\` writes this page, too, and \`make bench N=200\` is a
quick look at less. It fails where a count that has to be exact is not. A target of time that is missed is said to be missed.
The rate towards AWS is bounded by \`--sts-qps\` and \`--sts-burst\` (see the [flags](reference/flags.md)).
`;
}

const MACHINE = 'Measured on ';

/** The parts of a page that are measured. A row that the page does not hold has an empty cell. */
export function measuredIn(page: string): { machine: string; cells: Cells } {
  const lines = page.split('\n');
  const cell = ([name, { what }]: [string, Figure]) => {
    const line = lines.find((one) => one.startsWith(`| ${what} | `)) ?? '';
    return [name, line.split(' | ')[1] ?? ''];
  };
  return {
    machine: lines.find((line) => line.startsWith(MACHINE))?.slice(MACHINE.length) ?? '',
    cells: Object.fromEntries(Object.entries(figuresFor(fullSizes)).map(cell)),
  };
}
