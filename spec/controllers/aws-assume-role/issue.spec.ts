import { describe, expect, it } from '@jest/globals';
import { issue } from '../../../lib/controllers/aws-assume-role/issue.ts';
import type { Pass, VendingContext } from '../../../lib/controllers/aws-assume-role/pass.ts';
import type { IssueRequest } from '../../../lib/credentials/request.ts';
import { RolevendError } from '../../../lib/errors.ts';
import { createLogger } from '../../../lib/log.ts';
import { ManualClock } from '../../support/clock.ts';
import { passOf } from './fixtures.ts';

const termOver = new RolevendError('the term is over', { code: 'LeaseLost', consequence: 'retry' });
const refuse = () => {
  throw termOver;
};

/** Issues for a pass whose fence and AWS do what is given, and tells how it ended, what AWS was asked and what is remembered. */
async function outcome(change: Pick<VendingContext, 'fence'> & { answer?: () => never }, pass: Pass = passOf()) {
  let calls = 0;
  const issuer = {
    issue: async () => {
      calls += 1;
      change.answer?.();
    },
  };
  const lines: string[] = [];
  const log = createLogger({ destination: { write: (line) => void lines.push(line) } });
  const deaf = { metrics: { refreshed: () => {} }, announcer: { failed: () => {} } };
  const context = { clock: new ManualClock(), log, issuer, fence: change.fence, skewMs: () => 0, ...deaf };
  const ended = await issue(pass, {} as IssueRequest, 'RefreshRequested', context as unknown as VendingContext).catch(
    (error: unknown) => error,
  );
  const { failure, triedRequestAt } = pass.memory;
  return { ended, calls, failure, triedRequestAt, log: lines.map((line) => JSON.parse(line) as object) };
}

describe('a process whose term is over', () => {
  const nothing = { failure: undefined, triedRequestAt: undefined, log: [] };

  it('issues nothing, and remembers no try', async () => {
    expect(await outcome({ fence: refuse })).toEqual({ ended: termOver, calls: 0, ...nothing });
  });

  it('takes the end of its work for no failure of the object', async () => {
    const { ended, calls, failure } = await outcome({ fence: () => {}, answer: refuse });
    expect({ ended, calls, failure }).toEqual({ ended: termOver, calls: 1, failure: undefined });
  });
});

it('logs where an error that nobody foresaw comes from, and nothing of its text', async () => {
  const answer = () => {
    throw new TypeError('a request with a token');
  };
  const { failure, log } = await outcome({ fence: () => {}, answer });
  expect(failure).toMatchObject({ code: 'InternalError', message: 'TypeError' });
  const frames = expect.arrayContaining([expect.stringMatching(/issue\.spec\.ts:\d+:\d+$/)]);
  expect(log).toEqual([expect.objectContaining({ code: 'InternalError', frames, msg: 'no credential issued' })]);
  expect(JSON.stringify(log)).not.toContain('token');
});
