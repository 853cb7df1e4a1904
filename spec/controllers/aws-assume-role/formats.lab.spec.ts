import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'ini';
import { temporaryDirectory } from '../../lab/guard.ts';
import { startProjector } from '../../lab/index.ts';
import { findPython } from '../../lab/install/python.ts';
import { run } from '../../lab/install/run.ts';
import { type App, openApp } from './observe.ts';

const CLASSIC = '444455556666.dkr.ecr.us-west-2.amazonaws.com/team/app';

/** What a user's own program does: it knows of the file alone. */
const PROGRAM = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])";

describe('the Secret of an AWSAssumeRole', () => {
  let app: App;

  beforeAll(async () => {
    app = await openApp();
    await app.scene.apply('file', { secretType: 'File' });
    await app.scene.apply('ecr', { secretType: 'EcrDockerConfigJson', ecrRepositoryUrl: CLASSIC });
  });

  afterAll(async () => {
    await app?.close();
  });

  test('is an AWS shared credentials file, byte for byte', async () => {
    const { status } = await app.scene.ready('file');
    const secret = await app.scene.secret('file');
    const [session] = app.stage.aws.gateway.issued().filter(({ accessKeyId }) => accessKeyId === status?.accessKeyId);
    const { accessKeyId, secretAccessKey, sessionToken } = session ?? {};
    expect({ type: secret?.type, text: secret?.text }).toEqual({
      type: 'Opaque',
      text: {
        credentials: `[default]\naws_access_key_id=${accessKeyId}\naws_secret_access_key=${secretAccessKey}\naws_session_token=${sessionToken}`,
      },
    });
    expect(parse(secret?.text['credentials'] ?? '')).toEqual({
      default: {
        aws_access_key_id: accessKeyId,
        aws_secret_access_key: secretAccessKey,
        aws_session_token: sessionToken,
      },
    });
  });

  test('is read by boto3 from a mounted volume', async () => {
    const { status } = await app.scene.ready('file');
    const directory = await temporaryDirectory('rolevend-mounted-');
    const { kubeconfig } = app.stage.plane;
    const mounted = { kubeconfig, namespace: app.scene.ns.name, name: 'file', directory: join(directory.path, 'aws') };
    const projector = await startProjector(mounted);
    try {
      await projector.sync();
      const env = {
        ...app.stage.aws.environment(),
        HOME: directory.path,
        AWS_SHARED_CREDENTIALS_FILE: join(mounted.directory, 'credentials'),
      };
      const outcome = await run([(await findPython()) ?? '', '-c', PROGRAM], { env });
      expect(outcome).toEqual({ code: 0, stderr: '', stdout: `${status?.assumedRoleArn}\n` });
    } finally {
      await projector.stop();
      await directory.remove();
    }
  });

  test('is an image pull Secret with a registry token of the session', async () => {
    const { status } = await app.scene.ready('ecr');
    const secret = await app.scene.secret('ecr');
    const [token] = app.stage.aws.gateway.ecrTokens();
    const password = token?.password ?? '';
    const auth = Buffer.from(`AWS:${password}`).toString('base64');
    expect({ ...token, password: '' }).toMatchObject({ region: 'us-west-2', accessKeyId: status?.accessKeyId });
    expect({ type: secret?.type, text: secret?.text }).toEqual({
      type: 'kubernetes.io/dockerconfigjson',
      text: { '.dockerconfigjson': JSON.stringify({ auths: { [CLASSIC]: { username: 'AWS', password, auth } } }) },
    });
  });

  test.each([
    ['an alias of the registry', 'registry.example.org/team', 'eu-central-1'],
    ['a FIPS host', '444455556666.dkr.ecr-fips.us-east-1.amazonaws.com', 'us-east-1'],
    ['a dual-stack host', '444455556666.dkr-ecr.eu-west-1.on.aws/app', 'eu-west-1'],
  ])('keeps %s as it was written and asks the right Region', async (_what, ecrRepositoryUrl, region) => {
    const name = `ecr-${region}`;
    await app.scene.apply(name, { secretType: 'EcrDockerConfigJson', ecrRepositoryUrl });
    const { status } = await app.scene.ready(name);
    const { text } = (await app.scene.secret(name)) ?? { text: {} as Record<string, string> };
    const tokens = app.stage.aws.gateway.ecrTokens();
    expect(Object.keys(JSON.parse(text['.dockerconfigjson'] ?? '{}').auths)).toEqual([ecrRepositoryUrl]);
    expect(tokens.find(({ accessKeyId }) => accessKeyId === status?.accessKeyId)?.region).toBe(region);
  });
});
