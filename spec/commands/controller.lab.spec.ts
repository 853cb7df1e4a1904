import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { annotations } from '../../lib/api/names.ts';
import { systemClock } from '../../lib/clock.ts';
import type { Secret } from '../../lib/controllers/aws-assume-role/secret.ts';
import { readKubeconfig, writeKubeconfig } from '../lab/kubeconfig.ts';
import { eventually } from '../support/eventually.ts';
import type { ProcessStart, RolevendProcess } from '../support/process.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { openSite, openWorkshop, type Site, type Workshop } from './support.ts';

const leading = 'leader_election_master_status{name="rolevend-controller"}';

describe('the process of rolevend controller', () => {
  let shop: Workshop;
  let site: Site;
  let operator: RolevendProcess | undefined;

  beforeAll(async () => {
    shop = await openWorkshop();
  });
  afterAll(() => shop?.stop());

  beforeEach(async () => {
    site = await openSite(shop);
  });
  afterEach(async () => {
    await operator?.end('SIGKILL');
    await site?.close();
    shop.aws.gateway.clear();
  });

  async function start({ flags, env }: ProcessStart = {}): Promise<RolevendProcess> {
    const base = { kubeconfig: shop.plane.kubeconfig, namespaces: site.ns.name, 'leader-elect': 'false' };
    operator = await shop.program.start({ flags: { ...base, ...flags }, env: env ?? shop.aws.environment(shop.keys) });
    return operator;
  }

  const ok = { status: 200, body: 'ok\n', contentType: 'text/plain; charset=utf-8' };

  describe('while the API server is away and there are no credentials', () => {
    let proxy: TcpProxy;

    beforeEach(async () => {
      proxy = await startTcpProxy(shop.plane.server);
    });
    afterEach(() => proxy?.stop());

    async function throughProxy(): Promise<{ kubeconfig: string }> {
      const { caFile, kubeconfig } = shop.plane;
      const token = (await (await readKubeconfig(kubeconfig)).token()) ?? '';
      const server = `https://127.0.0.1:${proxy.port}`;
      return { kubeconfig: await writeKubeconfig(shop.program.directory, { server, caFile }, { token }) };
    }

    test('is alive, is not ready and says why, until both are there', async () => {
      const file = join(shop.program.directory, 'credentials');
      const env = { ...shop.aws.environment(), AWS_SHARED_CREDENTIALS_FILE: file };
      proxy.cut();
      const started = await start({ flags: await throughProxy(), env });
      const problems = async () => {
        const { status, body } = await started.ask('/readyz');
        return {
          status,
          problems: body
            .trimEnd()
            .split('\n')
            .map((line) => line.slice(0, 45)),
        };
      };
      const unsynced = [`awsassumeroles in ${site.ns.name}`, `secrets in ${site.ns.name}`, 'rolegrants', 'namespaces'];
      const noIdentity = 'No AWS identity: the default chain found no usable';
      const all = [...unsynced.map((what) => `not synced: ${what}`), noIdentity].map((line) => line.slice(0, 45));
      await eventually('it to miss both', async () => {
        expect(await problems()).toEqual({ status: 503, problems: all });
        return true;
      });
      expect(await started.ask('/healthz')).toEqual(ok);
      proxy.restore();
      await eventually('it to miss the identity alone', async () => {
        expect(await problems()).toEqual({ status: 503, problems: all.slice(-1) });
        return true;
      });
      const { accessKeyId, secretAccessKey } = shop.keys;
      await writeFile(file, `[default]\naws_access_key_id=${accessKeyId}\naws_secret_access_key=${secretAccessKey}\n`);
      await eventually('it to be ready', async () => (await started.ask('/readyz')).status === 200);
      expect(await started.ask('/readyz')).toEqual(ok);
    });

    test('ends at SIGTERM before it has reached anything', async () => {
      proxy.cut();
      const started = await start({ flags: await throughProxy(), env: shop.aws.environment() });
      await eventually('it to listen', async () => (await started.ask('/healthz')).status === 200);
      expect(await started.end()).toBe(0);
    });

    test('ends at SIGTERM when the API server hangs and the Lease cannot be given back', async () => {
      const election = { 'leader-elect': 'true', 'leader-election-namespace': site.ns.name };
      const started = await start({ flags: { ...(await throughProxy()), ...election } });
      await started.ready();
      await eventually('it to lead', async () => (await started.metric(leading)) === 1);
      proxy.freeze();
      expect(await started.end()).toBe(0);
    });
  });

  test('serves figures in the format of Prometheus', async () => {
    const started = await start();
    await started.ready();
    await site.apply('app');
    await site.ready('app');
    const { status, body, contentType } = await started.ask('/metrics');
    expect({ status, contentType }).toEqual({ status: 200, contentType: 'text/plain; version=0.0.4; charset=utf-8' });
    const names = new Set([...body.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name));
    const promised = [
      'controller_runtime_reconcile_total',
      'rest_client_requests_total',
      'rolevend_credential_expiry_timestamp_seconds',
      'rolevend_refresh_total',
      'rolevend_sts_requests_total',
      'rolevend_watch_last_event_age_seconds',
      'workqueue_depth',
    ];
    expect(promised.filter((name) => !names.has(name))).toEqual([]);
    expect((await started.ask('/metric')).status).toBe(404);
  });

  test.each(['SIGTERM', 'SIGINT'] as const)(
    'ends at %s, while STS answers no pass and no call has come to its deadline',
    async (signal) => {
      shop.aws.gateway.fail({ action: 'AssumeRole', with: 'stall' });
      const started = await start();
      await started.ready();
      await Promise.all(['one', 'two', 'three'].map((name) => site.apply(name)));
      await eventually('all passes to stall', () => site.calls().length === 3);
      expect(await started.end(signal)).toBe(0);
      expect((await started.log()).slice(-1)).toEqual([
        { level: 'info', time: expect.any(String), signal, msg: 'ending' },
      ]);
      expect(await site.secrets()).toEqual([]);
    },
  );

  test('replaces everything at once, and each once, after it was suspended for longer than its sessions live', async () => {
    shop.aws.gateway.sessionSeconds(8);
    const started = await start();
    await started.ready();
    const names = ['one', 'two', 'three'];
    await Promise.all(names.map((name) => site.apply(name)));
    await Promise.all(names.map((name) => site.ready(name)));
    await started.suspend();
    // Those of later live for as long as they were asked for, so that each is needed once.
    shop.aws.gateway.sessionSeconds(undefined);
    const hasEnded = ({ expiresAt }: { expiresAt: number }) => expiresAt < systemClock.now();
    await eventually('all sessions to have ended', () => site.sessions().every(hasEnded));
    const before = site.sessions().length;
    await started.resume();
    const ends = (secret: Secret) => Date.parse(secret.metadata.annotations?.[annotations.expiresAt] ?? '');
    const isGood = async () => (await site.secrets()).every((secret) => ends(secret) > systemClock.now());
    await eventually('sessions that have not ended', isGood);
    await started.idle();
    expect(site.sessions()).toHaveLength(before + names.length);
    expect(await started.ask('/healthz')).toEqual(ok);
    const problems = (await started.log()).filter(({ level }) => level === 'error' || level === 'warn');
    expect(problems).toEqual([]);
  });

  test('takes everything from the environment', async () => {
    const { plane, aws, keys, program } = shop;
    const settings = {
      KUBECONFIG: plane.kubeconfig,
      ROLEVEND_NAMESPACES: site.ns.name,
      ROLEVEND_LEADER_ELECT: 'false',
      ROLEVEND_LOG_FORMAT: 'text',
    };
    operator = await program.start({ env: { ...aws.environment(keys), ...settings } });
    await operator.ready();
    await site.apply('app');
    await site.ready('app');
    const lines = (await operator.output()).trimEnd().split('\n');
    expect(lines.filter((line) => !/^\d{4}-\d\d-\d\dT[\d:.]+Z (INFO |WARN |ERROR) [A-Za-z]/.test(line))).toEqual([]);
    const issued = `INFO  credential issued object=${site.ns.name}/app reason=Missing requestId=`;
    expect(lines).toContainEqual(expect.stringContaining(issued));
  });

  test('logs one JSON object a line, from the level that was asked for', async () => {
    const started = await start({ flags: { 'log-level': 'debug' } });
    await started.ready();
    await site.apply('app');
    await site.ready('app');
    const lines = await started.log();
    expect(lines).toContainEqual({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      object: `${site.ns.name}/app`,
      reason: 'Missing',
      requestId: expect.any(String),
      msg: 'credential issued',
    });
    await started.end();
    const quiet = await start({ flags: { 'log-level': 'error' } });
    await quiet.ready();
    await quiet.end();
    expect(await quiet.output()).toBe('');
  });
});
