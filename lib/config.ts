import { RolevendError } from './errors.ts';
import { type LogFormat, type LogLevel, logFormats, logLevels } from './log.ts';

/** The environment and arguments of this process. Everything else is handed the values it needs. */
export const environment: Readonly<Record<string, string | undefined>> = process.env;
export const argv: readonly string[] = process.argv;

/** One flag of a command: the source of parsing, help text and reference page. */
export interface Flag {
  /** Without the leading dashes. */
  name: string;
  /** What stands for the value in help texts. */
  value: string;
  /** Environment variable that is read where the flag is not given. */
  env?: string;
  /** The text that is parsed where neither is given. */
  default?: string;
  description: string;
  /** What is accepted, for error messages and the reference page. */
  accepts: string;
  /** Gives the parsed value, or undefined where the text is not accepted. */
  parse(text: string): unknown;
}

/** The names that `--controllers` accepts. */
export const controllerNames = ['aws-assume-role'] as const;
export type ControllerName = (typeof controllerNames)[number];

/** Name of the Lease where no other is given. */
export const DEFAULT_LEASE_NAME = 'rolevend-controller';

const dnsLabel = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const region = /^[a-z]{2,}(-[a-z0-9]+)+-\d{1,2}$/;
const leaseName = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
/** Of a mirrored Pod it is a hash, without dashes. */
const podUid = /^[0-9a-f-]{32,36}$/;
const bindAddress = /^(0|(\[[0-9a-fA-F:]+\]|[0-9A-Za-z.-]*):\d{1,5})$/;

