import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { kubeFaults } from '../lab/fault-proxy.ts';
import { awsFaults } from './aws-faults.ts';
import { type Plan, parsePlan, planLine } from './plan.ts';
import { scenarios } from './scenarios.ts';

const scenario = fc.constantFrom(...(Object.keys(scenarios) as Plan['scenario'][]));
const nth = fc.integer({ min: 1, max: 99 });
const kube = fc.record({
  scenario,
  nth,
  target: fc.record({
    side: fc.constant('kube' as const),
    verb: fc.constantFrom('get' as const, 'watch' as const, 'patch' as const),
    resource: fc.constantFrom('secrets', 'awsassumeroles/status'),
  }),
  fault: fc.constantFrom(...(Object.keys(kubeFaults) as Plan['fault'][])),
});
const aws = fc.record({
  scenario,
  nth,
  target: fc.record({ side: fc.constant('aws' as const), action: fc.constantFrom('AssumeRole', 'GetCallerIdentity') }),
  fault: fc.constantFrom(...(Object.keys(awsFaults) as Plan['fault'][])),
});

describe('a plan', () => {
  it('is one word that a shell leaves alone, and reads back as it was', () => {
    const roundTrip = fc.property(fc.oneof(kube, aws), (plan: Plan) => {
      expect(planLine(plan)).toMatch(/^[\w.:@/-]+$/);
      expect(parsePlan(planLine(plan))).toEqual(plan);
    });
    fc.assert(roundTrip);
  });

  it.each([
    ['refresh', 'it is not <scenario>:kube.<verb>.<resource>@<n>:<fault>'],
    ['refresh:kube.update.secrets:reset', 'it is not <scenario>:kube.<verb>.<resource>@<n>:<fault>'],
    ['constructor:kube.update.secrets@1:reset', 'there is no scenario "constructor"; accepted are create, lead,'],
    ['refresh:kube.update.secretz@1:reset', 'the operator asks for no "secretz"; accepted are awsassumeroles,'],
    ['refresh:aws.AssumeRoll@1:reset', 'the operator makes no call "AssumeRoll"; accepted are AssumeRole,'],
    ['refresh:kube.update.secrets@0:reset', 'the first request is number 1; accepted are 1, 2,'],
    ['party:kube.update.secrets@1:reset', 'there is no scenario "party"; accepted are create, lead,'],
    ['refresh:kube.put.secrets@1:reset', 'there is no verb "put"; accepted are get, list, watch, create,'],
    ['refresh:kube.update.secrets@1:throttle', 'there is no fault "throttle" there; accepted are 401, 403, 409,'],
    ['refresh:aws.AssumeRole@1:409', 'there is no fault "409" there; accepted are 429, 502, 503, delay, drop,'],
  ])('that reads %s is refused with what is accepted', (line, problem) => {
    expect(() => parsePlan(line)).toThrow(`plan "${line}": ${problem}`);
  });
});
