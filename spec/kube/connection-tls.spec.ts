import { existsSync } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { systemClock } from '../../lib/clock.ts';
import { exchange } from '../../lib/exchange.ts';
import { type Connection, type ConnectionOptions, loadConnection, type Purpose } from '../../lib/kube/connection.ts';
import { createLogger } from '../../lib/log.ts';
import { Lookup } from '../../lib/net/lookup.ts';
import { type Authority, createAuthority } from '../lab/certificates.ts';
import { startConnectProxy } from '../lab/connect-proxy.ts';
import { ManualClock } from '../support/clock.ts';
import { eventually } from '../support/eventually.ts';
import { type NameServer, startNameServer, type Zone } from '../support/name-server.ts';

const HOST = 'api.cluster.test';
const { signal } = new AbortController();
const closers: (() => unknown)[] = [];
let directory: string;
let lines: { msg: string; path?: string; problem?: string }[] = [];
const log = createLogger({ destination: { write: (line) => lines.push(JSON.parse(line)) } });

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rolevend-tls-'));
});
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  lines = [];
});
afterAll(() => rm(directory, { recursive: true }));

async function file(name: string, text: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
  return path;
}

/** A server of this name with a certificate of this authority, which tells who the client's certificate says it is. */
async function serve(authority: Authority): Promise<{ port: number; server: Server }> {
  const terms = { ...(await authority.issue(HOST)), ca: authority.cert, requestCert: true, rejectUnauthorized: false };
  const server = createServer(terms, (request, response) => {
    const { subjectaltname } = (
      request.socket as never as { getPeerCertificate(): { subjectaltname?: string } }
    ).getPeerCertificate();
    response.setHeader('connection', 'close').end(subjectaltname ?? 'nobody');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => server.close());
  return { port: (server.address() as AddressInfo).port, server };
}

async function names(zones: Record<string, Zone>): Promise<{ lookup: Lookup; server: NameServer }> {
  const server = await startNameServer(zones);
  closers.push(() => server.stop());
  const none = join(directory, 'none');
  const machine = { servers: [server.address], hostsFile: none, resolvConf: none, families: () => [4 as const] };
  return { lookup: new Lookup({ ...machine, clock: systemClock, log }), server };
}

function open(options: Partial<ConnectionOptions>): Connection {
  const connection = loadConnection({ clock: systemClock, log, ...options });
  closers.push(() => connection.close());
  return connection;
}

/** Path of a kubeconfig with this cluster, whose authority is trusted, and this user. */
function kubeconfigFor(cluster: object, authority?: Authority, user: object = {}): Promise<string> {
  const data = authority && { 'certificate-authority-data': Buffer.from(authority.cert).toString('base64') };
  const content = {
    'current-context': 'x',
    contexts: [{ name: 'x', context: { cluster: 'x', user: 'x' } }],
    clusters: [{ name: 'x', cluster: { ...cluster, ...data } }],
    users: [{ name: 'x', user }],
  };
  return file('config', JSON.stringify(content));
}

/** What the server answers, or the code of what went wrong. */
async function ask(connection: Connection, purpose: Purpose = 'request'): Promise<string> {
  try {
    await connection.headers(signal);
    const request = { origin: connection.server, path: '/', method: 'GET' as const };
    return (await exchange(connection.dispatcher(purpose), request, signal)).text();
  } catch (error) {
    return (error as { code: string }).code;
  }
}

test('requests, watches and the Lease find their server by the look-up they are given, beside one whose name is not answered', async () => {
  const authority = await createAuthority();
  const { port } = await serve(authority);
  const { lookup, server } = await names({ [HOST]: { ipv4: ['127.0.0.1'] }, '*.gone.test': 'silent' });
  const caFile = await file('ca.crt', authority.cert);
  const place = { port: String(port), caFile, tokenFile: await file('token', 't') };
  const to = (host: string) => open({ inCluster: { host, ...place }, lookup: lookup.forSockets });
  const gone = Array.from({ length: 12 }, (_, n) => ask(to(`c${n}.gone.test`)));
  const here = to(HOST);
  expect(await Promise.all((['request', 'watch', 'lease'] as const).map((purpose) => ask(here, purpose)))).toEqual([
    'nobody',
    'nobody',
    'nobody',
  ]);
  expect(server.asked.filter((question) => question.endsWith(HOST))).toEqual([`A ${HOST}`]);
  const codes = new Set(await Promise.all(gone));
  // On a busy machine the time for a connection may be over first.
  expect([...codes].filter((code) => !['EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT'].includes(code))).toEqual([]);
});

test('a proxy is found by the look-up, too, and the server behind it by the proxy alone', async () => {
  const authority = await createAuthority();
  const { port } = await serve(authority);
  const proxy = await startConnectProxy({ port });
  closers.push(() => proxy.stop());
  const { lookup, server } = await names({ 'proxy.corp.test': { ipv4: ['127.0.0.1'] } });
  const proxyUrl = proxy.url.replace('127.0.0.1', 'proxy.corp.test');
  const kubeconfig = await kubeconfigFor({ server: `https://${HOST}`, 'proxy-url': proxyUrl }, authority);
  expect(await ask(open({ kubeconfig, lookup: lookup.forSockets }))).toBe('nobody');
  expect([proxy.targets, server.asked]).toEqual([[`${HOST}:443`], ['A proxy.corp.test']]);
});

test('an answer whose head is too large ends the request', async () => {
  const server = createTcpServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(`HTTP/1.1 200 OK\r\n${`x-a: ${'x'.repeat(1_000)}\r\n`.repeat(17)}\r\n`));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  const connection = open({ kubeconfig: await kubeconfigFor({ server: `http://127.0.0.1:${port}` }) });
  expect(
    await Promise.all((['request', 'watch', 'lease'] as const).map((purpose) => ask(connection, purpose))),
  ).toEqual(Array(3).fill('UND_ERR_HEADERS_OVERFLOW'));
});