const controllerFlagList = [
  {
    name: 'kubeconfig',
    value: 'path',
    env: 'KUBECONFIG',
    description: 'kubeconfig file of the cluster; without it the ServiceAccount of the Pod is used',
    accepts: 'the path of a file',
    parse: (text) => (text === '' ? undefined : text),
  },
  {
    name: 'namespaces',
    value: 'list',
    env: 'ROLEVEND_NAMESPACES',
    default: '',
    description: 'namespaces to work in; empty means all',
    accepts: 'namespace names, separated by commas',
    parse: (text) => namesOf(text, (name) => dnsLabel.test(name)),
  },
  {
    name: 'controllers',
    value: 'list',
    env: 'ROLEVEND_CONTROLLERS',
    default: controllerNames.join(','),
    description: 'controllers to run',
    accepts: `any of ${controllerNames.join(', ')}, separated by commas`,
    parse: (text) => {
      const names = namesOf(text, (name) => (controllerNames as readonly string[]).includes(name));
      return names?.length ? names : undefined;
    },
  },
  {
    name: 'leader-elect',
    value: 'bool',
    env: 'ROLEVEND_LEADER_ELECT',
    default: 'true',
    description: 'work only while this replica holds the Lease',
    accepts: 'true or false',
    parse: boolean,
  },
  {
    name: 'leader-election-name',
    value: 'name',
    env: 'ROLEVEND_LEADER_ELECTION_NAME',
    default: DEFAULT_LEASE_NAME,
    description: 'name of the Lease; of operators that share a namespace each needs its own',
    accepts: 'the name of a Lease',
    parse: (text) => (leaseName.test(text) ? text : undefined),
  },
  {
    name: 'leader-election-namespace',
    value: 'namespace',
    env: 'ROLEVEND_LEADER_ELECTION_NAMESPACE',
    description: "namespace of the Lease; by default the Pod's own, outside a cluster `default`",
    accepts: 'a namespace name',
    parse: (text) => (dnsLabel.test(text) ? text : undefined),
  },
  {
    name: 'pod-uid',
    value: 'uid',
    env: 'ROLEVEND_POD_UID',
    description:
      'UID of the Pod, from the downward API; a container that starts again then takes the Lease of its predecessor',
    accepts: 'the metadata.uid of a Pod',
    parse: (text) => (podUid.test(text) ? text : undefined),
  },
  {
    name: 'metrics-bind-address',
    value: 'address',
    env: 'ROLEVEND_METRICS_BIND_ADDRESS',
    default: ':8080',
    description: 'where /metrics is served; 0 turns it off',
    accepts: 'host:port, :port or 0',
    parse: address,
  },
  {
    name: 'health-probe-bind-address',
    value: 'address',
    env: 'ROLEVEND_HEALTH_PROBE_BIND_ADDRESS',
    default: ':8081',
    description: 'where /healthz and /readyz are served; 0 turns them off',
    accepts: 'host:port, :port or 0',
    parse: address,
  },
  {
    name: 'cluster-name',
    value: 'name',
    env: 'ROLEVEND_CLUSTER_NAME',
    description:
      'name of this cluster, for external ids and session tags that later versions will derive; nothing uses it yet',
    accepts: '1 to 100 characters of A-Z a-z 0-9 . _ -',
    parse: (text) => (/^[A-Za-z0-9._-]{1,100}$/.test(text) ? text : undefined),
  },
  {
    name: 'region',
    value: 'region',
    env: 'AWS_REGION',
    description:
      'AWS Region whose STS is called where an object names none (AWS_DEFAULT_REGION and the AWS profile in use count, too)',
    accepts: 'the name of a Region, e.g. eu-central-1',
    parse: (text) => (region.test(text) ? text : undefined),
  },
  {
    name: 'concurrency',
    value: 'number',
    env: 'ROLEVEND_CONCURRENCY',
    default: '64',
    description: 'objects that are worked on at the same time',
    accepts: 'a whole number from 1 to 1000',
    parse: (text) => integer(text, 1, 1000),
  },
  {
    name: 'sts-qps',
    value: 'number',
    env: 'ROLEVEND_STS_QPS',
    default: '200',
    description: 'AssumeRole calls a second per base identity and Region',
    accepts: 'a number from 1 to 10000',
    parse: (text) => number(text, 1, 10_000),
  },
  {
    name: 'sts-burst',
    value: 'number',
    env: 'ROLEVEND_STS_BURST',
    default: '500',
    description: 'AssumeRole calls that may start at once after a quiet time',
    accepts: 'a whole number from 1 to 100000',
    parse: (text) => integer(text, 1, 100_000),
  },
  {
    name: 'sts-web-identity-qps',
    value: 'number',
    env: 'ROLEVEND_STS_WEB_IDENTITY_QPS',
    default: '20',
    description: 'AssumeRoleWithWebIdentity calls a second; twice as many may start at once',
    accepts: 'a number from 1 to 10000',
    parse: (text) => number(text, 1, 10_000),
  },
  {
    name: 'object-metrics',
    value: 'bool',
    env: 'ROLEVEND_OBJECT_METRICS',
    default: 'true',
    description: 'metrics with one series per AWSAssumeRole',
    accepts: 'true or false',
    parse: boolean,
  },
  {
    name: 'log-level',
    value: 'level',
    env: 'ROLEVEND_LOG_LEVEL',
    default: 'info',
    description: 'least level that is logged',
    accepts: `one of ${logLevels.join(', ')}`,
    parse: (text) => logLevels.find((level) => level === text),
  },
  {
    name: 'log-format',
    value: 'format',
    env: 'ROLEVEND_LOG_FORMAT',
    default: 'json',
    description: 'json for machines, text for people',
    accepts: `one of ${logFormats.join(', ')}`,
    parse: (text) => logFormats.find((format) => format === text),
  },
] as const satisfies readonly Flag[];

/** The flags of `rolevend controller`, in the order of the help text. */
export const controllerFlags: readonly Flag[] = controllerFlagList;

/** What the flags and environment of `rolevend controller` say. */
export interface ControllerConfig {
  kubeconfig?: string;
  namespaces: string[];
  controllers: ControllerName[];
  leaderElect: boolean;
  leaderElectionName: string;
  leaderElectionNamespace?: string;
  podUid?: string;
  metricsBindAddress: string;
  healthProbeBindAddress: string;
  clusterName?: string;
  region: string;
  concurrency: number;
  stsQps: number;
  stsBurst: number;
  stsWebIdentityQps: number;
  objectMetrics: boolean;
  logLevel: LogLevel;
  logFormat: LogFormat;
}

