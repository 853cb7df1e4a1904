import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { awsNetwork } from '../../lib/commands/network.ts';
import { createLogger } from '../../lib/log.ts';
import { createAuthority } from '../lab/certificates.ts';
import { ManualClock } from '../support/clock.ts';

const proxy = 'the value is not accepted; give the URL of a proxy, as http://proxy.example.com:3128';
const endpoint = 'the value is not accepted; give the URL of an endpoint, as https://sts.example.com';
const onOff = 'the value is not accepted; give true or false';

const by = { clock: new ManualClock(), log: createLogger({ destination: { write() {} } }) };
let directory: string;
let cert: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rolevend-network-'));
  cert = (await createAuthority()).cert;
});
afterAll(() => rm(directory, { recursive: true }));

async function file(name: string, content: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, content);
  return path;
}

/** The lines of the refusal; empty where there is none. */
function problems(env: Record<string, string>): string[] {
  try {
    awsNetwork(env, by);
    return [];
  } catch (error) {
    expect(error).toMatchObject({ code: 'InvalidConfig' });
    return (error as Error).message.split('\n');
  }
}

describe('the way to AWS', () => {
  it.each([
    { HTTPS_PROXY: 'http://user:password@proxy:3128', NO_PROXY: 'x' },
    { https_proxy: 'https://[::1]:3128', http_proxy: '', HTTP_PROXY: 'http://proxy' },
    {
      AWS_ENDPOINT_URL: 'https://vpce-1.sts.eu-central-1.vpce.amazonaws.com',
      AWS_ENDPOINT_URL_STS: 'http://127.0.0.1:1',
    },
    { AWS_USE_FIPS_ENDPOINT: 'true', AWS_USE_DUALSTACK_ENDPOINT: 'false', AWS_CA_BUNDLE: '' },
  ])('may be %j', (env) => {
    expect(problems(env as Record<string, string>)).toEqual([]);
    expect(awsNetwork(env as Record<string, string>, by)).toEqual({ proxyEnv: env, ca: undefined });
  });

  it.each([
    ['without a scheme', 'proxy.example.com:3128'],
    ['with a password that is not encoded', 'http://user:100%@proxy:3128'],
    ['of another kind', 'socks5://proxy:1080'],
    ['without a host', 'http://'],
    ['on no port', 'http://user:password@proxy:99999'],
    ['that is no URL', 'not a url'],
  ])('is no proxy %s, and the value is not shown', (_what, value) => {
    expect(problems({ HTTPS_PROXY: value, http_proxy: value })).toEqual([
      `HTTPS_PROXY: ${proxy}`,
      `http_proxy: ${proxy}`,
    ]);
  });

  it('names everything that is wrong at once', () => {
    const wrong = {
      HTTPS_PROXY: 'proxy:3128',
      AWS_ENDPOINT_URL: 'sts.example.com',
      AWS_ENDPOINT_URL_ECR_PUBLIC: 'ftp://x',
      AWS_USE_FIPS_ENDPOINT: 'yes',
      AWS_USE_DUALSTACK_ENDPOINT: '1',
      AWS_CA_BUNDLE: join(directory, 'missing.pem'),
    };
    expect(problems(wrong)).toEqual([
      `HTTPS_PROXY: ${proxy}`,
      `AWS_ENDPOINT_URL: ${endpoint}`,
      `AWS_ENDPOINT_URL_ECR_PUBLIC: ${endpoint}`,
      `AWS_USE_FIPS_ENDPOINT: ${onOff}`,
      `AWS_USE_DUALSTACK_ENDPOINT: ${onOff}`,
      `AWS_CA_BUNDLE: cannot read "${wrong.AWS_CA_BUNDLE}"; give the path of a PEM file`,
    ]);
  });

  it('trusts the certificates of a PEM file', async () => {
    const text = `# corporate\n${cert}\n${cert}\n`;
    expect(awsNetwork({ AWS_CA_BUNDLE: await file('good.pem', text) }, by).ca?.()).toBe(text);
  });

  it.each([
    ['holds no PEM certificate', 'no-certificate.pem', 'hello'],
    ['is cut off or damaged', 'broken.pem', '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'],
  ])('is not opened by a file that %s', async (says, name, content) => {
    const path = await file(name, content);
    expect(problems({ AWS_CA_BUNDLE: path })).toEqual([
      `AWS_CA_BUNDLE: "${path}" ${says}; give the path of a PEM file`,
    ]);
  });
});