test('a replaced authority is trusted by the next connections, and a broken file changes nothing', async () => {
  const clock = new ManualClock();
  const [old, next] = await Promise.all([createAuthority(), createAuthority()]);
  const before = await serve(old);
  const caFile = await file('ca.crt', old.cert);
  const { lookup } = await names({ [HOST]: { ipv4: ['127.0.0.1'] } });
  const place = { host: HOST, port: String(before.port), caFile, tokenFile: await file('token', 't') };
  const connection = open({ clock, inCluster: place, lookup: lookup.forSockets });
  const seen = [await ask(connection)];
  for (const broken of ['', next.cert.slice(0, 200), `${old.cert}${next.cert.slice(0, 200)}`]) {
    await file('ca.crt', broken);
    await clock.advance(5_000);
    seen.push(await ask(connection));
  }
  before.server.setSecureContext(await next.issue(HOST));
  seen.push(await ask(connection));
  await file('ca.crt', next.cert);
  await clock.advance(5_000);
  seen.push(await ask(connection));
  expect(seen).toEqual(['nobody', 'nobody', 'nobody', 'nobody', expect.stringMatching(/CERT|UNABLE/), 'nobody']);
  expect(lines).toMatchObject([
    { path: caFile, problem: 'is empty' },
    { path: caFile, problem: 'is cut off or damaged' },
  ]);
});