/** All values that were not accepted, each with flag, value and what is accepted. The process ends with exit code 2. */
export class ConfigError extends RolevendError {
  constructor(problems: readonly string[]) {
    super(problems.join('\n'), { code: 'InvalidConfig', consequence: 'stop' });
  }
}

/** The texts of flags by name, `true` for one that came without a value. */
export type GivenFlags = Readonly<Record<string, string | true | undefined>>;

/**
 * Reads the flags of `rolevend controller`, then the environment, then the defaults. Throws one `ConfigError` that names
 * every bad value.
 */
export function controllerConfig(given: GivenFlags, env = environment): ControllerConfig {
  const { values, problems } = readControllerConfig(given, env);
  if (problems.length > 0) throw new ConfigError(problems);
  return values as ControllerConfig;
}

/**
 * As `controllerConfig`, but gives what was accepted together with a line for each value that was not. `profile` is the Region of
 * the AWS profile in use, which counts where neither flag nor environment names one.
 */
export function readControllerConfig(
  given: GivenFlags,
  env = environment,
  profile?: { text: string; source: string },
): { values: Partial<ControllerConfig>; problems: string[] } {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const flag of controllerFlags) {
    const { text, source } = textOf(flag, given, env, profile);
    if (text === undefined) continue;
    const value = text === true ? undefined : flag.parse(text);
    const wrong = text === true ? 'no value is given' : `"${text}" is not accepted`;
    if (value === undefined) problems.push(`${source}: ${wrong}; give ${flag.accepts}`);
    else values[camelCase(flag.name)] = value;
  }
  if (values['region'] === undefined && !problems.some((problem) => problem.includes('--region'))) {
    problems.push('--region: no Region is given; set it, or AWS_REGION, to the Region whose STS is to be called');
  }
  return { values: values as Partial<ControllerConfig>, problems };
}

/** A line for each argument that no command takes. */
export function argumentProblems(args: readonly string[]): string[] {
  return args.flatMap((arg, i) => {
    if (arg.startsWith('-')) return [`${arg.split('=', 1)[0]}: there is no such flag; --help lists them`];
    // Behind an unknown flag stands its value.
    if (/^-[^=]*$/.test(args[i - 1] ?? '')) return [];
    return [`"${arg}": only flags are accepted; --help lists them`];
  });
}

/** A switch without a value is on. An empty environment variable counts as not set. */
function textOf(flag: Flag, given: GivenFlags, env: typeof environment, profile?: { text: string; source: string }) {
  const text = given[flag.name];
  const isOn = text === true && flag.accepts === 'true or false';
  if (text !== undefined) return { text: isOn ? 'true' : text, source: `--${flag.name}` };
  const fromEnv = (flag.env && env[flag.env]) || (flag.env === 'AWS_REGION' && env['AWS_DEFAULT_REGION']) || undefined;
  if (fromEnv !== undefined) return { text: fromEnv, source: `${flag.env} (flag --${flag.name})` };
  if (flag.env === 'AWS_REGION' && profile) return { text: profile.text, source: `${profile.source} (flag --region)` };
  return { text: flag.default, source: `--${flag.name}` };
}

function camelCase(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function namesOf(text: string, accepts: (name: string) => boolean): string[] | undefined {
  const names = text.split(',').map((name) => name.trim());
  if (text.trim() === '') return [];
  return names.every(accepts) ? [...new Set(names)] : undefined;
}

function boolean(text: string): boolean | undefined {
  return text === 'true' ? true : text === 'false' ? false : undefined;
}

function address(text: string): string | undefined {
  return bindAddress.test(text) && Number(text.split(':').at(-1)) <= 65_535 ? text : undefined;
}

function integer(text: string, least: number, most: number): number | undefined {
  const value = number(text, least, most);
  return Number.isInteger(value) ? value : undefined;
}

function number(text: string, least: number, most: number): number | undefined {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  return value >= least && value <= most ? value : undefined;
}
