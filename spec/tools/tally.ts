/** What of jest's `--json` report is counted. */
export interface JestReport {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  /** Files that threw before their first test, so that none of their tests was counted. */
  numRuntimeErrorTestSuites: number;
}

/** Passed and failed checks; a test is one check, and so is each of lint, types, generated files and build. */
export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
  /** Why something counts as failed that no test reported, for people. */
  problem?: string;
}

/** One check that is no test: exit code 0 passes. */
export function ofCheck(exitCode: number): Tally {
  return exitCode === 0 ? { passed: 1, failed: 0, skipped: 0 } : { passed: 0, failed: 1, skipped: 0 };
}

/**
 * A jest run. A run without a report, without a single executed test, or whose exit code tells of a failure that the
 * report does not hold (a teardown that threw) counts as one failed check more.
 */
export function ofJest(exitCode: number, report: JestReport | undefined): Tally {
  if (report === undefined)
    return { passed: 0, failed: 1, skipped: 0, problem: `jest ended with ${exitCode} and no report` };
  const passed = report.numPassedTests;
  const failed = report.numFailedTests + report.numRuntimeErrorTestSuites;
  const skipped = report.numPendingTests + report.numTodoTests;
  if (failed > 0) return { passed, failed, skipped };
  if (passed === 0) return { passed, failed: 1, skipped, problem: 'no test was executed' };
  if (exitCode !== 0)
    return { passed, failed: 1, skipped, problem: `jest ended with ${exitCode} although no test failed` };
  return { passed, failed, skipped };
}

/** The sum of all tallies. */
export function sum(tallies: readonly Tally[]): Tally {
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const tally of tallies) {
    total.passed += tally.passed;
    total.failed += tally.failed;
    total.skipped += tally.skipped;
  }
  return total;
}
