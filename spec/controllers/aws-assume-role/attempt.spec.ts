import { describe, expect, it } from '@jest/globals';
import { attempt, type Refused, waitOf } from '../../../lib/controllers/aws-assume-role/attempt.ts';
import { KubeError, type KubeErrorDetails } from '../../../lib/kube/errors.ts';
import { secrets as resource } from '../../../lib/kube/objects.ts';
import { ManualClock } from '../../support/clock.ts';

const answer = (details: KubeErrorDetails) => new KubeError({ verb: 'update', resource }, details);
const failing = (error: unknown) => () => Promise.reject(error);

describe('a work that the API server refuses', () => {
  it.each([
    ['has no right to', answer({ status: 403, code: 'Forbidden' })],
    ['may not do by a policy', answer({ status: 422, code: 'Invalid' })],
    ['cannot do while a webhook is down', answer({ status: 500, code: 'InternalError' })],
    ['gets no answer to', answer({ status: 0, code: 'Unreachable' })],
  ])('waits longer each time, where the operator %s', async (_what, error) => {
    const clock = new ManualClock();
    const waits: (number | undefined)[] = [];
    let refused: Refused | undefined;
    for (let count = 0; count < 7; count++) {
      refused = await attempt(failing(error), refused, clock);
      waits.push(waitOf(refused, clock));
      await clock.advance(waitOf(refused, clock) ?? 0);
      expect(waitOf(refused, clock)).toBeUndefined();
    }
    expect(waits).toEqual([10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]);
    expect(refused).toMatchObject({ count: 7, error });
  });

  it('is forgotten after a success', async () => {
    const refused = { count: 4, retryAt: 0, error: answer({ status: 403, code: 'Forbidden' }) };
    expect(await attempt(async () => {}, refused, new ManualClock())).toBeUndefined();
    expect(waitOf(undefined, new ManualClock())).toBeUndefined();
  });
});

it.each<[string, unknown]>([
  ['the Secret has changed', answer({ status: 409, code: 'Conflict' })],
  ['the Secret is gone', answer({ status: 404, code: 'NotFound' })],
  ['the Secret is another one', answer({ status: 422, code: 'Invalid', uidMismatch: true })],
  ['the namespace goes away', answer({ status: 403, code: 'Forbidden', causes: ['NamespaceTerminating'] })],
  ['the pass is to end', new DOMException('ending', 'AbortError')],
])('ends the pass where %s', async (_what, error) => {
  await expect(attempt(failing(error), undefined, new ManualClock())).rejects.toBe(error);
});
