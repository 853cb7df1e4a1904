import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { AWSAssumeRoleSpec } from '../../../lib/api/aws-assume-role.ts';
import { systemClock } from '../../../lib/clock.ts';
import { type Consumer, consumers, startConsumer } from '../../lab/consumers/consumer.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../../lab/guard.ts';
import { trustPrincipals } from '../../lab/index.ts';
import { findPython } from '../../lab/install/python.ts';
import { run } from '../../lab/install/run.ts';
import { type Projector, startProjector } from '../../lab/projector.ts';
import { eventually } from '../../support/eventually.ts';
import { openTimeScene, openTimeStage, passUntil, type TimeStage } from './probes.ts';
import type { Scene } from './support.ts';

const names = Object.keys(consumers) as (keyof typeof consumers)[];
const MINUTE = 60_000;
/** Short enough for every SDK to read the Secret again at each call, and long enough for a slow machine. */
const SHORT_SECONDS = 240;

/** A Secret as a Pod has it: a directory that follows it. */
interface Mount {
  path: string;
  /** Variables of a program that knows of the directory alone. */
  env: Record<string, string>;
  projector: Projector;
}

describe('a program that reads a mounted Secret', () => {
  let stage: TimeStage;
  let scene: Scene;
  let home: TemporaryDirectory;
  let running: Consumer[] = [];
  let mounts: Mount[] = [];

  beforeAll(async () => {
    stage = await openTimeStage();
    const trust = trustPrincipals(stage.keys.arn);
    await stage.aws.createRole('app', { trust });
    await stage.aws.createRole('short', { trust });
    stage.aws.gateway.sessionSeconds(SHORT_SECONDS, { role: 'short' });
    scene = await openTimeScene(stage);
    home = await temporaryDirectory('rolevend-consumer-');
  });

  afterEach(async () => {
    await Promise.all(running.map((consumer) => consumer.stop()));
    await Promise.all(mounts.map(({ projector }) => projector.stop()));
    running = [];
    mounts = [];
  });

  afterAll(async () => {
    await scene?.close();
    await stage?.stop();
    await home?.remove();
  });

  /** Applies an object of type Process or File and mounts its Secret. */
  async function mount(name: string, spec: Partial<AWSAssumeRoleSpec>): Promise<Mount> {
    const path = join(home.path, name);
    const output = spec.secretType === 'Process' ? { output: { mountPath: path } } : {};
    await scene.apply(name, { ...spec, ...output });
    await scene.ready(name);
    const { kubeconfig } = stage.plane;
    const projector = await startProjector({
      kubeconfig,
      namespace: scene.ns.name,
      name,
      directory: path,
      intervalMs: 100,
    });
    await projector.sync();
    const file = spec.secretType === 'Process' ? 'AWS_CONFIG_FILE' : 'AWS_SHARED_CREDENTIALS_FILE';
    const env = {
      ...stage.aws.environment(),
      HOME: home.path,
      [file]: join(path, spec.secretType === 'Process' ? 'config' : 'credentials'),
    };
    const mounted = { path, env, projector };
    mounts.push(mounted);
    return mounted;
  }

  async function start(name: keyof typeof consumers, env: Record<string, string>): Promise<Consumer> {
    const consumer = await startConsumer(name, env);
    running.push(consumer);
    return consumer;
  }

  const arnOf = (role: string, name: string) =>
    `arn:aws:sts::${stage.aws.accountId}:assumed-role/${role}/rolevend-${scene.ns.name}.${name}`;

  test('of type Process works on over three rotations, whatever its SDK', async () => {
    const { env, projector } = await mount('short', { roleName: 'short', secretType: 'Process' });
    const programs = await Promise.all(names.map((name) => start(name, env)));
    const seen: string[] = [];
    const errors: unknown[] = [];
    const isOurs = (one: { arn: string; accessKeyId: string }) =>
      one.arn === arnOf('short', 'short') && seen.includes(one.accessKeyId);
    for (let rotation = 0; rotation <= 3; rotation += 1) {
      const accessKeyId = await passUntil({ stage, scene }, 'a session that is new', async () => {
        const { accessKeyId: held = '' } = await scene.status('short');
        return seen.includes(held) ? undefined : held;
      });
      seen.push(accessKeyId);
      await projector.sync();
      // What has more than five minutes left is kept by every SDK, so that a shorter one is read at each call. The one for
      // JavaScript reads while it signs one more request with what it has.
      await eventually('the new session in each program', async (saw) => {
        const ahead = stage.clock.now() - systemClock.now();
        const found = saw(await Promise.all(programs.map((program) => program.call(ahead))));
        errors.push(...found.filter((one) => one.error !== undefined || !isOurs(one)));
        return errors.length > 0 || found.every((one) => one.error === undefined && one.accessKeyId === accessKeyId);
      });
    }
    expect(errors).toEqual([]);
  });

  test.each([
    ['boto3', 16, 14],
    ['the AWS SDK for JavaScript', 6, 4],
  ] as const)(
    'of type Process keeps an hour for itself, and reads again shortly before its end: %s',
    async (sdk, keptAt, readAt) => {
      const name = sdk === 'boto3' ? 'hour-python' : 'hour-javascript';
      const { env, projector } = await mount(name, { secretType: 'Process' });
      const program = await start(sdk, env);
      const began = stage.clock.now();
      const call = (left: number) => {
        stage.clock.skip(Math.max(0, began + (60 - left) * MINUTE - stage.clock.now()));
        return program.call(stage.clock.now() - systemClock.now());
      };
      const first = (await scene.status(name)).accessKeyId;
      expect(await call(60)).toEqual({ arn: arnOf('app', name), accessKeyId: first });
      stage.clock.skip(37 * MINUTE);
      const second = await eventually('the refresh', async () => {
        const { accessKeyId } = await scene.status(name);
        return accessKeyId === first ? undefined : accessKeyId;
      });
      await projector.sync();
      expect(await call(keptAt)).toEqual({ arn: arnOf('app', name), accessKeyId: first });
      // The SDK for JavaScript reads while it signs one more request with what it has.
      const read = await eventually('the new session', async () => {
        const found = await call(readAt);
        return found.error === undefined && found.accessKeyId === first ? undefined : found;
      });
      expect(read).toEqual({ arn: arnOf('app', name), accessKeyId: second });
      expect(await program.stop()).toEqual({ code: 0, stderr: '' });
    },
  );

  /** Who the AWS CLI says we are. */
  async function whoAmI(env: Record<string, string>) {
    const python = (await findPython()) ?? '';
    const command = [join(dirname(python), 'aws'), 'sts', 'get-caller-identity', '--query', 'Arn', '--output', 'text'];
    return run(command, { env: { PATH: process.env['PATH'], ...env } });
  }

  test.each(['File', 'Process'] as const)('of type %s may be the AWS CLI', async (secretType) => {
    const name = `cli-${secretType.toLowerCase()}`;
    const { env } = await mount(name, { secretType });
    expect(await whoAmI(env)).toEqual({ code: 0, stderr: '', stdout: `${arnOf('app', name)}\n` });
  });

  test('of type File under another profile is found by that profile alone', async () => {
    const { env } = await mount('profile', { secretType: 'File', output: { profile: 'team-a' } });
    const named = await whoAmI({ ...env, AWS_PROFILE: 'team-a' });
    expect(named).toEqual({ code: 0, stderr: '', stdout: `${arnOf('app', 'profile')}\n` });
    expect((await whoAmI(env)).stderr).toContain('Unable to locate credentials');
  });

  test('of type Env needs nothing but the variables', async () => {
    await scene.apply('env', { secretType: 'Env', output: { include: ['region', 'expiration', 'roleArn'] } });
    await scene.ready('env');
    const { text = {} } = (await scene.secret('env')) ?? {};
    // A kubelet of an older version leaves keys out that a shell would not take for the name of a variable.
    expect(Object.keys(text).filter((key) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(key))).toEqual([]);
    const { AWS_ENDPOINT_URL = '' } = stage.aws.environment();
    const env = { HOME: home.path, AWS_ENDPOINT_URL, AWS_EC2_METADATA_DISABLED: 'true', ...text };
    const expected = { arn: arnOf('app', 'env'), accessKeyId: (await scene.status('env')).accessKeyId };
    for (const sdk of names) expect(await (await start(sdk, env)).call()).toEqual(expected);
    expect(await whoAmI(env)).toEqual({ code: 0, stderr: '', stdout: `${expected.arn}\n` });
  });
});
