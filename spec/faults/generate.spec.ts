import { describe, expect, it } from '@jest/globals';
import { kubeFaults } from '../lab/fault-proxy.ts';
import { awsFaults } from './aws-faults.ts';
import { chosen, comesTo, plansOf, smoke } from './generate.ts';
import type { History } from './history.ts';
import { type Plan, parsePlan, planLine } from './plan.ts';
import type { ScenarioName } from './scenarios.ts';

const before = 1;
const after = 10;

/** A run that read, wrote and called as told; all else is empty. */
function ran(requests: Partial<History['requests'][number]>[], actions: string[] = []): History {
  const seen = requests.map((one) => ({ at: after, passed: true, status: 200, ...one }));
  const calls = actions.map((action) => ({ action }));
  return { namespace: 'ns', startedAt: 5, requests: seen, calls } as unknown as History;
}

const lines = (scenario: ScenarioName, history: History) => plansOf(scenario, history, 1).map(planLine);
const except = (names: string[], ...left: string[]) => names.filter((name) => !left.includes(name));
const all = Object.keys(kubeFaults);
const kills = ['kill-before', 'kill-applied', 'kill-after'];
const ofWatches = ['lost-event', 'duplicated-event'];

describe('the plans of a scenario', () => {
  it('kill at every write three times, and try every fault that a write can have at one of them', () => {
    const write = { verb: 'update' as const, resource: 'secrets' };
    const killed = [1, 2].flatMap((nth) => kills.map((kill) => `drift:kube.update.secrets@${nth}:${kill}`));
    const others = except(all, ...kills, ...ofWatches, 'stale').map((fault) => `drift:kube.update.secrets@2:${fault}`);
    expect(lines('drift', ran([write, write]))).toEqual([...killed, ...others]);
  });

  it('kill at every call of AWS three times, and try every fault of AWS', () => {
    const expected = [...kills, ...except(Object.keys(awsFaults), ...kills)];
    expect(lines('drift', ran([], ['AssumeRole']))).toEqual(expected.map((fault) => `drift:aws.AssumeRole@1:${fault}`));
  });

  it('kill nobody at a read', () => {
    const expected = except(all, ...kills, ...ofWatches);
    expect(lines('drift', ran([{ verb: 'get', resource: 'secrets' }]))).toEqual(
      expected.map((fault) => `drift:kube.get.secrets@1:${fault}`),
    );
  });

  it('strike a watch that runs where an event about the object comes in it', () => {
    const watch = { verb: 'watch' as const, resource: 'secrets', at: before };
    expect(lines('drift', ran([{ ...watch, events: ['other'] }]))).toEqual([]);
    expect(lines('drift', ran([{ ...watch, events: ['other', 'ns'] }]))).toEqual(
      ['frozen', 'half-open', 'reset', ...ofWatches].map((fault) => `drift:kube.watch.secrets@1:${fault}`),
    );
  });

  it('strike a watch that begins, and lose its events where there are some', () => {
    const watch = { verb: 'watch' as const, resource: 'secrets' };
    const silent = lines('create', ran([{ ...watch, events: [] }]));
    const told = lines('create', ran([{ ...watch, events: ['ns'] }]));
    expect(silent).toEqual(except(all, ...kills, ...ofWatches).map((fault) => `create:kube.watch.secrets@1:${fault}`));
    expect(told).toEqual(except(all, ...kills).map((fault) => `create:kube.watch.secrets@1:${fault}`));
  });

  it('are about requests that a run made, each so often as it made them', () => {
    const history = ran([{ verb: 'update', resource: 'secrets' }], ['AssumeRole', 'AssumeRole']);
    const come = (line: string) => comesTo(history, parsePlan(line));
    expect([
      come('drift:kube.update.secrets@1:reset'),
      come('drift:kube.update.secrets@2:reset'),
      come('drift:kube.create.secrets@1:reset'),
      come('drift:aws.AssumeRole@2:reset'),
      come('drift:aws.AssumeRole@3:reset'),
    ]).toEqual([true, false, false, true, false]);
  });

  it('only kill where another scenario has the same requests', () => {
    const history = ran([
      { verb: 'create', resource: 'secrets' },
      { verb: 'update', resource: 'leases' },
    ]);
    const leases = except(all, ...ofWatches, 'stale').filter((fault) => !kills.includes(fault));
    expect(lines('lead', history).sort()).toEqual(
      [
        ...kills.map((kill) => `lead:kube.create.secrets@1:${kill}`),
        ...[...kills, ...leases].map((fault) => `lead:kube.update.leases@1:${fault}`),
      ].sort(),
    );
  });
});

describe('the plans that are chosen', () => {
  const names: ScenarioName[] = ['create', 'refresh', 'respec', 'drift', 'missing'];
  const history = ran([{ verb: 'patch', resource: 'awsassumeroles/status' }], ['AssumeRole']);
  const plans = names.flatMap((name) => plansOf(name, history, 1));
  const count = (found: Plan[], fault: string) => found.filter((plan) => plan.fault === fault).length;

  it('are the same for the same seed, keep every kill, and every fault at each kind of request twice', () => {
    const found = chosen(plans, 7);
    expect(found).toEqual(chosen(plans, 7));
    expect(found).not.toEqual(chosen(plans, 8));
    expect(new Set(found.map(planLine)).size).toBe(found.length);
    expect({
      kills: count(found, 'kill-applied'),
      conflicts: count(found, '409'),
      denied: count(found, 'denied'),
    }).toEqual({
      kills: 2 * names.length,
      conflicts: 2,
      denied: 2,
    });
  });

  it('of the smoke set together have every scenario, quick fault and kill point', () => {
    const found = smoke(plans, 7);
    const [kube, aws] = (['kube', 'aws'] as const).map((side) => found.filter(({ target }) => target.side === side));
    const faults = (list: Plan[] | undefined) => [...new Set(list?.map(({ fault }) => fault))].sort();
    expect(new Set(found.map(({ scenario }) => scenario))).toEqual(new Set(names));
    expect(faults(kube)).toEqual(except(all, ...ofWatches, 'stale').sort());
    expect(faults(aws)).toEqual(except(Object.keys(awsFaults), 'drop', 'drop-after', 'frozen').sort());
    expect(found.length).toBeLessThan(plans.length / 3);
  });
});
