import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { type ControlPlane, startControlPlane, type TemporaryDirectory, temporaryDirectory } from '../lab/index.ts';
import {
  clear,
  install,
  keepsDefinition,
  knowsNewField,
  kubectl,
  legacyDefinition,
  storesNewField,
  writeLegacyChart,
} from './cluster.ts';
import { helm, helmVersions, takeOver } from './support.ts';

describe.each(helmVersions)('a definition of before, with %s,', (version) => {
  let cluster: ControlPlane;
  let directory: TemporaryDirectory;

  beforeAll(async () => {
    cluster = await startControlPlane({ name: 'take-over', crds: false });
  });
  afterAll(() => cluster?.stop());
  beforeEach(async () => {
    await clear(cluster, version);
    directory = await temporaryDirectory('rolevend-legacy-');
  });
  afterEach(() => directory?.remove());

  async function withKubectl(...flags: string[]): Promise<void> {
    const file = join(directory.path, 'crd.yaml');
    await writeFile(file, stringify(legacyDefinition()));
    await kubectl(cluster, 'apply', '--filename', file, ...flags);
  }

  async function withHelm3(): Promise<void> {
    await writeLegacyChart(directory.path);
    await helm('Helm 3', cluster, 'install', 'legacy', directory.path, '--create-namespace');
  }

  test.each([
    ['kubectl apply', () => withKubectl()],
    ['kubectl apply --server-side', () => withKubectl('--server-side')],
    ['Helm 3', withHelm3],
  ])('made by %s is refused without the flags, and taken over with them, with all objects', async (_, make) => {
    await make();
    expect(await storesNewField(cluster, 'before')).toBe(false);
    await expect(install(version, cluster)).rejects.toThrow(
      /awsassumeroles\.pincette\.net.* invalid ownership metadata/,
    );
    await helm(version, cluster, 'uninstall', 'rolevend', '--ignore-not-found');

    await install(version, cluster, ...takeOver[version]);
    await knowsNewField(cluster);
    expect(await keepsDefinition(cluster)).toBe(true);
    const names = await kubectl(cluster, 'get', 'awsassumeroles', '--output', 'jsonpath={.items[*].metadata.name}');
    expect(names.split(' ')).toEqual(['before']);
  });
});

test('a definition that kubectl made is refused by Helm 4 without --force-conflicts, and stays as it was', async () => {
  const cluster = await startControlPlane({ name: 'conflict', crds: false, controllerManager: false });
  try {
    const { code } = await cluster.kubectlInput(stringify(legacyDefinition()), 'apply', '--filename', '-');
    expect(code).toBe(0);
    const attempt = install('Helm 4', cluster, '--take-ownership');
    await expect(attempt).rejects.toThrow(/conflict with "kubectl-client-side-apply".*\.spec\.versions/s);
    expect(await storesNewField(cluster, 'before')).toBe(false);
  } finally {
    await cluster.stop();
  }
});