test('a client certificate is replaced once its key is there, too', async () => {
  const clock = new ManualClock();
  const authority = await createAuthority();
  const { port } = await serve(authority);
  const [one, two] = await Promise.all([authority.issue('one'), authority.issue('two')]);
  const { lookup } = await names({ [HOST]: { ipv4: ['127.0.0.1'] } });
  const user = { 'client-certificate': await file('cert.pem', one.cert), 'client-key': await file('key.pem', one.key) };
  const kubeconfig = await kubeconfigFor({ server: `https://${HOST}:${port}` }, authority, user);
  const connection = open({ clock, kubeconfig, lookup: lookup.forSockets });
  const seen = [await ask(connection)];
  for (const [name, text] of [
    ['cert.pem', two.cert],
    ['key.pem', two.key.slice(0, 60)],
    ['key.pem', two.key],
  ] as const) {
    await file(name, text);
    await clock.advance(5_000);
    seen.push(await ask(connection));
    await ask(connection);
  }
  expect(seen).toEqual(['DNS:one', 'DNS:one', 'DNS:one', 'DNS:two']);
  expect(lines.map(({ problem }) => problem)).toEqual([
    'the key is that of another certificate',
    'the key is cut off or damaged',
  ]);
});

test('a server is checked by the name that the kubeconfig gives, or not at all', async () => {
  const authority = await createAuthority();
  const { port } = await serve(authority);
  const server = `https://127.0.0.1:${port}`;
  const to = async (cluster: object, trusted?: Authority) =>
    ask(open({ kubeconfig: await kubeconfigFor({ server, ...cluster }, trusted) }));
  expect([
    await to({}, authority),
    await to({ 'tls-server-name': HOST }, authority),
    await to({ 'tls-server-name': HOST }),
    await to({ 'insecure-skip-tls-verify': true }),
  ]).toEqual(['ERR_TLS_CERT_ALTNAME_INVALID', 'nobody', expect.stringMatching(/CERT|UNABLE/), 'nobody']);
});

test('its end ends every request', async () => {
  let asked = 0;
  const server = createTcpServer((socket) => {
    socket
      .on('error', () => {})
      .once('data', () => {
        asked += 1;
      });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  const connection = open({ kubeconfig: await kubeconfigFor({ server: `http://127.0.0.1:${port}` }) });
  const answers = (['request', 'watch', 'lease'] as const).map((purpose) => ask(connection, purpose));
  await eventually('all to be asked', () => asked === 3);
  await connection.close();
  expect(await Promise.all(answers)).toEqual(Array(3).fill('UND_ERR_DESTROYED'));
});

/** A user whose plugin runs this code. */
async function pluginUser(code: string): Promise<object> {
  const args = [await file('plugin.mjs', code)];
  return { exec: { apiVersion, command: process.execPath, args, interactiveMode: 'Never' } };
}
const apiVersion = 'client.authentication.k8s.io/v1';

test('a client certificate of a plugin is shown to the server', async () => {
  const authority = await createAuthority();
  const { port } = await serve(authority);
  const { lookup } = await names({ [HOST]: { ipv4: ['127.0.0.1'] } });
  const { cert, key } = await authority.issue('plugin');
  const status = { clientCertificateData: cert, clientKeyData: key };
  const answer = JSON.stringify({ apiVersion, kind: 'ExecCredential', status });
  const user = await pluginUser(`console.log(${JSON.stringify(answer)})`);
  const kubeconfig = await kubeconfigFor({ server: `https://${HOST}:${port}` }, authority, user);
  expect(await ask(open({ kubeconfig, lookup: lookup.forSockets }))).toBe('DNS:plugin');
});

test('a plugin that hangs ends with its connection', async () => {
  const started = join(directory, 'started');
  const user = await pluginUser(`import { writeFileSync } from 'node:fs';
    writeFileSync(${JSON.stringify(started)}, '');
    setInterval(() => {}, 1000);`);
  const kubeconfig = await kubeconfigFor({ server: `https://${HOST}` }, undefined, user);
  const connection = open({ clock: new ManualClock(), kubeconfig });
  const failed = connection.headers(signal).catch(({ message }: Error) => message);
  await eventually('the plugin to run', () => existsSync(started));
  await connection.close();
  expect(await failed).toContain('was ended with the connection');
});
