import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { type TemporaryDirectory, temporaryDirectory } from '../lab/guard.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Component {
  'bom-ref': string;
  name: string;
  version: string;
}

interface Bill {
  bomFormat: string;
  metadata: { component: Component };
  components: (Component & { hashes: unknown[]; licenses: unknown[] })[];
  dependencies: { ref: string; dependsOn: string[] }[];
}

describe('the bill of materials', () => {
  let directory: TemporaryDirectory;
  let bill: Bill;

  beforeAll(async () => {
    directory = await temporaryDirectory('rolevend-sbom-');
    bill = JSON.parse(await generate('one'));
  });
  afterAll(() => directory?.remove());

  async function generate(name: string): Promise<string> {
    const file = join(directory.path, name);
    await promisify(execFile)(process.execPath, ['spec/tools/sbom.ts', file], { cwd: root });
    return await readFile(file, 'utf8');
  }

  const listed = () => bill.components.map(({ name, version }) => `${name}@${version}`).sort();

  test('names the program, and each package with its version, hash and licence', async () => {
    const { name, version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
    expect(bill).toMatchObject({ bomFormat: 'CycloneDX', metadata: { component: { name, version } } });
    expect(bill.components.filter(({ hashes, licenses }) => !(hashes?.length && licenses?.length))).toEqual([]);
  });

  test('holds every package whose code is in the bundle, and none that only development needs', async () => {
    const { metafile } = await build({
      absWorkingDir: root,
      entryPoints: ['lib/main.ts'],
      bundle: true,
      write: false,
      metafile: true,
      format: 'esm',
      platform: 'node',
      mainFields: ['module', 'main'],
      outfile: 'dist/rolevend.mjs',
    });
    const folders = Object.keys(metafile.inputs).flatMap(
      (path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? [],
    );
    const bundled = await Promise.all(
      [...new Set(folders)].map(async (folder) => {
        const { name, version } = JSON.parse(await readFile(join(root, folder, 'package.json'), 'utf8'));
        return `${name}@${version}`;
      }),
    );
    expect(bundled.length).toBeGreaterThan(10);
    expect(listed()).toEqual(expect.arrayContaining(bundled));
    const lock = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { version: string; dev?: boolean; optional?: boolean }>;
    };
    const needed = Object.entries(lock.packages)
      .filter(([path, { dev }]) => path !== '' && dev !== true)
      .map(([path, { version }]) => `${path.replace(/^.*node_modules\//, '')}@${version}`);
    expect(listed()).toEqual([...new Set(needed)].sort());
  });

  test('tells dependencies among what it lists alone', () => {
    const refs = new Set([...bill.components, bill.metadata.component].map((component) => component['bom-ref']));
    const named = bill.dependencies.flatMap(({ ref, dependsOn }) => [ref, ...dependsOn]);
    expect(named.filter((ref) => !refs.has(ref))).toEqual([]);
    expect(bill.dependencies).toHaveLength(refs.size);
  });

  test('is the same for the same sources', async () => {
    expect(await generate('two')).toBe(await generate('three'));
  });
});
