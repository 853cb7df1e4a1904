import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Below the ports that systems give to outgoing connections, so that none takes ours while a server restarts. */
const LOWEST = 20_000;
const HIGHEST = 32_000;
/** So many ports are given to nobody else in this process: who got one may take a while until it listens there. */
const KEPT = 1_000;

const given = new Set<number>();

/** A TCP port of 127.0.0.1 that nobody listens on now. Whoever uses it must try again when another process was faster. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(LOWEST, HIGHEST);
    if (given.has(port)) continue;
    given.add(port);
    const [oldest] = given;
    if (given.size > KEPT && oldest !== undefined) given.delete(oldest);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
