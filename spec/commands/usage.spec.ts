import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { controllerFlags } from '../../lib/config.ts';
import { freePort } from '../lab/ports.ts';
import { buildProgram, type Program } from '../support/process.ts';

/** A bad value for each flag whose value can be wrong by itself, and what is accepted. */
const table: Record<string, [string, string]> = {
  namespaces: ['team-a,Team_B', 'namespace names, separated by commas'],
  controllers: ['aws-assume-role,other', 'any of aws-assume-role, separated by commas'],
  'leader-elect': ['maybe', 'true or false'],
  'leader-election-name': ['Rolevend', 'the name of a Lease'],
  'leader-election-namespace': ['kube.system', 'a namespace name'],
  'pod-uid': ['$(POD_UID)', 'the metadata.uid of a Pod'],
  'metrics-bind-address': ['8080', 'host:port, :port or 0'],
  'health-probe-bind-address': [':99999', 'host:port, :port or 0'],
  'cluster-name': ['my cluster', '1 to 100 characters of A-Z a-z 0-9 . _ -'],
  region: ['Frankfurt', 'the name of a Region, e.g. eu-central-1'],
  concurrency: ['0', 'a whole number from 1 to 1000'],
  'sts-qps': ['many', 'a number from 1 to 10000'],
  'sts-burst': ['1.5', 'a whole number from 1 to 100000'],
  'sts-web-identity-qps': ['-1', 'a number from 1 to 10000'],
  'object-metrics': ['yes', 'true or false'],
  'log-level': ['verbose', 'one of debug, info, warn, error'],
  'log-format': ['xml', 'one of json, text'],
};
const bad = Object.fromEntries(Object.entries(table).map(([name, [value]]) => [name, value]));

