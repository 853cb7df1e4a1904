import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { type TemporaryDirectory, temporaryDirectory } from '../lab/guard.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

async function nameOf(folder: string): Promise<string> {
  const { name, version } = JSON.parse(await readFile(join(root, folder, 'package.json'), 'utf8'));
  return `${name}@${version}`;
}

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

  test('holds every package whose code is in the bundle, and no other', async () => {
    // By what esbuild calls the files in a bundle that is not minified.
    const directory = await temporaryDirectory('rolevend-bundle-');
    const outfile = join(directory.path, 'bundle.mjs');
    const options = { bundle: true, format: 'esm', platform: 'node' } as const;
    const mainFields = ['module', 'main'];
    await build({ ...options, mainFields, absWorkingDir: root, entryPoints: ['lib/main.ts'], outfile });
    const text = await readFile(outfile, 'utf8').finally(() => directory.remove());
    const folders = [...text.matchAll(/^ *\/\/ (node_modules\/(?:.*node_modules\/)?(?:@[^/]+\/)?[^/\s]+)\//gm)];
    const bundled = await Promise.all([...new Set(folders.map(([, folder = '']) => folder))].map(nameOf));
    expect(bundled.length).toBeGreaterThan(10);
    expect(listed()).toEqual([...new Set(bundled)].sort());
  });

  test('knows each dependency of the program: what only tests use is one of development', async () => {
    const { dependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
    const named = Object.entries(dependencies).map(([name, version]) => `${name}@${version}`);
    expect(named.filter((dependency) => !listed().includes(dependency))).toEqual([]);
  });

  test('tells dependencies among what it lists alone', () => {
    const refs = new Set([...bill.components, bill.metadata.component].map((component) => component['bom-ref']));
    const named = bill.dependencies.flatMap(({ ref, dependsOn }) => [ref, ...dependsOn]);
    expect(named.filter((ref) => !refs.has(ref))).toEqual([]);
    expect(bill.dependencies).toHaveLength(refs.size);
    const reached = new Set([bill.metadata.component['bom-ref']]);
    for (const ref of reached)
      for (const { ref: from, dependsOn } of bill.dependencies)
        if (from === ref) for (const other of dependsOn) reached.add(other);
    expect([...refs].filter((ref) => !reached.has(ref))).toEqual([]);
  });

  test('is the same for the same sources', async () => {
    expect(await generate('two')).toBe(await generate('three'));
  });
});
