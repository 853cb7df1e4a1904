import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { AWSAssumeRoleSpec } from '../../lib/api/aws-assume-role.ts';
import { annotations } from '../../lib/api/names.ts';
import { type FaultProxy, startFaultProxy } from '../lab/fault-proxy.ts';
import { readKubeconfig, writeKubeconfig } from '../lab/kubeconfig.ts';
import { eventually } from '../support/eventually.ts';
import type { RolevendProcess } from '../support/process.ts';
import {
  holdsWhatWasIssued,
  isSecretWrite,
  killedAt,
  type Moment,
  openSite,
  openWorkshop,
  type Site,
  type Workshop,
} from './support.ts';

/** The crash points of lib/controllers/aws-assume-role/issue.ts: the process is killed there, and a new one goes on. */
describe('an operator that is killed', () => {
  let shop: Workshop;
  let site: Site;
  let proxy: FaultProxy;
  let kubeconfig: string;
  let operator: RolevendProcess | undefined;

  beforeAll(async () => {
    shop = await openWorkshop();
  });
  afterAll(() => shop?.stop());

  beforeEach(async () => {
    const { plane, program } = shop;
    site = await openSite(shop);
    proxy = await startFaultProxy(plane);
    const token = (await (await readKubeconfig(plane.kubeconfig)).token()) ?? '';
    kubeconfig = await writeKubeconfig(program.directory, { server: proxy.url, caFile: plane.caFile }, { token });
    await start();
  });
  afterEach(async () => {
    await operator?.end('SIGKILL');
    await proxy?.close();
    await site?.close();
    shop.aws.gateway.clear();
  });

  async function start(): Promise<void> {
    const flags = { kubeconfig, namespaces: site.ns.name, 'leader-elect': 'false' };
    operator = await shop.program.start({ flags, env: shop.aws.environment(shop.keys) });
    await operator.ready();
  }

  const killed = (moment: Moment) => killedAt(moment, proxy, operator as RolevendProcess);
  const secrets = async () => (await site.secrets()).map(({ metadata, type }) => `${metadata.name} ${type}`).sort();

  /** Starts the operator again. Gives the end state, and what it took to get there. */
  async function resumed() {
    proxy.requests.length = 0;
    await start();
    await site.ready('app');
    await operator?.idle();
    const { status } = await site.object('app');
    const [secret] = await site.secrets();
    const writes = proxy.requests.filter(isSecretWrite);
    return {
      secrets: await secrets(),
      isOneSession: holdsWhatWasIssued(secret, shop.aws.gateway),
      isTold: status?.secretRef?.resourceVersion === secret?.metadata.resourceVersion,
      sessions: site.sessions().length,
      secretWrites: writes.map(({ verb, resource, name }) => [verb, resource, name].filter(Boolean).join(' ')),
    };
  }

  const patch = { verb: 'patch', resource: 'awsassumeroles/status', name: 'app' } as const;
  const good = { secrets: ['app Opaque'], isOneSession: true, isTold: true };

  test.each([
    ['before STS got the call', false, 1],
    ['after STS issued the session', true, 2],
  ])('at point 1, %s: it ends with one Secret', async (_, after, expected) => {
    shop.aws.gateway.fail({ action: 'AssumeRole', with: 'stall', times: 1, after });
    const isWaiting = () => site.calls().length === 1 && site.sessions().length === expected - 1;
    await site.apply('app');
    await eventually('STS to hold the call', isWaiting);
    await operator?.end('SIGKILL');
    expect(await secrets()).toEqual([]);
    expect(await resumed()).toEqual({ ...good, sessions: expected, secretWrites: ['create secrets'] });
  });

  test.each<[string, Moment, object]>([
    [
      'point 2, before the Secret is created: one session is orphaned',
      { verb: 'create', resource: 'secrets', fault: 'kill-before' },
      { sessions: 2, secretWrites: ['create secrets'] },
    ],
    [
      'point 3, the Secret is created and the answer lost: nothing is issued again',
      { verb: 'create', resource: 'secrets', fault: 'kill-applied' },
      { sessions: 1, secretWrites: [] },
    ],
    [
      'point 4, before the status is written: nothing is issued again',
      { ...patch, fault: 'kill-before' },
      { sessions: 1, secretWrites: [] },
    ],
    [
      'point 4, the status is written and the answer lost: nothing is issued again',
      { ...patch, fault: 'kill-applied' },
      { sessions: 1, secretWrites: [] },
    ],
  ])('in a first issue at %s', async (_, moment, expected) => {
    const death = killed(moment);
    await site.apply('app');
    await death();
    expect(await resumed()).toEqual({ ...good, ...expected });
  });

  const again = { [annotations.refreshRequestedAt]: 'now' };
  const ecrHost = '111122223333.dkr.ecr.eu-central-1.amazonaws.com';
  const ecr: Partial<AWSAssumeRoleSpec> = { secretType: 'EcrDockerConfigJson', ecrRepositoryUrl: ecrHost };
  const put = { verb: 'update', resource: 'secrets' } as const;
  const remove = { verb: 'delete', resource: 'secrets', name: 'app' } as const;
  const other = { ...good, secrets: ['other Opaque'] };
  const registry = { ...good, secrets: ['app kubernetes.io/dockerconfigjson'] };

  test.each<[string, Partial<AWSAssumeRoleSpec>, object, Moment, string[], object]>([
    [
      'point 2 of a refresh: the old Secret stands, and one session is orphaned',
      {},
      again,
      { ...put, fault: 'kill-before' },
      ['app Opaque'],
      { ...good, sessions: 3, secretWrites: ['update secrets app'] },
    ],
    [
      'point 3 of a refresh: the new session stands',
      {},
      again,
      { ...put, fault: 'kill-applied' },
      ['app Opaque'],
      { ...good, sessions: 2, secretWrites: [] },
    ],
    [
      'point 4 of a refresh: the new session stands',
      {},
      again,
      { ...patch, fault: 'kill-before' },
      ['app Opaque'],
      { ...good, sessions: 2, secretWrites: [] },
    ],
    [
      'point 4 after a change of the spec',
      { durationSeconds: 1800 },
      {},
      { ...patch, fault: 'kill-before' },
      ['app Opaque'],
      { ...good, sessions: 2, secretWrites: [] },
    ],
    [
      'point 5, the Secret of the former type is deleted: it is made anew',
      ecr,
      {},
      { ...remove, fault: 'kill-applied' },
      [],
      { ...registry, sessions: 3, secretWrites: ['create secrets'] },
    ],
    [
      'point 6, before the Secret of the former name is deleted: it goes',
      { secretName: 'other' },
      {},
      { ...remove, fault: 'kill-before' },
      ['app Opaque', 'other Opaque'],
      { ...other, sessions: 2, secretWrites: ['delete secrets app'] },
    ],
    [
      'point 6, the Secret of the former name is deleted and the answer lost',
      { secretName: 'other' },
      {},
      { ...remove, fault: 'kill-applied' },
      ['other Opaque'],
      { ...other, sessions: 2, secretWrites: [] },
    ],
  ])('at %s', async (_, spec, metadata, moment, meanwhile, expected) => {
    await site.apply('app');
    await site.ready('app');
    const death = killed(moment);
    await site.apply('app', spec, { annotations: metadata });
    await death();
    expect(await secrets()).toEqual(meanwhile);
    expect(await resumed()).toEqual(expected);
  });
});
