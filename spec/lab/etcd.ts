import { request } from 'node:http';
import { join } from 'node:path';
import { type GuardedProcess, startGuarded } from './guard.ts';

/**
 * Relative names of etcd's sockets in its working directory. etcd insists on `host:port`, and makes it a file name.
 * Sockets instead of ports: nobody else on the machine can reach the data, and there is no port to lose to others.
 */
const CLIENTS = 'clients:0';
const PEERS = 'peers:0';

/** What the API server takes as `--etcd-servers` when it runs in the same directory. */
export const etcdServers = `unix:${CLIENTS}`;

/** Starts etcd with its data in `directory`. It does not wait for the disk: the data need not survive the machine. */
export function startEtcd(program: readonly string[], directory: string): GuardedProcess {
  const flags = {
    name: 'lab',
    'data-dir': 'etcd',
    'listen-client-urls': `unix://${CLIENTS}`,
    'advertise-client-urls': `unix://${CLIENTS}`,
    'listen-peer-urls': `unix://${PEERS}`,
    'initial-advertise-peer-urls': `unix://${PEERS}`,
    'initial-cluster': `lab=unix://${PEERS}`,
    'unsafe-no-fsync': 'true',
    'log-level': 'warn',
  };
  const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  return startGuarded({
    name: 'etcd',
    command: [...program, ...args],
    cwd: directory,
    logFile: join(directory, 'etcd.log'),
  });
}

/**
 * Drops the store's history. The revision that it is compacted to stays readable, so one of our own is written first:
 * all that clients have ever seen is then older.
 */
export async function compactEtcd(directory: string): Promise<void> {
  const mark = { key: Buffer.from('lab/compacted').toString('base64') };
  const { header } = await call<{ header: { revision: string } }>(directory, '/v3/kv/put', mark);
  await call(directory, '/v3/kv/compaction', { revision: header.revision, physical: true });
}

function call<T>(directory: string, path: string, body: object): Promise<T> {
  return new Promise((resolve, reject) => {
    const options = { socketPath: join(directory, CLIENTS), path, method: 'POST' };
    const sent = request(options, async (answer) => {
      let text = '';
      for await (const chunk of answer.setEncoding('utf8')) text += chunk;
      if (answer.statusCode === 200) resolve(JSON.parse(text) as T);
      else reject(new Error(`etcd ${path}: HTTP ${answer.statusCode}: ${text}`));
    });
    sent.once('error', reject);
    sent.end(JSON.stringify(body));
  });
}
