import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('sts-stand-in.ts', import.meta.url));

/** A running stand-in for STS. */
export interface Sts {
  /** The variables with which a process finds it. */
  environment: Record<string, string>;
  pid: number;
  /** AssumeRole calls so far. */
  assumeRoleCalls(): Promise<number>;
  stop(): void;
}

/** Starts the stand-in. It ends with this process. */
export async function startSts(): Promise<Sts> {
  const child = fork(PROGRAM, { execArgv: ['--no-warnings'] });
  const answer = async <T>() => (await once(child, 'message'))[0] as T;
  const port = await answer<number>();
  return {
    pid: child.pid ?? 0,
    environment: {
      AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
      AWS_REGION: 'eu-central-1',
      AWS_ACCESS_KEY_ID: 'AKIASTANDIN',
      AWS_SECRET_ACCESS_KEY: 'stand-in',
      AWS_EC2_METADATA_DISABLED: 'true',
    },
    async assumeRoleCalls() {
      child.send('calls');
      return (await answer<Record<string, number>>())['AssumeRole'] ?? 0;
    },
    stop: () => child.disconnect(),
  };
}
