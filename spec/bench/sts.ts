import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('sts-stand-in.ts', import.meta.url));

/** A running stand-in for STS. */
export interface Sts {
  /** The variables with which a process finds it. */
  environment: Record<string, string>;
  /** AssumeRole calls so far, as soon as there are so many. Not to be asked again before it has answered. */
  assumeRoleCalls(atLeast?: number): Promise<number>;
  stop(): void;
}

/** Starts the stand-in. It ends with this process. */
export async function startSts(): Promise<Sts> {
  const child = fork(PROGRAM, { execArgv: ['--no-warnings'] });
  const answer = async <T>() => (await once(child, 'message'))[0] as T;
  const port = await answer<number>();
  return {
    environment: {
      AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
      AWS_REGION: 'eu-central-1',
      AWS_ACCESS_KEY_ID: 'AKIASTANDIN',
      AWS_SECRET_ACCESS_KEY: 'stand-in',
      AWS_EC2_METADATA_DISABLED: 'true',
    },
    assumeRoleCalls(atLeast = 0) {
      child.send(atLeast);
      return answer<number>();
    },
    stop: () => child.disconnect(),
  };
}
