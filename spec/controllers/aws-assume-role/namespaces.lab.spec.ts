import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { kubeconfigFor } from '../../kube/support/cluster.ts';
import { type FaultProxy, startFaultProxy } from '../../lab/fault-proxy.ts';
import { expectSuccess, trustPrincipals } from '../../lab/index.ts';
import { eventually } from '../../support/eventually.ts';
import { eventsAbout, messageOf, openTimeScene, openTimeStage, settled, type TimeStage } from './probes.ts';
import { objectOf, type Scene } from './support.ts';

const SECOND = 1000;
const name = `new-${randomBytes(4).toString('hex')}`;

let stage: TimeStage;
let proxy: FaultProxy;
let scene: Scene;

beforeAll(async () => {
  stage = await openTimeStage();
  await stage.aws.createRole('app', { trust: trustPrincipals(stage.keys.arn) });
  proxy = await startFaultProxy(stage.plane);
  const plane = { kubeconfig: await kubeconfigFor(stage.plane, proxy.url) };
  const byLabel = { namespaces: { selector: { matchLabels: { team: name } } } };
  const grants = [{ ...byLabel, roles: ['arn:self:iam::self:role/*'] }];
  scene = await openTimeScene(stage, { operator: { plane, namespaces: [name] }, grants });
});

afterAll(async () => {
  await stage?.plane.request('DELETE', `/api/v1/namespaces/${name}`);
  await scene?.close();
  await proxy?.close();
  await stage?.stop();
});

test('a namespace that the operator has not seen yet is not denied what a grant allows by label', async () => {
  const { request, kubectl } = stage.plane;
  // What happens to namespaces is not told any more, until the watch is given up.
  proxy.arm({ verb: 'watch', resource: 'namespaces', fault: 'frozen' });
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { team: name } } };
  expectSuccess(await request('POST', '/api/v1/namespaces', namespace), name);
  const path = `/apis/pincette.net/v1/namespaces/${name}/awsassumeroles`;
  expectSuccess(await request('POST', path, objectOf('app', {})), name);
  const ns = { ...scene.ns, kubectl: (...args: string[]) => kubectl('--namespace', name, ...args) };
  const get = async () => {
    const { code, stdout } = await ns.kubectl('get', 'aar', 'app', '--output', 'json');
    return code === 0 ? JSON.parse(stdout) : undefined;
  };
  const at = { ...scene, ns, get };
  const waiting = {
    Ready: 'False/NamespaceUnknown',
    Reconciling: 'True/Retrying',
    Refreshed: 'False/NamespaceUnknown',
  };
  expect(messageOf(await settled(at, 'app', waiting), 'Ready')).toBe(
    `the labels of namespace ${name} are not known yet, and grants select by them`,
  );
  await eventually('the watch to be opened again', async () => {
    stage.clock.skip(5 * SECOND);
    return messageOf(await get(), 'Granted') !== '';
  });
  await settled(at, 'app', { Ready: 'True/Issued', Refreshed: 'True/Issued', Granted: 'True/Granted' });
  expect((await eventsAbout(at, 'app')).filter(({ type }) => type === 'Warning')).toEqual([]);
});
