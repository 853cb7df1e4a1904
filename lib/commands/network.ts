import type { AwsOptions } from '../aws/options.ts';
import type { Clock } from '../clock.ts';
import { ConfigError } from '../config.ts';
import { RolevendError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { FileCopy } from '../net/file-copy.ts';
import { certificatesOf } from '../net/pem.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** As curl reads them. */
const PROXIES = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'];
const ENDPOINT = /^AWS_ENDPOINT_URL(_[A-Z0-9_]+)?$/;
const SWITCHES = ['AWS_USE_FIPS_ENDPOINT', 'AWS_USE_DUALSTACK_ENDPOINT'];

/**
 * What the environment says about the way to AWS. Endpoints and switches are read by the AWS SDK itself; here they are
 * only judged, because it would complain at the first request. The file of `AWS_CA_BUNDLE` is read again when it changes.
 * @throws ConfigError that names every variable that is not accepted; never a value, which may hold a password
 */
export function awsNetwork(
  env: Environment,
  by: { clock: Clock; log: Logger },
): Pick<AwsOptions, 'proxyEnv'> & { ca: (() => string) | undefined } {
  const problems = [
    ...refused(env, PROXIES, isHttpUrl, 'the URL of a proxy, as http://proxy.example.com:3128'),
    ...refused(
      env,
      Object.keys(env).filter(isEndpoint),
      isHttpUrl,
      'the URL of an endpoint, as https://sts.example.com',
    ),
    ...refused(env, SWITCHES, (value) => value === 'true' || value === 'false', 'true or false'),
  ];
  const ca = caBundle(env['AWS_CA_BUNDLE'], problems, by);
  if (problems.length > 0) throw new ConfigError(problems);
  return { proxyEnv: env, ca };
}

/** A line for each of the variables that is set to something that is not accepted. */
function refused(env: Environment, names: string[], accepts: (value: string) => boolean, wanted: string): string[] {
  return names
    .filter((name) => env[name] && !accepts(env[name]))
    .map((name) => `${name}: the value is not accepted; give ${wanted}`);
}

function isEndpoint(name: string): boolean {
  return ENDPOINT.test(name);
}

/** User and password, where it has them, have to be percent-encoded. */
function isHttpUrl(value: string): boolean {
  try {
    const { protocol, username, password } = new URL(value);
    decodeURIComponent(username + password);
    return ['http:', 'https:'].includes(protocol);
  } catch {
    return false;
  }
}

function caBundle(
  path: string | undefined,
  problems: string[],
  by: { clock: Clock; log: Logger },
): (() => string) | undefined {
  if (path === undefined || path === '') return undefined;
  try {
    const file = new FileCopy({ ...by, path, parse: certificatesOf });
    return () => file.value;
  } catch (error) {
    const problem = error instanceof RolevendError ? `"${path}" ${error.message}` : `cannot read "${path}"`;
    problems.push(`AWS_CA_BUNDLE: ${problem}; give the path of a PEM file`);
    return undefined;
  }
}
