import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseAddress } from '../../lib/kube/address.ts';
import { type HttpServer, type ServeOptions, serve } from '../../lib/kube/http.ts';

const open: HttpServer[] = [];

afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

describe('an address to listen on', () => {
  it.each<[string, ReturnType<typeof parseAddress>]>([
    ['0', undefined],
    [':8080', { port: 8080 }],
    [':0', { port: 0 }],
    ['0.0.0.0:8080', { host: '0.0.0.0', port: 8080 }],
    ['127.0.0.1:0', { host: '127.0.0.1', port: 0 }],
    ['localhost:65535', { host: 'localhost', port: 65_535 }],
    ['[::1]:8081', { host: '::1', port: 8081 }],
    ['[::]:8081', { host: '::', port: 8081 }],
  ])('%s is read', (text, address) => {
    expect(parseAddress(text)).toEqual(address);
  });

  it.each([
    '',
    '8080',
    ':',
    ':65536',
    ':-1',
    ':80a',
    '::1:8080',
    '[::1]',
    '[::1]8080',
    'a b:80',
    'http://x:80',
    ':080000',
  ])('%j is refused', (text) => {
    expect(() => parseAddress(text)).toThrow(
      `"${text}" is no address to listen on; accepted are ":8080", "127.0.0.1:8080", "[::1]:8080" or "0" for none`,
    );
  });

  it('is read or refused with InvalidConfig, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[[\]:.0-9a-f]*$/)), (text) => {
        try {
          expect(parseAddress(text)?.port ?? 0).toBeLessThanOrEqual(65_535);
        } catch (error) {
          expect(error).toMatchObject({ code: 'InvalidConfig' });
        }
      }),
    );
  });
});

describe('the server for probes and metrics', () => {
  it('answers GET and HEAD of its paths, with or without a query', async () => {
    const url = await start({
      '/healthz': () => ({ status: 200, body: 'ok' }),
      '/readyz': async () => ({ status: 503, body: 'ö', contentType: 'text/x' }),
    });
    expect(await ask(`${url}/healthz?verbose`)).toEqual({
      status: 200,
      type: 'text/plain; charset=utf-8',
      length: '2',
      body: 'ok',
    });
    expect(await ask(`${url}/readyz`)).toEqual({ status: 503, type: 'text/x', length: '2', body: 'ö' });
    expect(await ask(`${url}/readyz`, 'HEAD')).toEqual({ status: 503, type: 'text/x', length: '2', body: '' });
  });

  it('refuses other paths and methods', async () => {
    const url = await start({ '/healthz': () => ({ status: 200, body: 'ok' }) });
    const statuses = [];
    for (const [path, method] of [
      ['/', 'GET'],
      ['/healthz/', 'GET'],
      ['/constructor', 'GET'],
      ['/healthz', 'POST'],
      ['/healthz', 'DELETE'],
    ] as const) {
      statuses.push((await ask(url + path, method)).status);
    }
    expect(statuses).toEqual([404, 404, 404, 405, 405]);
  });

  it('tells nobody but its owner of an error in a route', async () => {
    const thrown: unknown[] = [];
    const broken = {
      '/sync': () => {
        throw new Error('secret');
      },
      '/async': () => Promise.reject(new Error('secret')),
    };
    const url = await start(broken, (error) => thrown.push(error));
    expect([await ask(`${url}/sync`), await ask(`${url}/async`)]).toEqual(
      [1, 2].map(() => ({ status: 500, type: 'text/plain; charset=utf-8', length: '15', body: 'internal error\n' })),
    );
    expect(thrown).toEqual([new Error('secret'), new Error('secret')]);
  });

  it('is off at address 0', async () => {
    expect(await serve({ address: '0', routes: {} })).toBeUndefined();
  });

  it('listens on IPv6 where the machine has it', async () => {
    const server = await serve({ address: '[::1]:0', routes: { '/': () => ({ status: 200, body: 'ok' }) } }).catch(
      (error: unknown) => {
        expect(error).toMatchObject({ message: expect.stringContaining('this machine does not have the address') });
      },
    );
    if (!server) return;
    open.push(server);
    expect((await ask(`http://[::1]:${server.port}/`)).status).toBe(200);
  });

  it('names the address when the port is in use', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const address = `127.0.0.1:${(other.address() as AddressInfo).port}`;
    await expect(serve({ address, routes: {} })).rejects.toMatchObject({
      code: 'CannotListen',
      consequence: 'stop',
      message: `cannot listen on ${address}: the port is in use by another process`,
    });
    other.close();
  });

  it('closes, also with idle and half-open connections and a route that hangs', async () => {
    const server = await serve({ address: '127.0.0.1:0', routes: { '/hang': () => new Promise(() => {}) } });
    if (server === undefined) throw new Error('not listening');
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    const hanging = fetch(`http://127.0.0.1:${server.port}/hang`).catch(() => 'cut');
    await fetch(`http://127.0.0.1:${server.port}/none`);
    await server.close();
    expect(await hanging).toBe('cut');
    socket.destroy();
  });
});

async function start(routes: ServeOptions['routes'], onError?: ServeOptions['onError']): Promise<string> {
  const server = await serve({ address: '127.0.0.1:0', routes, ...(onError && { onError }) });
  if (server === undefined) throw new Error('not listening');
  open.push(server);
  return `http://127.0.0.1:${server.port}`;
}

async function ask(url: string, method = 'GET') {
  const response = await fetch(url, { method });
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    length: response.headers.get('content-length'),
    body: await response.text(),
  };
}
