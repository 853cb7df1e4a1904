import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { loadConfig, NODE_REGION_CONFIG_FILE_OPTIONS, NODE_REGION_CONFIG_OPTIONS } from '@smithy/core/config';
import { profileRegion } from '../../lib/commands/aws-profile.ts';
import { readControllerConfig } from '../../lib/config.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../lab/guard.ts';

let home: TemporaryDirectory;
const before = { ...process.env };

beforeEach(async () => {
  home = await temporaryDirectory('rolevend-profile-');
});
afterEach(async () => {
  process.env = { ...before };
  await home.remove();
});

async function write(name: string, text: string): Promise<string> {
  await mkdir(join(home.path, '.aws'), { recursive: true });
  const path = join(home.path, '.aws', name);
  await writeFile(path, text);
  return path;
}

const config = `
[default]
region = eu-west-1 # ours
s3 =
  max_concurrent_requests = 20
[profile dev]
output=json
region=eu-central-1
[profile team.a]
region = us-east-2
[profile bare]
output = json
[other]
region = ap-south-1
`;

describe('the Region of the profile in use', () => {
  it.each([
    [{}, 'eu-west-1'],
    [{ AWS_PROFILE: 'dev' }, 'eu-central-1'],
    [{ AWS_PROFILE: 'team.a' }, 'us-east-2'],
    [{ AWS_PROFILE: 'bare' }, undefined],
    [{ AWS_PROFILE: 'other' }, undefined],
    [{ AWS_PROFILE: '__proto__' }, undefined],
    [{ AWS_PROFILE: 'inCredentials' }, 'sa-east-1'],
    [{ AWS_CONFIG_FILE: '/nowhere', AWS_SHARED_CREDENTIALS_FILE: '' }, undefined],
  ])('is the one that the AWS SDK takes, with %j', async (env: Record<string, string>, region) => {
    await write('config', config);
    await write('credentials', '[inCredentials]\nregion = sa-east-1\n[default]\naws_access_key_id = x\n');
    expect(profileRegion(env, home.path)?.text).toBe(region);
    process.env = { ...before, HOME: home.path, AWS_REGION: '', ...env };
    for (const name of ['AWS_REGION', 'AWS_SHARED_CREDENTIALS_FILE']) if (!process.env[name]) delete process.env[name];
    const ofSdk = loadConfig(NODE_REGION_CONFIG_OPTIONS, { ...NODE_REGION_CONFIG_FILE_OPTIONS, ignoreCache: true })();
    expect(await ofSdk.catch(() => undefined)).toBe(region);
  });

  it('is none where there are no files', () => {
    expect(profileRegion({}, home.path)).toBeUndefined();
  });

  it('counts where neither flag nor variable names one, and is judged by its place', async () => {
    const path = await write('config', '[default]\nregion = nowhere\n[profile dev]\nregion = eu-west-3\n');
    const read = (given: Record<string, string>, env: Record<string, string>) => {
      const { values, problems } = readControllerConfig(given, env, profileRegion(env, home.path));
      return values.region ?? problems;
    };
    expect([
      read({}, { AWS_PROFILE: 'dev' }),
      read({}, { AWS_PROFILE: 'dev', AWS_DEFAULT_REGION: 'eu-west-2' }),
      read({ region: 'eu-west-1' }, { AWS_PROFILE: 'dev' }),
      read({}, {}),
    ]).toEqual([
      'eu-west-3',
      'eu-west-2',
      'eu-west-1',
      [
        `region of profile default in ${path} (flag --region): "nowhere" is not accepted; give the name of a Region, e.g. eu-central-1`,
      ],
    ]);
  });
});
