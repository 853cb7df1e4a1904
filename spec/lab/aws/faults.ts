import { type Clock, sleep } from '../../../lib/clock.ts';
import type { Answer, Call } from './call.ts';
import { type CallFilter, type CallRecord, matches } from './records.ts';
import { Refusal } from './refusal.ts';

/**
 * What goes wrong:
 * - `5xx`: HTTP 500 InternalFailure;
 * - `stall`: the connection stays open and nothing comes;
 * - `reset`: the connection is reset;
 * - `garbage`: HTTP 200 with a body that is no answer;
 * - `page`: HTTP 502 with a page for people, as proxies and load balancers send it;
 * - `slow` and `frozen`: AWS carries it out, and the body of the answer comes in pieces, or only its first half;
 * - `none`: nothing, for a rule that only delays;
 * - any AWS error code, for example `Throttling`, `AccessDenied`, `ServiceUnavailable`, with AWS's HTTP status;
 *   `TooManyRequestsException` comes with `Retry-After: 1`.
 */
export type FaultKind = '5xx' | 'stall' | 'reset' | 'garbage' | 'page' | 'slow' | 'frozen' | 'none' | (string & {});

/** What leaves AWS's own answer as it is. */
const passing: readonly string[] = ['none', 'slow', 'frozen'];

/** A fault on command. The first rule that matches and has times left acts. */
export interface FaultRule extends CallFilter {
  with: FaultKind;
  /** How many calls, default all. */
  times?: number;
  /** Which of the calls that match it begins with, default 1. */
  nth?: number;
  /** Share of the matching calls, 0 to 1, default 1. The choice is the same for the same `seed`. */
  ratio?: number;
  /** Default 1. */
  seed?: number;
  /** Wait before anything else, in milliseconds of real time, default 0. */
  delayMs?: number;
  /** True: AWS carries the call out and only the answer is lost or replaced. Default false: AWS never sees the call. */
  after?: boolean;
  /** Text of the error, default AWS's. */
  message?: string;
  /** Of `AccessDenied`: the policy that decides, as `service control policy`, and how. AWS names it behind its text. */
  policy?: { kind: string; explicit: boolean };
  /** Called when the fault acts: with `after` once AWS has carried the call out, else before AWS sees it. */
  onStrike?: () => Promise<unknown> | unknown;
  /** Called once the answer has gone out, where there is one. */
  onAnswered?: () => unknown;
}

interface ActiveRule {
  rule: FaultRule;
  /** Calls that match until it begins. */
  before: number;
  left: number;
  random: () => number;
}

/** Thrown to end a call without an HTTP answer. */
export class NoAnswer extends Error {
  readonly kind: 'stall' | 'reset';

  constructor(kind: 'stall' | 'reset') {
    super(kind);
    this.name = 'NoAnswer';
    this.kind = kind;
  }
}

/** The rules in force. */
export class Faults {
  readonly #clock: Clock;
  #rules: ActiveRule[] = [];

  /** @param clock for delays; the machine's own, since callers wait in real time */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(rule: FaultRule): void {
    const { times = Number.POSITIVE_INFINITY, nth = 1, seed = 1 } = rule;
    this.#rules.push({ rule, before: nth - 1, left: times, random: generator(seed) });
  }

  clear(): void {
    this.#rules = [];
  }

  /** Carries the call out with the fault that is due, if any. Throws `Refusal` or `NoAnswer`. */
  async around(record: CallRecord, call: Pick<Call, 'service'>, carryOut: () => Promise<Answer>): Promise<Answer> {
    const rule = this.#take(record);
    if (rule === undefined) return carryOut();
    if (rule.delayMs !== undefined) await sleep(this.#clock, rule.delayMs);
    const isPassing = passing.includes(rule.with);
    const answer = rule.after === true || isPassing ? await carryOut() : undefined;
    await rule.onStrike?.();
    if (!isPassing) return strike(rule, record, call.service);
    const pace = rule.with === 'slow' || rule.with === 'frozen' ? { pace: rule.with } : {};
    return { ...(answer as Answer), ...pace, ...(rule.onAnswered && { onAnswered: rule.onAnswered }) } as Answer;
  }

  #take(record: CallRecord): FaultRule | undefined {
    const active = this.#rules.find((one) => isDue(one, record));
    if (active !== undefined) active.left -= 1;
    return active?.rule;
  }
}

function isDue(active: ActiveRule, record: CallRecord): boolean {
  const { rule, left, random } = active;
  if (left <= 0 || !matches(record, rule)) return false;
  if (active.before > 0) {
    active.before -= 1;
    return false;
  }
  return rule.ratio === undefined || random() < rule.ratio;
}

function strike(rule: FaultRule, record: CallRecord, service: string): Answer {
  if (rule.with === 'stall') throw new NoAnswer('stall');
  if (rule.with === 'reset') throw new NoAnswer('reset');
  if (rule.with === 'garbage') return page(200, '<html>hello</html');
  if (rule.with === 'page') return page(502, '<html><h1>502 Bad Gateway</h1></html>');
  const code = rule.with === '5xx' ? 'InternalFailure' : rule.with;
  throw new Refusal(code, rule.message ?? wording(code, record, service) + reason(rule, record, service));
}

function page(status: number, html: string): Answer {
  return { status, headers: { 'content-type': 'text/html' }, body: Buffer.from(html) };
}

const words: Readonly<Record<string, string>> = {
  ExpiredToken: 'The security token included in the request is expired',
  InternalFailure: 'The request processing has failed because of an unknown error, exception or failure.',
  InvalidClientTokenId: 'The security token included in the request is invalid.',
  RegionDisabledException:
    'STS is not activated in this region for account. Your account administrator can activate it.',
  ServiceUnavailable: 'The request has failed due to a temporary failure of the server.',
  Throttling: 'Rate exceeded',
  ThrottlingException: 'Rate exceeded',
  TooManyRequestsException: 'Too Many Requests',
};

function wording(code: string, record: CallRecord, service: string): string {
  if (code !== 'AccessDenied') return words[code] ?? code;
  return `User: ${record.caller} is not authorized to perform: ${service}:${record.action} on resource: ${record.role ?? '*'}`;
}

/** In the words of https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html. */
function reason({ policy }: FaultRule, record: CallRecord, service: string): string {
  if (policy === undefined) return '';
  const article = /^[aeiou]/i.test(policy.kind) ? 'an' : 'a';
  return policy.explicit
    ? ` with an explicit deny in ${article} ${policy.kind}`
    : ` because no ${policy.kind} allows the ${service}:${record.action} action`;
}

/** Numbers in [0, 1) that are the same for the same seed (mulberry32). */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
