import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sharedControlPlane } from '../lab/index.ts';
import { type Ground, openGround } from './ground.ts';
import type { History } from './history.ts';
import { judge, type oracles } from './oracles.ts';
import { parsePlan } from './plan.ts';
import { runScenario } from './run.ts';

/** Each oracle is shown a real run into which one defect was planted. */
describe('the oracles', () => {
  let ground: Ground;
  let good: History;

  beforeAll(async () => {
    ground = await openGround(sharedControlPlane());
    good = await runScenario(ground, 'refresh');
  });
  afterAll(() => ground?.close());

  const secretOf = (history: History) => history.revisions.at(-1) as History['revisions'][number];

  const planted: Record<keyof typeof oracles, (history: History) => void> = {
    'the fault has acted': (history) => {
      history.plan = parsePlan('refresh:kube.update.secrets@1:reset');
      history.struck = false;
    },
    'the goal is reached': (history) => {
      history.failure = 'waited 200 s for the goal';
    },
    'the end is that without a fault': (history) => {
      history.end.secrets.push({ name: 'left over' });
      history.later.secrets.push({ name: 'left over' });
    },
    'the end stays': (history) => {
      history.restless.push('update secrets');
    },
    'little more is done than without a fault': (history) => {
      const call = history.calls.find(({ action }) => action === 'AssumeRole') as History['calls'][number];
      history.calls.push(call, call);
    },
    'every Secret is one session': (history) => {
      const [first] = history.revisions;
      secretOf(history).text['awsSessionToken'] = first?.text['awsSessionToken'] ?? '';
    },
    'no Secret is empty': (history) => {
      secretOf(history).text = {};
    },
    'no Secret has too little life left while AWS grants': (history) => {
      // Of an hour: 420 s less one minute.
      for (const session of history.sessions) {
        session.expiresAt = history.endedAt + 359_000;
        session.issuedAt = session.expiresAt - 3_600_000;
      }
    },
    'nothing secret is told': (history) => {
      const token = Buffer.from(`x${history.sessions[0]?.sessionToken}`).toString('base64');
      history.texts['log'] += `{"msg":"issued ${token}"}\n`;
    },
    'nothing is tried without the right to it': (history) => {
      history.requests.push({ at: 0, verb: 'list', resource: 'pods', passed: true, status: 403 });
    },
    'the process does not end by itself': (history) => {
      history.crashes = [1];
    },
  };

  test('find nothing wrong with a run without a fault', () => {
    expect(judge(good, good)).toEqual([]);
  });

  test.each([
    ['refresh:kube.update.secrets@1:kill-applied', 1],
    ['refresh:kube.update.secrets@1:reset', 1],
    ['refresh:aws.GetAuthorizationToken@1:throttle', 2],
    ['refresh:kube.update.secrets@1:5xx', 3],
  ])('of %s allow so many sessions more, and not one beyond: %d', (line, allowed) => {
    const found = [allowed, allowed + 1].map((more) => {
      const history = { ...structuredClone(good), plan: parsePlan(line), struck: true };
      const call = history.calls.find(({ action }) => action === 'AssumeRole') as History['calls'][number];
      history.calls.push(...Array.from({ length: more }, () => call));
      return judge(history, good).length;
    });
    expect(found).toEqual([0, 1]);
  });

  test.each(Object.entries(planted))('find a run in which "%s" does not hold', (promise, plant) => {
    const bad = structuredClone(good);
    plant(bad);
    const found = judge(bad, good);
    expect(new Set(found.map((line) => line.split('": ')[0]))).toEqual(new Set([`not "${promise}`]));
  });
});
