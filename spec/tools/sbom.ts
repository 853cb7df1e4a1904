// Writes the bill of materials of what is bundled (CycloneDX) to dist/sbom.cdx.json, or to the file given as argument.
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import packageJson from '../../package.json' with { type: 'json' };
import { bundle, bundledFolders, root } from './bundle.ts';

const [outfile = 'dist/sbom.cdx.json'] = process.argv.slice(2);

interface Bill {
  serialNumber?: string;
  metadata: { timestamp?: string; component: { 'bom-ref': string; name: string } };
  components: { 'bom-ref': string; name: string; version: string }[];
  dependencies: { ref: string; dependsOn: string[] }[];
}

/** Name and version of each package of which code is in the bundle. */
async function bundled(): Promise<Set<string>> {
  const built = await bundle({ entry: 'lib/main.ts', outfile: 'dist/rolevend.mjs', write: false });
  const named = bundledFolders(built).map(async (folder) => {
    const { name, version } = JSON.parse(await readFile(join(root, folder, 'package.json'), 'utf8'));
    return `${name}@${version}`;
  });
  return new Set(await Promise.all(named));
}

/** What the packages that stay need of each other, also through those that go: some only hand on what others give. */
function amongThose(stay: ReadonlySet<string>, { dependencies }: Bill): Bill['dependencies'] {
  const needs = new Map(dependencies.map(({ ref, dependsOn }) => [ref, dependsOn]));
  const reached = (ref: string, seen: Set<string>): string[] =>
    (needs.get(ref) ?? []).flatMap((other) => {
      if (seen.has(other)) return [];
      seen.add(other);
      return stay.has(other) ? [other] : reached(other, seen);
    });
  return dependencies
    .filter(({ ref }) => stay.has(ref))
    .map(({ ref }) => ({ ref, dependsOn: reached(ref, new Set([ref])).sort() }));
}

/** Everything in package-lock.json. npm cannot tell what of it is bundled. */
const args = ['sbom', '--sbom-format=cyclonedx', '--sbom-type=application', '--package-lock-only'];
const { stdout } = await promisify(execFile)('npm', args, { cwd: root, maxBuffer: 64 * 1024 * 1024 });
const bill = JSON.parse(stdout) as Bill;
const names = await bundled();
bill.components = bill.components.filter(({ name, version }) => names.has(`${name}@${version}`));
const refs = [bill.metadata.component, ...bill.components].map((component) => component['bom-ref']);
bill.dependencies = amongThose(new Set(refs), bill);
// The same sources give the same file. npm takes the name of the directory for that of the program.
bill.metadata.component.name = packageJson.name;
delete bill.serialNumber;
delete bill.metadata.timestamp;

const path = resolve(root, outfile);
await mkdir(dirname(path), { recursive: true });
await writeFile(path, `${JSON.stringify(bill, undefined, 2)}\n`);
