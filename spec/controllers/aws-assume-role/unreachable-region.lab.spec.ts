import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { AWSAssumeRole } from '../../../lib/api/aws-assume-role.ts';
import { type TestNamespace, testNamespace, trustPrincipals } from '../../lab/index.ts';
import { eventually } from '../../support/eventually.ts';
import { conditionsOf, eventsAbout, messageOf, openTimeScene, openTimeStage, type TimeStage } from './probes.ts';
import { objectOf, type Scene } from './support.ts';

const SECOND = 1000;
const CALL_LIMIT_MS = 20 * SECOND;
const DARK = 'us-east-2';
/** More objects than workers. */
const OBJECTS = 24;
const WORKERS = 8;

describe('a Region that does not answer', () => {
  let stage: TimeStage;
  /** The tenant whose objects name that Region. */
  let dark: Scene;
  /** Another tenant of the same operator. */
  let other: TestNamespace;
  const names = Array.from({ length: OBJECTS }, (_, n) => `dark-${n}`);

  beforeAll(async () => {
    stage = await openTimeStage();
    await stage.aws.createRole('app', { trust: trustPrincipals(stage.keys.arn) });
    other = await testNamespace(stage.plane);
    dark = await openTimeScene(stage, { operator: { config: { concurrency: WORKERS } }, namespaces: [other.name] });
    stage.aws.gateway.fail({ action: 'AssumeRole', region: DARK, with: 'stall' });
    await dark.ns.apply(...names.map((name) => objectOf(name, { region: DARK })));
    await eventually('a call that gets no answer', () => asked() > 0);
  });

  afterAll(async () => {
    await dark?.close();
    await stage?.plane.request('DELETE', `/apis/rolevend.dev/v1alpha1/rolegrants/${other.name}`);
    await other?.remove();
    await stage?.stop();
  });

  const asked = () => stage.aws.gateway.count('AssumeRole', { region: DARK });
  const states = async () => {
    const path = `/apis/pincette.net/v1/namespaces/${dark.ns.name}/awsassumeroles`;
    const { items } = (await stage.plane.request<{ items: AWSAssumeRole[] }>('GET', path)).body;
    return items.map((object) => ({
      says: conditionsOf(object),
      failures: object.status?.consecutiveFailures,
      object,
    }));
  };

  test('keeps a new RoleGrant from nobody else: its objects have their Secrets while one call waits', async () => {
    await other.apply(...['a', 'b', 'c'].map((name) => objectOf(name, {})));
    const stateOf = async (name: string) => {
      const { stdout } = await other.kubectl('get', 'aar', name, '--output', 'jsonpath={.status.conditions[0].reason}');
      return stdout;
    };
    await eventually('a denial', async () => (await stateOf('c')) === 'GrantDenied');
    await other.apply({
      apiVersion: 'rolevend.dev/v1alpha1',
      kind: 'RoleGrant',
      metadata: { name: other.name },
      spec: { namespaces: { names: [other.name] }, roles: ['arn:self:iam::self:role/app'] },
    });
    for (const name of ['a', 'b', 'c'])
      await eventually(`${name} to be issued`, async () => (await stateOf(name)) === 'Issued');
    expect(asked()).toBe(1);
  });

  test('is told by all its objects, and counts as a failure of the one that asked', async () => {
    stage.clock.skip(CALL_LIMIT_MS);
    const told = { Granted: 'True/Granted', Ready: 'False/StsUnreachable', Refreshed: 'False/StsUnreachable' };
    const all = await eventually('all objects to tell it', async (saw) => {
      const now = await states();
      const others = saw(now.filter(({ says }) => says['Ready'] !== told.Ready));
      // One that has begun to ask before it was told says so until its call ends.
      if (others.length === 1 && asked() > 1) stage.clock.skip(CALL_LIMIT_MS);
      return others.length === 0 ? now : undefined;
    });
    const says = { ...told, Reconciling: 'True/Retrying' };
    const waiters = all.filter(({ failures }) => failures === 0);
    expect(waiters.map((one) => one.says)).toEqual(Array(waiters.length).fill(says));
    expect(waiters.length).toBeGreaterThanOrEqual(OBJECTS - asked());
    const waiting = waiters[0]?.object;
    const host = new URL(stage.aws.endpoint).host;
    expect(messageOf(waiting, 'Ready')).toBe(
      `STS in ${DARK} (${host}) gives no answer (StsUnreachable, TIMEOUT). Check the network, the proxy and the Region. It is tried again. Until then only one object at a time asks, and this one waits.`,
    );
    expect(await eventsAbout(dark, waiting?.metadata.name ?? '')).toEqual([]);
  });

  /** Puts the clock forward until one more call has come, whatever ends before it: a call, a pause. */
  async function nextCall(): Promise<void> {
    const before = asked();
    await eventually('the next call', () => {
      if (asked() === before) stage.clock.skip(5 * SECOND);
      return asked() > before;
    });
  }

  test('is asked by one at a time, while the others say nothing new', async () => {
    await nextCall();
    const versions = async () => (await states()).map(({ object }) => object.metadata.resourceVersion);
    const [before, calls] = [await versions(), asked()];
    for (let n = 1; n <= 3; n += 1) {
      await nextCall();
      expect(asked()).toBe(calls + n);
    }
    const after = await versions();
    expect(after.filter((version, at) => version !== before[at]).length).toBeLessThanOrEqual(4);
  });

  test('gives all objects their Secrets as soon as it answers', async () => {
    stage.aws.gateway.clear();
    await nextCall();
    await eventually('all Secrets', async () => (await states()).every(({ says }) => says['Ready'] === 'True/Issued'));
  });
});
