// Writes the bill of materials of what is bundled (CycloneDX) to dist/sbom.cdx.json, or to the file given as argument.
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import packageJson from '../../package.json' with { type: 'json' };

const root = fileURLToPath(new URL('../..', import.meta.url));
const [outfile = 'dist/sbom.cdx.json'] = process.argv.slice(2);

interface Bill {
  serialNumber?: string;
  metadata: { timestamp?: string; component: { name: string } };
  components: { 'bom-ref': string; properties?: { name: string }[] }[];
  dependencies: { ref: string; dependsOn: string[] }[];
}

/** Everything in package-lock.json. npm's own `--omit=dev` also leaves out what programs and development share. */
const args = ['sbom', '--sbom-format=cyclonedx', '--sbom-type=application', '--package-lock-only'];
const { stdout } = await promisify(execFile)('npm', args, { cwd: root, maxBuffer: 64 * 1024 * 1024 });
const bill = JSON.parse(stdout) as Bill;
const isForDevelopment = ({ properties = [] }: Bill['components'][number]) =>
  properties.some(({ name }) => name === 'cdx:npm:package:development');
const left = new Set(bill.components.filter(isForDevelopment).map((component) => component['bom-ref']));
bill.components = bill.components.filter((component) => !left.has(component['bom-ref']));
bill.dependencies = bill.dependencies
  .filter(({ ref }) => !left.has(ref))
  .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((other) => !left.has(other)) }));
// The same sources give the same file. npm takes the name of the directory for that of the program.
bill.metadata.component.name = packageJson.name;
delete bill.serialNumber;
delete bill.metadata.timestamp;

const path = resolve(root, outfile);
await mkdir(dirname(path), { recursive: true });
await writeFile(path, `${JSON.stringify(bill, undefined, 2)}\n`);
