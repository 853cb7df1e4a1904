import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type ConnectionOptions, loadConnection } from '../../lib/kube/connection.ts';
import { readKubeconfig } from '../../lib/kube/kubeconfig.ts';
import { createLogger } from '../../lib/log.ts';
import { createAuthority } from '../lab/certificates.ts';
import { ManualClock } from '../support/clock.ts';

/** Of nobody who gives up. */
const { signal } = new AbortController();
const base64 = (text: string) => Buffer.from(text).toString('base64');

describe('a kubeconfig', () => {
  let dir: string;
  let cert: string;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'rolevend-kubeconfig-'));
    cert = (await createAuthority()).cert;
  });

  afterAll(() => rm(dir, { recursive: true }));

  const write = async (content: unknown, name = 'config') => {
    const path = join(dir, name);
    await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
    return path;
  };
  const config = (cluster: object, user: object = {}) => ({
    'current-context': 'here',
    clusters: [{ name: 'c', cluster: { server: 'https://example.test:6443/base', ...cluster } }],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'here', context: { cluster: 'c', user: 'u' } }],
  });
  const problem = (path: string) => {
    try {
      readKubeconfig(path);
      return undefined;
    } catch (error) {
      const { code, consequence, message } = error as { code: string; consequence: string; message: string };
      return { code, consequence, message: message.replaceAll(dir, 'DIR') };
    }
  };
  const invalid = (message: string) => ({ code: 'InvalidConfig', consequence: 'stop', message });
  const fix = 'give --kubeconfig or KUBECONFIG the path of a kubeconfig file that can be read';

  it('tells how to reach the server and how to log in', async () => {
    const path = await write(
      config(
        { 'certificate-authority-data': base64('CA'), 'tls-server-name': 'inner' },
        { 'client-certificate-data': base64('CERT'), 'client-key-data': base64('KEY'), token: 'T', as: 'somebody' },
      ),
    );
    expect(readKubeconfig(path)).toEqual({
      server: 'https://example.test:6443/base',
      insecure: false,
      ca: { text: 'CA' },
      serverName: 'inner',
      clientCertificate: { certificate: { text: 'CERT' }, key: { text: 'KEY' } },
      token: { text: 'T' },
      impersonate: 'somebody',
    });
  });

  it('names files relative to its own directory', async () => {
    const exec = {
      apiVersion: 'client.authentication.k8s.io/v1',
      command: './plugin',
      args: ['-x'],
      installHint: 'Install it.',
    };
    const user = { tokenFile: 'token', 'client-certificate': 'c.pem', 'client-key': '/k.pem', exec };
    const path = await write(config({ 'certificate-authority': 'ca.pem', 'insecure-skip-tls-verify': true }, user));
    expect(readKubeconfig(path)).toEqual({
      server: 'https://example.test:6443/base',
      insecure: true,
      ca: { file: join(dir, 'ca.pem') },
      clientCertificate: { certificate: { file: join(dir, 'c.pem') }, key: { file: '/k.pem' } },
      token: { file: join(dir, 'token') },
      exec: {
        apiVersion: exec.apiVersion,
        command: join(dir, 'plugin'),
        args: ['-x'],
        env: {},
        installHint: 'Install it.',
      },
    });
  });

  it('tells a plugin of the cluster where the plugin asks for that', async () => {
    await write('CA', 'ca.pem');
    const extensions = [{ name: 'client.authentication.k8s.io/exec', extension: { audience: 'x' } }];
    const exec = {
      apiVersion: 'client.authentication.k8s.io/v1beta1',
      command: 'plugin',
      env: [{ name: 'A', value: 'b' }],
      provideClusterInfo: true,
    };
    const path = await write(config({ 'certificate-authority': 'ca.pem', extensions }, { exec }));
    expect(readKubeconfig(path).exec).toEqual({
      apiVersion: exec.apiVersion,
      command: 'plugin',
      args: [],
      env: { A: 'b' },
      cluster: {
        server: 'https://example.test:6443/base',
        'certificate-authority-data': base64('CA'),
        config: { audience: 'x' },
      },
    });
  });

  it('of several files takes each name from the first that has it', async () => {
    const first = await write({ clusters: [{ name: 'c', cluster: { server: 'https://first.test' } }] }, 'first');
    const second = await write(config({}, { token: 'second' }), 'second');
    expect(readKubeconfig([first, second].join(delimiter))).toMatchObject({
      server: 'https://first.test',
      token: { text: 'second' },
    });
  });

  it.each<[string, unknown, string]>([
    ['is empty', '', `is empty or no kubeconfig; ${fix}`],
    ['is no YAML', '{', `is no valid YAML; ${fix}`],
    ['is no kubeconfig', { clusters: 1 }, ': clusters, users and contexts must be lists'],
    [
      'has no context',
      { ...config({}), 'current-context': '' },
      'has no current-context; set one with: kubectl config use-context NAME',
    ],
    [
      'has not this context',
      { ...config({}), contexts: [] },
      'has no context named "here", which its current-context asks for',
    ],
    [
      'has not this cluster',
      { ...config({}), clusters: [] },
      'has no cluster named "c", which its current-context asks for',
    ],
    ['has not this user', { ...config({}), users: [] }, 'has no user named "u", which its current-context asks for'],
    ['has no server', config({ server: 'example' }), ": the cluster's server must be an http or https URL"],
    [
      'wants a proxy',
      config({ 'proxy-url': 'http://p' }),
      ': proxy-url is not supported; reach the API server directly',
    ],
    [
      'wants OIDC without a plugin',
      config({}, { 'auth-provider': { name: 'oidc' } }),
      ': auth-provider is not supported; use an exec plugin instead, such as kubelogin for OIDC',
    ],
    ['has a plugin without command', config({}, { exec: {} }), ': the exec plugin has no command'],
    [
      'has a plugin of an unknown version',
      config({}, { exec: { command: 'x', apiVersion: 'client.authentication.k8s.io/v1alpha1' } }),
      ': exec plugins must use client.authentication.k8s.io/v1 or v1beta1',
    ],
    [
      'has a plugin that needs a terminal',
      config({}, { exec: { command: 'x', apiVersion: 'client.authentication.k8s.io/v1', interactiveMode: 'Always' } }),
      ': the exec plugin x needs a terminal',
    ],
  ])('that %s is refused with the path and the fix', async (_, content, message) => {
    const path = await write(content);
    expect(problem(path)).toEqual(invalid(`kubeconfig DIR/config${message.startsWith(':') ? '' : ' '}${message}`));
  });

  it('that is missing is refused with the path and the fix', () => {
    expect(problem(join(dir, 'missing'))).toEqual(invalid(`kubeconfig DIR/missing cannot be read (ENOENT); ${fix}`));
  });

  it('of several files may be missing, but not every one', async () => {
    const [a, b] = [join(dir, 'absent-a'), join(dir, 'absent-b')];
    const path = await write(config({}, { token: 'T' }));
    expect(readKubeconfig([a, path, b].join(delimiter))).toEqual(readKubeconfig(path));
    const all = ['DIR/absent-a', 'DIR/absent-b'].join(delimiter);
    expect(problem([a, b].join(delimiter))).toEqual(invalid(`kubeconfig ${all} cannot be read (ENOENT); ${fix}`));
  });

  describe('as a connection', () => {
    const load = (options: Partial<ConnectionOptions>, clock = new ManualClock()) =>
      loadConnection({ clock, log: createLogger({ destination: { write: () => undefined } }), ...options });

    it('reads files anew after a minute, and keeps what it has while one is missing', async () => {
      const clock = new ManualClock();
      const tokenFile = await write('first\n', 'token');
      const caFile = await write(cert, 'ca.crt');
      const connection = load({ inCluster: { host: 'fd00::1', port: '443', tokenFile, caFile } }, clock);
      const seen = [connection.server, (await connection.headers(signal))['authorization']];
      await write('second', 'token');
      await clock.advance(59_000);
      seen.push((await connection.headers(signal))['authorization']);
      await clock.advance(1_000);
      seen.push((await connection.headers(signal))['authorization']);
      await rm(tokenFile);
      await clock.advance(60_000);
      seen.push((await connection.headers(signal))['authorization']);
      expect(seen).toEqual(['https://[fd00::1]:443', 'Bearer first', 'Bearer first', 'Bearer second', 'Bearer second']);
      await connection.close();
    });

    it('uses new connections for new certificates', async () => {
      const clock = new ManualClock();
      const tokenFile = await write('token', 'token');
      const caFile = await write(cert, 'ca.crt');
      const connection = load({ inCluster: { host: 'localhost', port: '443', tokenFile, caFile } }, clock);
      await connection.headers(signal);
      const ways = () => (['request', 'watch', 'lease'] as const).map((purpose) => connection.dispatcher(purpose));
      const before = ways();
      expect(new Set(before).size).toBe(3);
      await connection.refreshAuth(signal);
      await connection.headers(signal);
      expect(ways().filter((way) => before.includes(way))).toHaveLength(3);
      await write(`${cert}${cert}`, 'ca.crt');
      await connection.refreshAuth(signal);
      await connection.headers(signal);
      expect(ways().filter((way) => before.includes(way))).toEqual([]);
      await connection.close();
    });

    it('opens new connections once for many requests that had no answer', async () => {
      const clock = new ManualClock();
      const connection = load({ kubeconfig: await write(config({})) }, clock);
      const ways = () => (['request', 'lease', 'watch'] as const).map((purpose) => connection.dispatcher(purpose));
      const first = ways();
      const sentAt = clock.monotonic();
      await clock.advance(5_000);
      connection.reconnect(sentAt);
      const second = ways();
      connection.reconnect(sentAt);
      expect(second.map((way, index) => way === first[index])).toEqual([false, false, true]);
      expect(ways().map((way, index) => way === second[index])).toEqual([true, true, true]);
      await connection.close();
    });

    it('sends a user and password, and whom to act as', async () => {
      const connection = load({ kubeconfig: await write(config({}, { username: 'u', password: 'p', as: 'other' })) });
      expect(await connection.headers(signal)).toEqual({
        authorization: `Basic ${base64('u:p')}`,
        'impersonate-user': 'other',
      });
      await connection.close();
    });

    it('is refused where there is neither a kubeconfig nor a service account', () => {
      const message =
        'no API server: there is no kubeconfig, and no service account in DIR/none; give --kubeconfig or KUBECONFIG ' +
        'the path of a kubeconfig file, or run in a Pod with a service account token';
      const inCluster = { host: 'localhost', port: '443', tokenFile: `${dir}/none` };
      expect(() => load({ inCluster })).toThrow(message.replace('DIR', dir));
      expect(() => load({})).toThrow(/^no API server: there is no kubeconfig/);
    });

    it('is refused where a file that it names is missing', async () => {
      const kubeconfig = await write(config({ 'certificate-authority': 'nothing.pem' }));
      expect(() => load({ kubeconfig })).toThrow(
        `${dir}/nothing.pem, which the connection to the API server needs, cannot be read (ENOENT)`,
      );
    });
  });
});
