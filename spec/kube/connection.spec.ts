import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { LookupFunction } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type ConnectionOptions, loadConnection } from '../../lib/kube/connection.ts';
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
    dir = await mkdtemp(join(tmpdir(), 'rolevend-connection-'));
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

  describe('as a connection', () => {
    const load = (options: Partial<ConnectionOptions>, clock = new ManualClock()) =>
      loadConnection({ clock, log: createLogger({ destination: { write: () => undefined } }), ...options });

    it('reads files anew within seconds, and keeps what it has while one is missing', async () => {
      const clock = new ManualClock();
      const tokenFile = await write('first\n', 'token');
      const caFile = await write(cert, 'ca.crt');
      const connection = load({ inCluster: { host: 'fd00::1', port: '443', tokenFile, caFile } }, clock);
      const seen = [connection.server, (await connection.headers(signal))['authorization']];
      await write('second', 'token');
      await clock.advance(4_999);
      seen.push((await connection.headers(signal))['authorization']);
      await clock.advance(1);
      seen.push((await connection.headers(signal))['authorization']);
      await rm(tokenFile);
      await clock.advance(5_000);
      seen.push((await connection.headers(signal))['authorization']);
      expect(seen).toEqual(['https://[fd00::1]:443', 'Bearer first', 'Bearer first', 'Bearer second', 'Bearer second']);
      await connection.close();
    });

    it.each([
      ['empty', ''],
      ['blank', ' \n'],
      ['half-written', 'eyJhbGciOiJSUzI1NiIsImtpZCI6IiJ9.eyJpc3Mi'],
      ['garbage', 'two\nlines'],
    ])('keeps the old token while the file is %s, and reads it again within seconds', async (_, content) => {
      const clock = new ManualClock();
      const tokenFile = await write('first', 'token');
      const kubeconfig = await write(config({}, { tokenFile }));
      const connection = load({ kubeconfig }, clock);
      const seen: unknown[] = [];
      const look = async () => seen.push((await connection.headers(signal))['authorization']);
      await write(content, 'token');
      await clock.advance(5_000);
      await look();
      await connection.refreshAuth(signal);
      await look();
      await write('second', 'token');
      await clock.advance(4_999);
      await look();
      await clock.advance(1);
      await look();
      expect(seen).toEqual(['Bearer first', 'Bearer first', 'Bearer first', 'Bearer second']);
      await connection.close();
    });

    it.each([
      ['is empty', ''],
      ['holds only a part of a token', 'eyJhbGci'],
      ['holds blanks or other characters that no token has', 'a b'],
    ])('is refused where the token file %s, with its path', async (problem, content) => {
      const tokenFile = await write(content, 'token');
      const kubeconfig = await write(config({}, { tokenFile }));
      const message = `${tokenFile}, which the connection to the API server needs, ${problem}`;
      expect(() => load({ kubeconfig })).toThrow(message);
      expect(() => load({ inCluster: { host: 'localhost', port: '443', tokenFile } })).toThrow(message);
    });

    it('follows the kubeconfig itself, but never to another server', async () => {
      const clock = new ManualClock();
      const lines: Record<string, unknown>[] = [];
      const log = createLogger({ destination: { write: (line) => lines.push(JSON.parse(line)) } });
      const kubeconfig = await write(config({}, { token: 'first' }));
      const connection = load({ kubeconfig, log }, clock);
      const seen: unknown[] = [];
      const later = async (ms: number, content: unknown) => {
        await write(content);
        await clock.advance(ms);
        seen.push(await connection.headers(signal));
      };
      const whole = JSON.stringify(config({}, { token: 'third' }));
      await later(59_999, config({}, { token: 'second', as: 'other' }));
      await later(1, config({}, { token: 'second', as: 'other' }));
      await later(60_000, '');
      await later(5_000, whole.slice(0, whole.indexOf('users')));
      await later(5_000, config({ server: 'https://elsewhere.test' }, { token: 'stolen' }));
      await later(5_000, whole);
      const second = { authorization: 'Bearer second', 'impersonate-user': 'other' };
      expect(seen).toEqual([
        { authorization: 'Bearer first' },
        second,
        second,
        second,
        second,
        { authorization: 'Bearer third' },
      ]);
      expect(lines.map(({ level, msg }) => `${level} ${msg}`)).toEqual([
        'info kubeconfig has changed',
        'warn kubeconfig not readable, going on with what it said before',
        'info kubeconfig has changed',
        'info kubeconfig readable again',
      ]);
      await connection.close();
    });

    it('has no news where the kubeconfig says the same as before', async () => {
      const clock = new ManualClock();
      const lines: string[] = [];
      const log = createLogger({ destination: { write: (line) => lines.push(line) } });
      const connection = load({ kubeconfig: await write(config({}, { token: 'first' })), log }, clock);
      await clock.advance(60_000);
      expect(await connection.headers(signal)).toEqual({ authorization: 'Bearer first' });
      expect(lines).toEqual([]);
      await connection.close();
    });

    it('reads the kubeconfig again as soon as its login was refused', async () => {
      const kubeconfig = await write(config({}, { token: 'first' }));
      const connection = load({ kubeconfig });
      await write(config({}, { token: 'second' }));
      await connection.refreshAuth(signal);
      expect(await connection.headers(signal)).toEqual({ authorization: 'Bearer second' });
      await connection.close();
    });

    it('reads its token file again as soon as its login was refused', async () => {
      const tokenFile = await write('first', 'token');
      const connection = load({ kubeconfig: await write(config({}, { tokenFile })) });
      await write('second', 'token');
      await connection.refreshAuth(signal);
      expect(await connection.headers(signal)).toEqual({ authorization: 'Bearer second' });
      await connection.close();
    });

    it('uses new connections for another proxy', async () => {
      const kubeconfig = await write(config({ 'proxy-url': 'http://one.test:3128' }));
      const connection = load({ kubeconfig });
      const way = connection.dispatcher('request');
      await write(config({ 'proxy-url': 'http://two.test:3128' }));
      await connection.refreshAuth(signal);
      await connection.headers(signal);
      expect(connection.dispatcher('request')).not.toBe(way);
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

    it('finds the provider of its login by the look-up that it is given', async () => {
      const asked: string[] = [];
      const lookup: LookupFunction = (host, _options, callback) => {
        asked.push(host);
        callback(Object.assign(new Error('not found'), { code: 'ENOTFOUND' }), []);
      };
      const provider = { 'idp-issuer-url': 'https://idp.test', 'client-id': 'x', 'refresh-token': 'R' };
      const user = { 'auth-provider': { name: 'oidc', config: provider } };
      const connection = load({ kubeconfig: await write(config({}, user)), lookup });
      await expect(connection.headers(signal)).rejects.toMatchObject({ code: 'OidcLoginFailed' });
      expect(asked).toEqual(['idp.test']);
      await connection.close();
    });

    it('sends a user and password, and whom to act as', async () => {
      const as = { as: 'other', 'as-uid': '7', 'as-groups': ['a', 'b'], 'as-user-extra': { 'a/b%': ['ä'] } };
      const connection = load({ kubeconfig: await write(config({}, { username: 'u', password: 'p', ...as })) });
      expect(await connection.headers(signal)).toEqual({
        authorization: `Basic ${base64('u:p')}`,
        'impersonate-user': 'other',
        'impersonate-uid': '7',
        'impersonate-group': ['a', 'b'],
        'impersonate-extra-a%2Fb%25': ['\u00c3\u00a4'],
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
