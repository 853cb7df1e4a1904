import { textOf } from '../controllers/aws-assume-role/observe.ts';
import { faultOf, type KubeFault } from '../lab/fault-proxy.ts';
import { type AwsFault, awsFaultOf } from './aws-faults.ts';
import type { History } from './history.ts';
import { type Plan, planLine, targetText } from './plan.ts';
import { scenarioOf } from './scenarios.ts';
import type { Result } from './suite.ts';

/** What happened while a plan ran, a line each, in the order of time. Access key ids tell the sessions apart. */
export function timeline(history: History): string[] {
  const { startedAt, notes, requests, calls, revisions } = history;
  const rows = [
    ...notes.map(({ at, what }) => ({ at, line: `-- ${what}` })),
    ...requests.map(({ at, verb, resource, name = '', status = '', fault, passed }) => ({
      at,
      line: words(['kube', verb, resource, name, status, passed ? '' : '(not passed on)', fault && `<== ${fault}`]),
    })),
    ...calls.map(({ at, action, status = '', code = '' }) => ({ at, line: words(['aws ', action, status, code]) })),
    ...revisions.map(({ at, type, secret }) => ({
      at,
      line: words(['    ', `Secret ${secret.metadata.name}`, type, textOf(secret)['awsAccessKeyId'] ?? secret.type]),
    })),
  ];
  rows.sort((a, b) => a.at - b.at);
  return rows.map(({ at, line }) => `${((at - startedAt) / 1000).toFixed(3).padStart(9)} s  ${line}`);
}

function words(parts: readonly unknown[]): string {
  return parts.filter((part) => part !== '' && part !== undefined).join(' ');
}

/** Failures first, then how many plans of each kind there were. */
export function table(results: readonly Result[]): string {
  const failed = results.filter(({ wrong }) => wrong.length > 0);
  const failures = failed.map(({ plan, wrong }) => [`FAILED ${planLine(plan)}`, ...wrong.map((line) => `  ${line}`)]);
  const voids = results.filter(({ isVoid }) => isVoid === true).map(({ plan }) => `void: ${planLine(plan)}`);
  const lines = [...failures.flat(), ...kinds(results), ...voids];
  return lines.join('\n');
}

function kinds(results: readonly Result[]): string[] {
  const rows = new Map<string, { plans: number; failed: number; seconds: number }>();
  for (const { plan, wrong, seconds } of results) {
    const row = rows.get(targetText(plan.target)) ?? { plans: 0, failed: 0, seconds: 0 };
    rows.set(targetText(plan.target), {
      plans: row.plans + 1,
      failed: row.failed + (wrong.length > 0 ? 1 : 0),
      seconds: Math.max(row.seconds, seconds),
    });
  }
  const cells = [...rows].sort(([, a], [, b]) => b.failed - a.failed || b.plans - a.plans);
  return [
    `${'kind of request'.padEnd(40)} plans  failed  slowest`,
    ...cells.map(([kind, { plans, failed, seconds }]) =>
      [
        kind.padEnd(40),
        String(plans).padStart(5),
        String(failed).padStart(7),
        `${seconds.toFixed(0)} s`.padStart(8),
      ].join(' '),
    ),
  ];
}

/** A plan in words. */
export function faultWords({ scenario, target, nth, fault }: Plan): string {
  const { what } = target.side === 'aws' ? awsFaultOf(fault as AwsFault) : faultOf(fault as KubeFault);
  return `${scenarioOf(scenario).what}; at ${targetText(target)}, number ${nth}: ${what}`;
}
