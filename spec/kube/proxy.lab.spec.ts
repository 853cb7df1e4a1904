import { writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { namespaces } from '../../lib/kube/objects.ts';
import { createAuthority } from '../lab/certificates.ts';
import { type ConnectProxy, startConnectProxy } from '../lab/connect-proxy.ts';
import { type AttachedControlPlane, freePort, sharedControlPlane } from '../lab/index.ts';
import { readKubeconfig } from '../lab/kubeconfig.ts';
import { type SocksProxy, startSocksProxy } from '../lab/socks-proxy.ts';
import { ManualClock } from '../support/clock.ts';
import { eventually } from '../support/eventually.ts';
import { clientFor } from './support/cluster.ts';

const LOGIN = 'operator:hunter2';
/** A name that nobody but a proxy can look up. The API server's certificate does not hold it. */
const NAME = 'api.cluster.internal';

describe('an API server behind a proxy', () => {
  let plane: AttachedControlPlane;
  let port: number;
  let authority: { cert: string };
  let proxies: Record<'http' | 'https' | 'socks5' | 'httpLogin' | 'socks5Login', ConnectProxy | SocksProxy>;

  beforeAll(async () => {
    plane = sharedControlPlane();
    port = Number(new URL(plane.server).port);
    const made = await createAuthority();
    authority = made;
    proxies = {
      http: await startConnectProxy({ port }),
      https: await startConnectProxy({ port, tls: await made.issue('localhost') }),
      socks5: await startSocksProxy({ port }),
      httpLogin: await startConnectProxy({ port, login: LOGIN }),
      socks5Login: await startSocksProxy({ port, login: LOGIN }),
    };
  });

  afterEach(() => {
    for (const { targets } of Object.values(proxies)) targets.length = 0;
  });

  afterAll(() => Promise.all(Object.values(proxies ?? {}).map((proxy) => proxy.stop())));

  const kubeconfigWith = async (proxyUrl: string, cluster: object = {}) => {
    const { ca = '', token } = await readKubeconfig(plane.kubeconfig);
    const both = Buffer.from(`${ca}\n${authority.cert}`).toString('base64');
    const config = {
      'current-context': 'lab',
      clusters: [
        {
          name: 'lab',
          cluster: {
            server: `https://${NAME}:8443`,
            'tls-server-name': '127.0.0.1',
            'certificate-authority-data': both,
            'proxy-url': proxyUrl,
            ...cluster,
          },
        },
      ],
      users: [{ name: 'lab', user: { token: await token() } }],
      contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'lab' } }],
    };
    const path = join(plane.dir, `${await freePort()}.kubeconfig`);
    await writeFile(path, JSON.stringify(config), { mode: 0o600 });
    return path;
  };
  /** The name of a namespace, or why there is none. */
  const read = async (proxyUrl: string, cluster?: object) => {
    const { client, connection } = await clientFor(plane, { kubeconfig: await kubeconfigWith(proxyUrl, cluster) });
    try {
      return (await client.get(namespaces, { name: 'default' })).metadata.name;
    } catch (error) {
      return (error as Error).message;
    } finally {
      await connection.close();
    }
  };

  it.each(['http', 'httpLogin', 'socks5', 'socks5Login'] as const)('is reached by its name: %s', async (kind) => {
    const { url, targets } = proxies[kind];
    expect([await read(url), targets]).toEqual(['default', [`${NAME}:8443`]]);
  });

  it('is reached through a proxy with a certificate of the same authority', async () => {
    const { url, targets } = proxies.https;
    expect([await read(url.replace('127.0.0.1', 'localhost')), targets]).toEqual(['default', [`${NAME}:8443`]]);
  });

  it.each(['http', 'socks5'] as const)('is watched through it, over kept connections: %s', async (kind) => {
    const { url, targets } = proxies[kind];
    const { client, connection } = await clientFor(plane, { kubeconfig: await kubeconfigWith(url) });
    const ended = new AbortController();
    const seen: string[] = [];
    const watch = client.watch(namespaces, {
      resourceVersion: '0',
      timeoutSeconds: 60,
      idleMs: 60_000,
      signal: ended.signal,
      onEvent: ({ object }) => void seen.push(object.metadata.name),
    });
    await eventually('the first event', () => seen.includes('default'));
    for (let times = 0; times < 20; times += 1) await client.get(namespaces, { name: 'default' });
    ended.abort();
    await watch.catch(() => undefined);
    await connection.close();
    expect(targets.length).toBeLessThan(10);
  });

  it.each([
    ['another password', 'httpLogin', 'asks for another user and password (HTTP 407)'],
    ['another password', 'socks5Login', `does not open the way to ${NAME}:8443 (Socks5 Authentication failed)`],
  ] as const)('is not reached with %s, which no message holds: %s', async (_, kind, problem) => {
    const url = new URL(proxies[kind].url);
    url.password = 'correct-horse';
    expect(await read(url.href)).toBe(
      `get namespaces default: Unreachable: the proxy ${url.protocol}//${url.host} ${problem}`,
    );
  });

  it('is not reached through a proxy that is not there, that nobody trusts, or that speaks another language', async () => {
    const nobody = `http://127.0.0.1:${await freePort()}`;
    const { url: socks } = proxies.socks5;
    const stranger = proxies.https.url.replace('127.0.0.1', 'localhost');
    const { ca } = await readKubeconfig(plane.kubeconfig);
    const onlyServer = { 'certificate-authority-data': Buffer.from(ca ?? '').toString('base64') };
    const problems = [
      await read(nobody),
      await read(stranger, onlyServer),
      await read(socks.replace('socks5:', 'http:')),
    ];
    expect(problems.map((message) => message.replace(/localhost:\d+|127\.0\.0\.1:\d+/, 'HOST'))).toEqual([
      'get namespaces default: Unreachable: the proxy http://HOST cannot be reached (ECONNREFUSED)',
      'get namespaces default: Unreachable: the proxy https://HOST cannot be reached (UNABLE_TO_VERIFY_LEAF_SIGNATURE)',
      expect.stringContaining('get namespaces default: Unreachable: the proxy http://HOST cannot be reached ('),
    ]);
  });

  it.each(['http', 'socks5'])('is not waited for longer than 5 s where the proxy says nothing: %s', async (scheme) => {
    const accepted: Socket[] = [];
    const silent = createServer((socket) => {
      accepted.push(socket.on('error', () => {}));
    });
    const silentPort = await freePort();
    await new Promise<void>((resolve) => silent.listen(silentPort, '127.0.0.1', resolve));
    const clock = new ManualClock();
    const kubeconfig = await kubeconfigWith(`${scheme}://127.0.0.1:${silentPort}`);
    const { client, connection } = await clientFor(plane, { kubeconfig, clock });
    const failed = client.get(namespaces, { name: 'default' }).then(String, ({ message }: Error) => message);
    await eventually('the connection to the proxy', () => accepted.length > 0);
    await clock.advance(5_000);
    expect(await failed).toBe(
      `get namespaces default: Unreachable: the proxy ${scheme}://127.0.0.1:${silentPort} gave no answer within 5000 ms`,
    );
    await connection.close();
    for (const socket of accepted) socket.destroy();
    await new Promise((resolve) => silent.close(resolve));
  });
});
