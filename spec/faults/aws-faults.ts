import type { FaultRule } from '../lab/aws/index.ts';

interface Fault {
  /** What happens, as a half sentence. */
  what: string;
  /** The rule of the gateway that makes it so. */
  rule(kill: () => Promise<unknown>): FaultRule;
  /** AWS says nothing for as long as the caller waits, so a credential may end meanwhile. */
  isOutage?: boolean;
}

/** Everything that can go wrong between the operator and AWS. */
export const awsFaults = {
  delay: { what: 'the answer comes 2 s late', rule: () => ({ with: 'none', delayMs: 2_000, times: 1 }) },
  drop: {
    what: 'nothing comes back, as on a connection that is half open',
    rule: () => ({ with: 'stall', times: 1 }),
    isOutage: true,
  },
  'drop-after': {
    what: 'AWS carries it out, and nothing comes back',
    rule: () => ({ with: 'stall', after: true, times: 1 }),
    isOutage: true,
  },
  reset: { what: 'the connection is reset before AWS sees it', rule: () => ({ with: 'reset', times: 1 }) },
  'reset-after': {
    what: 'AWS carries it out, and the connection is reset',
    rule: () => ({ with: 'reset', after: true, times: 1 }),
  },
  '5xx': { what: 'three calls in a row get 500', rule: () => ({ with: '5xx', times: 3 }) },
  '503': { what: 'two calls in a row get 503', rule: () => ({ with: 'ServiceUnavailable', times: 2 }) },
  '502': { what: 'a proxy on the way answers with a page', rule: () => ({ with: 'page', times: 1 }) },
  throttle: { what: 'two calls in a row are throttled', rule: () => ({ with: 'Throttling', times: 2 }) },
  '429': {
    what: 'two calls in a row are too many, with Retry-After: 1',
    rule: () => ({ with: 'TooManyRequestsException', times: 2 }),
  },
  garbage: { what: 'the answer is no answer of AWS', rule: () => ({ with: 'garbage', times: 1 }) },
  'slow-body': { what: 'the answer comes in twenty pieces over two seconds', rule: () => ({ with: 'slow', times: 1 }) },
  frozen: {
    what: 'the answer begins and never goes on',
    rule: () => ({ with: 'frozen', times: 1 }),
    isOutage: true,
  },
  denied: { what: 'it is denied, as before IAM has spread a change', rule: () => ({ with: 'AccessDenied', times: 1 }) },
  expired: {
    what: "the operator's own credentials are called expired",
    rule: () => ({ with: 'ExpiredToken', times: 1 }),
  },
  unknown: {
    what: "the operator's own credentials are unknown, as before IAM has spread them",
    rule: () => ({ with: 'InvalidClientTokenId', times: 1 }),
  },
  'kill-before': {
    what: 'the operator is killed before AWS sees it',
    rule: (kill) => ({ with: 'reset', times: 1, onStrike: kill }),
  },
  'kill-applied': {
    what: 'AWS carries it out, and the operator is killed before it knows',
    rule: (kill) => ({ with: 'reset', after: true, times: 1, onStrike: kill }),
  },
  'kill-after': {
    what: 'the operator is killed right after it got the answer',
    rule: (kill) => ({ with: 'none', times: 1, onAnswered: kill }),
  },
} satisfies Readonly<Record<string, Fault>>;

export type AwsFault = keyof typeof awsFaults;

/** The fault of this name, with what the table leaves out. */
export function awsFaultOf(name: AwsFault): Fault {
  return awsFaults[name];
}
