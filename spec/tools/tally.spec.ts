import { expect, test } from '@jest/globals';
import { type JestReport, ofCheck, ofJest, sum } from './tally.ts';

const green: JestReport = {
  numPassedTests: 3,
  numFailedTests: 0,
  numPendingTests: 1,
  numTodoTests: 1,
  numRuntimeErrorTestSuites: 0,
};

test.each([
  ['a green run counts its tests', 0, green, { passed: 3, failed: 0, skipped: 2 }],
  ['failed tests are counted', 1, { ...green, numFailedTests: 2 }, { passed: 3, failed: 2, skipped: 2 }],
  [
    'a file that throws before its first test is a failure',
    1,
    { ...green, numRuntimeErrorTestSuites: 1 },
    { passed: 3, failed: 1, skipped: 2 },
  ],
  [
    'a run that executes no test is a failure',
    0,
    { ...green, numPassedTests: 0 },
    { passed: 0, failed: 1, skipped: 2, problem: 'no test was executed' },
  ],
  [
    'a teardown that throws is a failure',
    1,
    green,
    { passed: 3, failed: 1, skipped: 2, problem: 'jest ended with 1 although no test failed' },
  ],
  [
    'a run that crashes is a failure',
    139,
    undefined,
    { passed: 0, failed: 1, skipped: 0, problem: 'jest ended with 139 and no report' },
  ],
])('%s', (_, exitCode, report, expected) => {
  expect(ofJest(exitCode, report)).toEqual(expected);
});

test('a check passes with exit code 0 alone, and everything is summed up', () => {
  expect(sum([ofCheck(0), ofCheck(2), ofJest(0, green)])).toEqual({ passed: 4, failed: 1, skipped: 2 });
});
