import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '../support/eventually.ts';
import { startGuarded, type TemporaryDirectory, temporaryDirectory } from './guard.ts';
import { type Projector, startProjector } from './projector.ts';
import { sharedControlPlane } from './shared.ts';
import { type TestNamespace, testNamespace } from './test-namespace.ts';

const CLI = fileURLToPath(new URL('./projector.ts', import.meta.url));

describe('the projector', () => {
  const plane = sharedControlPlane();
  let namespace: TestNamespace;
  let directory: TemporaryDirectory;
  let projector: Projector;

  beforeAll(async () => {
    namespace = await testNamespace(plane);
  });
  afterAll(() => namespace.remove());
  beforeEach(async () => {
    directory = await temporaryDirectory('rolevend-projector-');
  });
  afterEach(() => directory.remove());

  const path = () => `/api/v1/namespaces/${namespace.name}/secrets`;
  const file = (key: string) => readFile(join(directory.path, key), 'utf8').catch(() => undefined);
  const create = (name: string, stringData: Record<string, string>) =>
    plane.request('POST', path(), { apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData });
  const update = (name: string, data: Record<string, string | null>) =>
    plane.request('PATCH', `${path()}/${name}`, { data });

  it('follows a Secret that comes, changes and goes', async () => {
    projector = await startProjector({
      kubeconfig: plane.kubeconfig,
      namespace: namespace.name,
      name: 'followed',
      directory: directory.path,
      intervalMs: 20,
    });
    try {
      await create('followed', { key: 'one', other: 'x' });
      await eventually('the first state', async () => (await file('key')) === 'one');
      await update('followed', { key: Buffer.from('two').toString('base64'), other: null });
      await eventually('the second state', async () => (await file('key')) === 'two');
      await eventually('the removed key to go', async () => (await file('other')) === undefined);
      await plane.request('DELETE', `${path()}/followed`);
      expect(await projector.sync()).toBe(false);
      expect(await file('key')).toBe('two');
    } finally {
      await projector.stop();
    }
  });

  it('works from the command line', async () => {
    const target = join(directory.path, 'target');
    await create('cli', { key: 'value' });
    const part = startGuarded({
      name: 'projector',
      command: [process.execPath, CLI, '--kubeconfig', plane.kubeconfig, `${namespace.name}/cli`, target],
      logFile: join(directory.path, 'log'),
    });
    await eventually('the file', async () => (await file('target/key')) === 'value');
    await part.stop();
  });
});
