import { type KubeFault, type KubeVerb, kubeFaults } from '../lab/fault-proxy.ts';
import { type AwsFault, awsFaults } from './aws-faults.ts';
import { type ScenarioName, scenarios } from './scenarios.ts';

/** At which kind of request a fault acts. */
export type Target = { side: 'kube'; verb: KubeVerb; resource: string } | { side: 'aws'; action: string };

/** One fault in one scenario: all that has to be known to see it again. */
export interface Plan {
  scenario: ScenarioName;
  target: Target;
  /** Which of the requests of that kind, 1 for the first after the scenario's set-up. */
  nth: number;
  fault: KubeFault | AwsFault;
}

const LINE = /^([a-z]+):(?:kube\.([a-z]+)\.([a-z/]+)|aws\.([A-Za-z]+))@(\d+):([a-z0-9-]+)$/;
const resources: readonly string[] = [
  'awsassumeroles',
  'awsassumeroles/status',
  'secrets',
  'rolegrants',
  'namespaces',
  'events',
  'leases',
  'deployments',
  'statefulsets',
  'serviceaccounts/token',
];
const actions: readonly string[] = [
  'AssumeRole',
  'AssumeRoleWithWebIdentity',
  'GetCallerIdentity',
  'GetAuthorizationToken',
];
const verbs: readonly string[] = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'];

/** A plan as one word without anything that a shell would touch: `refresh:kube.update.secrets@1:kill-before`. */
export function planLine({ scenario, target, nth, fault }: Plan): string {
  return `${scenario}:${targetText(target)}@${nth}:${fault}`;
}

/** The kind of request in the words of a plan: `kube.update.secrets` or `aws.AssumeRole`. */
export function targetText(target: Target): string {
  return target.side === 'aws' ? `aws.${target.action}` : `kube.${target.verb}.${target.resource}`;
}

/** Whether the fault is a kill of the operator. */
export function isKill({ fault }: { fault: string }): boolean {
  return fault.startsWith('kill');
}

/** Reads what `planLine` wrote. Throws an Error that names what is wrong and what is accepted. */
export function parsePlan(line: string): Plan {
  const [, scenario = '', verb, resource, action, nth, fault = ''] = LINE.exec(line) ?? [];
  if (nth === undefined) throw wrong(line, 'it is not <scenario>:kube.<verb>.<resource>@<n>:<fault>', []);
  if (!Object.hasOwn(scenarios, scenario))
    throw wrong(line, `there is no scenario "${scenario}"`, Object.keys(scenarios));
  if (verb !== undefined && !verbs.includes(verb)) throw wrong(line, `there is no verb "${verb}"`, verbs);
  if (resource !== undefined && !resources.includes(resource))
    throw wrong(line, `the operator asks for no "${resource}"`, resources);
  if (action !== undefined && !actions.includes(action))
    throw wrong(line, `the operator makes no call "${action}"`, actions);
  if (nth === '0') throw wrong(line, 'the first request is number 1', ['1', '2', '3 and so on']);
  const known = Object.keys(action === undefined ? kubeFaults : awsFaults);
  if (!known.includes(fault)) throw wrong(line, `there is no fault "${fault}" there`, known);
  const target: Target =
    action === undefined ? { side: 'kube', verb: verb as KubeVerb, resource: resource ?? '' } : { side: 'aws', action };
  return { scenario: scenario as ScenarioName, target, nth: Number(nth), fault: fault as Plan['fault'] };
}

function wrong(line: string, problem: string, accepted: readonly string[]): Error {
  const example = 'refresh:kube.update.secrets@1:kill-before or create:aws.AssumeRole@1:throttle';
  const choice =
    accepted.length > 0 ? `accepted are ${accepted.join(', ')}` : `for AWS it is <scenario>:aws.<action>@<n>:<fault>`;
  return new Error(`plan "${line}": ${problem}; ${choice}; for example ${example}`);
}
