import { connect, createServer, type Socket } from 'node:net';

/** A SOCKS 5 proxy (RFC 1928), as `ssh -D` is one. */
export interface SocksProxy {
  /** For `proxy-url`, with user and password where it asks for them. */
  url: string;
  /** What it was asked to connect to, as `host:port`, oldest first, refused ones included. */
  readonly targets: string[];
  stop(): Promise<void>;
}

export interface SocksProxyOptions {
  /** Port of 127.0.0.1 to which all connections go, whatever their target. */
  port: number;
  /** `user:password` that it asks for (RFC 1929). Default: it asks nobody. */
  login?: string;
}

const [NO_LOGIN, LOGIN, NO_METHOD] = [0, 2, 255];
const NAME = 3;
const NOT_ALLOWED = 2;

/** Starts one on a free port of 127.0.0.1. */
export async function startSocksProxy({ port, login }: SocksProxyOptions): Promise<SocksProxy> {
  const targets: string[] = [];
  const open = new Set<Socket>();
  const server = createServer((client) => {
    open.add(client);
    client.once('close', () => open.delete(client)).on('error', () => client.destroy());
    void serve(client, { port, ...(login !== undefined && { login }) }, targets).catch(() => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const own = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `socks5://${login === undefined ? '' : `${login}@`}127.0.0.1:${own}`,
    targets,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}

async function serve(client: Socket, { port, login }: SocksProxyOptions, targets: string[]): Promise<void> {
  const [, count = 0] = await bytes(client, 2);
  const methods = await bytes(client, count);
  const method = login === undefined ? NO_LOGIN : LOGIN;
  if (!methods.includes(method)) return void client.end(Buffer.from([5, NO_METHOD]));
  client.write(Buffer.from([5, method]));
  if (login !== undefined && !(await isAllowed(client, login))) return;
  targets.push(await targetOf(client));
  const inner = connect(port, '127.0.0.1', () => {
    client.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]));
    inner.pipe(client).pipe(inner);
  });
  inner.on('error', () => client.destroy());
  client.once('close', () => inner.destroy());
}

async function isAllowed(client: Socket, login: string): Promise<boolean> {
  const [, nameLength = 0] = await bytes(client, 2);
  const name = (await bytes(client, nameLength)).toString();
  const [passwordLength = 0] = await bytes(client, 1);
  const isRight = `${name}:${(await bytes(client, passwordLength)).toString()}` === login;
  const answer = Buffer.from([1, isRight ? 0 : NOT_ALLOWED]);
  if (isRight) client.write(answer);
  else client.end(answer);
  return isRight;
}

async function targetOf(client: Socket): Promise<string> {
  const { 3: type } = await bytes(client, 4);
  const host =
    type === NAME
      ? (await bytes(client, (await bytes(client, 1))[0] ?? 0)).toString()
      : [...(await bytes(client, 4))].join('.');
  return `${host}:${(await bytes(client, 2)).readUInt16BE()}`;
}

/** Exactly so many bytes; the rest stays for who comes next. */
async function bytes(client: Socket, count: number): Promise<Buffer> {
  if (count === 0) return Buffer.alloc(0);
  for (;;) {
    const read = client.read(count) as Buffer | null;
    if (read !== null) return read;
    await new Promise((resolve, reject) => {
      client.once('readable', resolve).once('end', () => reject(new Error('the client has gone')));
    });
  }
}
