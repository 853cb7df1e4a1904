import { expect, it, jest } from '@jest/globals';
import { sleep, systemClock } from '../../lib/clock.ts';
import { Reflector } from '../../lib/kube/reflector.ts';
import { Store } from '../../lib/kube/store.ts';
import { startFaultProxy } from '../lab/fault-proxy.ts';
import { sharedControlPlane, testNamespace } from '../lab/index.ts';
import { eventually, hangSignal } from '../support/eventually.ts';
import { type ConfigMap, clientFor, configMap, configMaps } from './support/cluster.ts';

jest.setTimeout(10 * 60_000);

/** A quiet watch gets a bookmark each minute; three of them come in this time. */
const QUIET_MS = 190_000;
const NOTICED_MS = 90_000;

/** With the times that operators have, which `make test` only plays on a clock that skips. */
it('leaves a quiet watch alone for minutes, and notices one that is dead within 90 s', async () => {
  const plane = sharedControlPlane();
  const namespace = await testNamespace(plane);
  const proxy = await startFaultProxy(plane);
  const test = await clientFor(plane, { server: proxy.url });
  const store = new Store<ConfigMap>();
  const reflector = new Reflector<ConfigMap>({ ...test, resource: configMaps, namespace: namespace.name, store });
  const end = new AbortController();
  const run = reflector.run(end.signal);
  await reflector.current(hangSignal());
  const watches = () => proxy.requests.filter(({ verb }) => verb === 'watch').length;

  await sleep(systemClock, QUIET_MS);
  expect({ watches: watches(), lines: test.lines }).toEqual({ watches: 1, lines: [] });

  proxy.arm({ verb: 'watch', resource: 'configmaps', fault: 'frozen' });
  const frozenAt = systemClock.monotonic();
  const admin = await clientFor(plane);
  await admin.client.create(configMaps, configMap(namespace.name, 'meanwhile'));
  await eventually('the object', () => store.get(`${namespace.name}/meanwhile`), 5 * NOTICED_MS);
  const noticedMs = systemClock.monotonic() - frozenAt;
  process.stderr.write(`    a dead watch was replaced after ${(noticedMs / 1000).toFixed(1)} s\n`);
  expect(noticedMs).toBeLessThan(NOTICED_MS);

  end.abort();
  await run;
  await Promise.all([test.connection.close(), admin.connection.close(), proxy.close(), namespace.remove()]);
});