describe('rolevend controller', () => {
  let program: Program;
  let kubeconfig: string;

  beforeAll(async () => {
    program = await buildProgram();
    kubeconfig = await file('kubeconfig', kubeconfigFor('http://127.0.0.1:9'));
  });
  afterAll(() => program?.remove());

  async function file(name: string, content: string): Promise<string> {
    const path = join(program.directory, name);
    await writeFile(path, content);
    return path;
  }

  const flagsOf = (values: Record<string, string>) =>
    Object.entries(values).map(([name, value]) => `--${name}=${value}`);
  const refused = (...lines: string[]) => ({ code: 2, stdout: '', stderr: lines.map((line) => `${line}\n`).join('') });
  const complaint = (source: string, name: string) =>
    `${source}: "${bad[name]}" is not accepted; give ${table[name]?.[1]}`;
  const fix = 'give --kubeconfig or KUBECONFIG the path of a kubeconfig file that can be read';
  const unserved = { 'metrics-bind-address': '0', 'health-probe-bind-address': '0' };
  const run = (flags: Record<string, string>, env: Record<string, string> = {}) =>
    program.run(['controller', ...flagsOf({ region: 'eu-central-1', ...unserved, ...flags })], env);

  test('has a bad value for each of its flags in this test', () => {
    expect(['kubeconfig', ...Object.keys(bad)].sort()).toEqual(controllerFlags.map(({ name }) => name).sort());
  });

  test('names every bad flag with its value and what is accepted, all at once', async () => {
    const lines = Object.keys(bad).map((name) => complaint(`--${name}`, name));
    expect(await run({ ...bad, kubeconfig })).toEqual(refused(...lines));
  });

  test('names the environment variable where the bad value came from there', async () => {
    const entries = controllerFlags.flatMap(({ name, env }) =>
      env !== undefined && bad[name] ? [[env, bad[name]]] : [],
    );
    const lines = Object.keys(bad).map((name) => {
      const env = controllerFlags.find((flag) => flag.name === name)?.env;
      return complaint(`${env} (flag --${name})`, name);
    });
    const env = { ...Object.fromEntries(entries), KUBECONFIG: kubeconfig };
    expect(await program.run(['controller'], env)).toEqual(refused(...lines));
  });

  test('prefers a flag to the environment', async () => {
    const outcome = await run({ kubeconfig, concurrency: 'x' }, { ROLEVEND_CONCURRENCY: '5' });
    expect(outcome).toEqual(refused('--concurrency: "x" is not accepted; give a whole number from 1 to 1000'));
  });

  test('asks for a Region', async () => {
    const line = '--region: no Region is given; set it, or AWS_REGION, to the Region whose STS is to be called';
    expect(await program.run(['controller', ...flagsOf({ kubeconfig, ...unserved })])).toEqual(refused(line));
  });

  test('refuses flags and arguments that it does not know', async () => {
    const flags = flagsOf({ region: 'eu-central-1', kubeconfig, ...unserved });
    const outcome = await program.run(['controller', 'now', '--nonsense=1', ...flags, '--other', '2', '-x']);
    const unknown = ['--nonsense', '--other', '-x'].map((flag) => `${flag}: there is no such flag; --help lists them`);
    expect(outcome).toEqual(refused('"now": only flags are accepted; --help lists them', ...unknown));
  });

  test('names every flag that came without a value, and takes a switch without one as on', async () => {
    const flags = flagsOf({ region: 'eu-central-1', kubeconfig, ...unserved });
    const outcome = await program.run(['controller', '--concurrency', '--leader-elect', ...flags, '--log-level']);
    expect(outcome).toEqual(
      refused(
        '--concurrency: no value is given; give a whole number from 1 to 1000',
        '--log-level: no value is given; give one of debug, info, warn, error',
      ),
    );
  });

  test('names what is wrong with flags, kubeconfig, certificates and addresses all at once', async () => {
    const ports = await Promise.all([occupiedPort(), occupiedPort()]);
    const [metrics, probes] = ports.map(({ address }) => address);
    const flags = { kubeconfig: '/nonexistent', 'metrics-bind-address': metrics, 'health-probe-bind-address': probes };
    const args = ['controller', '--bogus', '--concurrency=0', ...flagsOf(flags as Record<string, string>)];
    const outcome = await program.run(args, { AWS_CA_BUNDLE: '/nonexistent.pem' });
    for (const { server } of ports) server.close();
    const inUse = (flag: string, address?: string) =>
      `--${flag}: cannot listen on ${address}: the port is in use by another process; give host:port, :port or 0`;
    expect(outcome).toEqual(
      refused(
        '--bogus: there is no such flag; --help lists them',
        '--concurrency: "0" is not accepted; give a whole number from 1 to 1000',
        '--region: no Region is given; set it, or AWS_REGION, to the Region whose STS is to be called',
        `kubeconfig /nonexistent cannot be read (ENOENT); ${fix}`,
        'AWS_CA_BUNDLE: cannot read "/nonexistent.pem"; give the path of a PEM file',
        inUse('metrics-bind-address', metrics),
        inUse('health-probe-bind-address', probes),
      ),
    );
  });

  test('asks for a newer Node.js in one line, while help goes on working', async () => {
    const old = "Object.defineProperty(process,'version',{value:'v20.20.2'})";
    const versions = "Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.20.2'}})";
    const env = { NODE_OPTIONS: `--import=data:text/javascript,${old};${versions}` };
    expect(await run({ kubeconfig, concurrency: '0' }, env)).toEqual(
      refused(
        'rolevend controller needs Node.js 24.15 or newer, this is v20.20.2; use "npx rolevend controller" in the directory of the project, or install a newer Node.js',
      ),
    );
    expect(await program.run(['controller', '--help'], env)).toMatchObject({ code: 0, stderr: '' });
  });

  test.each([
    ['is missing', 'missing', undefined, (path: string) => `kubeconfig ${path} cannot be read (ENOENT); ${fix}`],
    ['is no YAML', 'broken', 'a: [', (path: string) => `kubeconfig ${path} is no valid YAML; ${fix}`],
    ['is empty', 'empty', '', (path: string) => `kubeconfig ${path} is empty or no kubeconfig; ${fix}`],
    [
      'has no context',
      'contextless',
      'clusters: []',
      (path: string) => `kubeconfig ${path} has no current-context; set one with: kubectl config use-context NAME`,
    ],
    [
      'names a server that is none',
      'serverless',
      kubeconfigFor('nowhere'),
      (path: string) => `kubeconfig ${path}: the cluster's server must be an http or https URL`,
    ],
  ])('ends when the kubeconfig %s', async (_, name, content, line) => {
    const path = content === undefined ? join(program.directory, name) : await file(name, content);
    expect(await run({ kubeconfig: path })).toEqual(refused(line(path)));
    expect(await run({}, { KUBECONFIG: path })).toEqual(refused(line(path)));
  });

  test('says what to do when it finds no cluster at all', async () => {
    const { code, stderr } = await run({});
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: `no API server: there is no kubeconfig, and no service account in /var/run/secrets/kubernetes.io/serviceaccount/token; ${'give --kubeconfig or KUBECONFIG the path of a kubeconfig file, or run in a Pod with a service account token'}\n`,
    });
  });

  test('ends when a certificate bundle for AWS cannot be read', async () => {
    const path = join(program.directory, 'absent.pem');
    const line = `AWS_CA_BUNDLE: cannot read "${path}"; give the path of a PEM file`;
    expect(await run({ kubeconfig }, { AWS_CA_BUNDLE: path })).toEqual(refused(line));
  });

  test.each(['metrics-bind-address', 'health-probe-bind-address'])(
    'ends when the port of --%s is in use',
    async (flag) => {
      const { server, address: taken } = await occupiedPort();
      const free = `127.0.0.1:${await freePort()}`;
      const addresses = {
        'metrics-bind-address': free,
        'health-probe-bind-address': free.replace(/\d+$/, '0'),
        [flag]: taken,
      };
      const outcome = await run({ kubeconfig, ...addresses });
      server.close();
      const line = `--${flag}: cannot listen on ${taken}: the port is in use by another process; give host:port, :port or 0`;
      expect(outcome).toEqual(refused(line));
    },
  );
});

async function occupiedPort(): Promise<{ server: Server; address: string }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, address: `127.0.0.1:${(server.address() as { port: number }).port}` };
}

function kubeconfigFor(server: string): string {
  return JSON.stringify({
    'current-context': 'one',
    contexts: [{ name: 'one', context: { cluster: 'one' } }],
    clusters: [{ name: 'one', cluster: { server } }],
  });
}
