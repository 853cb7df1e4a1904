/** How much a run measures. */
export interface Sizes {
  /** Objects that are created at once. */
  many: number;
  /** Valid objects that a restart finds. */
  stock: number;
  /** Secrets of others. */
  foreign: number;
}

/** What the documents quote. */
export const fullSizes: Sizes = { many: 1_000, stock: 5_000, foreign: 20_000 };

/** One row of the report. */
export interface Figure {
  what: string;
  /** What it says, and how it is measured. */
  meaning: string;
  unit: string;
  /** Digits behind the point. */
  digits: number;
  target?: Target;
}

/** What the figure is to be. Where it is to be exact, anything else makes the run fail. */
export type Target = { atLeast: number } | { atMost: number } | { below: number } | { exactly: number };

/** All rows in their order. */
export function figuresFor(sizes: Sizes): Record<FigureName, Figure> {
  return rows(sizes);
}

export type FigureName = keyof ReturnType<typeof rows>;

/** The only place where figures are named. */
function rows({ many, stock, foreign }: Sizes) {
  const [n, held, others] = [many, stock, foreign].map((size) => size.toLocaleString('en'));
  return {
    bareRate: {
      what: `bare loop, ${n} objects`,
      meaning:
        'A loop creates the object and writes the same Secret and status as the operator, each once, 32 objects at a time (more at a time are no faster), with no watch and no AWS.',
      unit: 'objects/s',
      digits: 0,
    },
    rate: {
      what: `operator, ${n} objects created at once`,
      meaning:
        'From the first create, of which there are 32 at a time, too, to the last status. The process has just started and did nothing before.',
      unit: 'objects/s',
      digits: 0,
    },
    ratio: {
      what: 'operator to bare loop',
      meaning: 'Of the same run. Of all figures of time this one says most about another machine.',
      unit: '',
      digits: 2,
      target: { atLeast: 0.8 },
    },
    leastRate: {
      what: `bare loop that writes little, ${n} objects`,
      meaning:
        'The same loop, with a Secret without metadata and a status of six fields: what the API server could do for an operator that tells less.',
      unit: 'objects/s',
      digits: 0,
    },
    leastRatio: {
      what: 'operator to bare loop that writes little',
      meaning: 'How much of that rate is left for one that tells all that it does.',
      unit: '',
      digits: 2,
    },
    median: {
      what: `create to Secret, ${n} at once, median`,
      meaning: 'From sending the create request to the event of the Secret at a watch of the benchmark.',
      unit: 's',
      digits: 1,
    },
    slowest: {
      what: `create to Secret, ${n} at once, 99 %`,
      meaning: 'The time that 99 % of the Secrets do not exceed.',
      unit: 's',
      digits: 1,
      target: { below: 3 },
    },
    stsCalls: {
      what: 'AssumeRole calls',
      meaning: 'As the stand-in counts them.',
      unit: '',
      digits: 0,
      target: { exactly: many },
    },
    secretWrites: {
      what: 'Secret writes',
      meaning: 'As the API server counts the requests that it accepted.',
      unit: '',
      digits: 0,
      target: { exactly: many },
    },
    statusWrites: {
      what: 'status writes',
      meaning: 'One each; a pass that takes longer than 0.7 s says before its end that it works, which is one more.',
      unit: '',
      digits: 0,
      target: { atMost: many },
    },
    cpu: {
      what: `processor time for ${n} objects`,
      meaning: 'Of the operator, from the start of its process until its last Event is written.',
      unit: 's',
      digits: 1,
      target: { atMost: 3 },
    },
    peak: {
      what: `most memory while ${n} objects are issued`,
      meaning: 'Resident set size of the operator at its highest.',
      unit: 'MiB',
      digits: 0,
    },
    single: {
      what: 'create to Secret, one object alone, median',
      meaning: 'Objects that are created one after the other.',
      unit: 's',
      digits: 3,
      target: { below: 0.3 },
    },
    ready: {
      what: `restart with ${held} valid objects: start of the process to ready`,
      meaning: 'Until /readyz says so: everything is listed, and AWS has said who we are.',
      unit: 's',
      digits: 1,
      target: { below: 10 },
    },
    stsCallsAgain: {
      what: 'AssumeRole calls after the restart',
      meaning: 'Until a pass over every object has ended.',
      unit: '',
      digits: 0,
      target: { exactly: 0 },
    },
    secretWritesAgain: {
      what: 'Secret writes after the restart',
      meaning: 'Until a pass over every object has ended.',
      unit: '',
      digits: 0,
      target: { exactly: 0 },
    },
    memory: {
      what: `memory with ${held} objects`,
      meaning: 'Resident set size of the operator at its highest since the restart.',
      unit: 'MiB',
      digits: 0,
      target: { atMost: 200 },
    },
    memoryGrown: {
      what: `memory more after ${others} Secrets of others were created`,
      meaning:
        'In the same namespaces, of 4 KiB each: the operator watches its own Secrets alone, and nothing of others.',
      unit: 'MiB',
      digits: 0,
      target: { atMost: 10 },
    },
    idle: {
      what: `processor time of an idle minute with ${held} objects`,
      meaning: 'Nothing is due and nothing changes. Measured over half a minute.',
      unit: 's',
      digits: 2,
      target: { atMost: 0.6 },
    },
    handover: {
      what: 'next leader after SIGTERM',
      meaning: 'From the signal to the leader of two replicas until the other one says that it leads.',
      unit: 's',
      digits: 2,
      target: { atMost: 2 },
    },
    ending: {
      what: 'end of the process after SIGTERM',
      meaning: 'Of that leader, with all that it has under way.',
      unit: 's',
      digits: 2,
      target: { below: 5 },
    },
    failover: {
      what: 'next leader after SIGKILL',
      meaning: 'The same where the leader cannot give its Lease back.',
      unit: 's',
      digits: 1,
      target: { atMost: 20 },
    },
    help: {
      what: 'rolevend --help',
      meaning: 'From the start of the process to its end, the median of five.',
      unit: 's',
      digits: 2,
      target: { below: 0.3 },
    },
  } satisfies Record<string, Figure>;
}

/** A figure as people read it. */
export function told({ unit, digits }: Figure, value: number): string {
  return `${value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })} ${unit}`.trim();
}

/** The target as people read it; an empty text where there is none. */
export function toldTarget({ unit, target }: Figure): string {
  if (target === undefined) return '';
  const [[kind, bound]] = Object.entries(target) as [[keyof typeof words, number]];
  return `${words[kind]} ${bound.toLocaleString('en')} ${unit}`.trim();
}

const words = { atLeast: '≥', atMost: '≤', below: '<', exactly: 'exactly' };

/** Whether the value is what it is to be. */
export function isMet(target: Target | undefined, value: number): boolean {
  if (target === undefined) return true;
  if ('atLeast' in target) return value >= target.atLeast;
  if ('atMost' in target) return value <= target.atMost;
  if ('below' in target) return value < target.below;
  return value === target.exactly;
}
