import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { sleep, systemClock } from '../../../lib/clock.ts';
import { HANG_LIMIT_MS } from '../../support/eventually.ts';
import { type GuardedProcess, startGuarded, temporaryDirectory } from '../guard.ts';
import { freePort } from '../ports.ts';

/** A running ministack. Only the gateway talks to it: it takes 12 digits as an unchecked root key of that account. */
export interface Ministack {
  url: string;
  stop(): Promise<void>;
}

export interface MinistackOptions {
  /** A Python interpreter that has ministack. */
  python: string;
  accountId: string;
  region: string;
}

const PORT_TRIES = 3;

/** Starts ministack with authentication on a free loopback port. Throws Error with its output when it does not come up. */
export async function startMinistack(options: MinistackOptions): Promise<Ministack> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOn(await freePort(), options);
    } catch (error) {
      if (attempt === PORT_TRIES) throw error;
    }
  }
}

async function startOn(port: number, options: MinistackOptions): Promise<Ministack> {
  const directory = await temporaryDirectory('rolevend-aws-');
  const mark = randomUUID();
  const child = startGuarded({
    name: 'ministack',
    command: [options.python, '-m', 'ministack'],
    logFile: join(directory.path, 'log'),
    cwd: directory.path,
    env: { ...environmentFor(port, directory.path, options), MINISTACK_EDITION: mark },
  });
  const stop = async () => {
    await child.stop();
    await directory.remove();
  };
  const url = `http://127.0.0.1:${port}`;
  if (await answers(url, child, mark)) return { url, stop };
  const output = await child.tail();
  await stop();
  throw new Error(`ministack (${options.python}) did not come up: ${output}`);
}

/** The two listeners with fixed ports are off, and nothing of the user's AWS or Docker settings gets in. */
function environmentFor(port: number, directory: string, options: MinistackOptions): NodeJS.ProcessEnv {
  return {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    HOME: directory,
    TMPDIR: directory,
    S3_DATA_DIR: join(directory, 's3'),
    STATE_DIR: join(directory, 'state'),
    AUTH: 'true',
    BIND_HOST: '127.0.0.1',
    GATEWAY_PORT: String(port),
    MINISTACK_ACCOUNT_ID: options.accountId,
    MINISTACK_REGION: options.region,
    LOG_LEVEL: 'WARNING',
    IOT_MTLS_ENABLED: '0',
    SFTP_ENABLED: '0',
    DOCKER_HOST: `unix://${directory}/none.sock`,
  };
}

/** The health page repeats `mark`: who took the port in between is not mistaken for ours. */
async function answers(url: string, child: GuardedProcess, mark: string): Promise<boolean> {
  const end = systemClock.monotonic() + HANG_LIMIT_MS;
  while (child.running && systemClock.monotonic() < end) {
    const page = await fetch(`${url}/_ministack/health`).then(
      (response) => response.text(),
      () => '',
    );
    if (page.includes(mark)) return true;
    await sleep(systemClock, 20);
  }
  return false;
}
