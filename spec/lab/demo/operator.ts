import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually } from '../../support/eventually.ts';
import { type GuardedProcess, startGuarded } from '../guard.ts';
import { readImage } from '../image.ts';
import { exists } from '../install/cache.ts';
import { freePort } from '../ports.ts';

const BUNDLE = fileURLToPath(new URL('../../../dist/rolevend.mjs', import.meta.url));

/** The operator as its users run it: one process of the bundled file, with the settings of Node that the image has. */
export interface OperatorProcess {
  process: GuardedProcess;
  /** Where /metrics, /healthz and /readyz are. */
  url: string;
}

/** How to start it. */
export interface OperatorProcessOptions {
  kubeconfig: string;
  /** The variables of AWS. No other AWS setting of the machine reaches the process. */
  aws: Record<string, string>;
  /** Home and log file of the process are in here. */
  directory: string;
  flags?: string[];
}

/**
 * Starts `rolevend controller` and waits until it is ready.
 *
 * @throws Error with the last lines of its log when it ends or is not ready after `HANG_LIMIT_MS`
 */
export async function startOperatorProcess(options: OperatorProcessOptions): Promise<OperatorProcess> {
  if (!(await exists(BUNDLE))) throw new Error('dist/rolevend.mjs is not there; run "make build" first');
  const address = `127.0.0.1:${await freePort()}`;
  const home = join(options.directory, 'operator');
  await mkdir(home, { recursive: true });
  const addresses = [`--metrics-bind-address=${address}`, `--health-probe-bind-address=${address}`];
  const flags = [`--kubeconfig=${options.kubeconfig}`, '--log-format=text', ...addresses, ...(options.flags ?? [])];
  const image = await readImage();
  const settings = image.entrypoint.slice(1, -1);
  const operator = startGuarded({
    name: 'rolevend',
    command: [process.execPath, ...settings, BUNDLE, 'controller', ...flags],
    logFile: join(home, 'log'),
    env: { ...image.env, PATH: process.env.PATH, HOME: home, ...options.aws },
  });
  try {
    await ready(operator, `http://${address}`);
  } catch (error) {
    await operator.stop();
    throw error;
  }
  return { process: operator, url: `http://${address}` };
}

async function ready(operator: GuardedProcess, url: string): Promise<void> {
  const answers = async () => (await fetch(`${url}/readyz`)).ok || !operator.running;
  await eventually('the operator to be ready', answers).catch(async (error: unknown) => {
    throw new Error(`${(error as Error).message}\n${await operator.tail()}`);
  });
  if (!operator.running) throw new Error(`the operator ended:\n${await operator.tail()}`);
}
