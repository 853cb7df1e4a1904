// Copies what the chart installs from manifests/ into the chart, since Helm reads only below its own directory.
// With `--check` it compares instead and names what differs.
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const copies = [
  { from: 'manifests/crds', to: 'chart/files/crds' },
  { from: 'manifests/grants', to: 'chart/files/grants' },
];
const stale = (await Promise.all(copies.map(staleIn))).flat();

if (process.argv.includes('--check')) {
  for (const { to, from } of stale) process.stderr.write(`${to} differs from ${from}\n`);
  if (stale.length > 0) process.stderr.write('fix: make generate\n');
  process.exitCode = stale.length > 0 ? 1 : 0;
} else {
  for (const { to, text } of stale) await (text === undefined ? rm(root + to) : writeFile(root + to, text));
}

/** The files of the directory `to` that are not those of `from`; text undefined: it is one too many. */
async function staleIn(dirs: { from: string; to: string }): Promise<Stale[]> {
  await mkdir(root + dirs.to, { recursive: true });
  const [wanted, found] = await Promise.all([read(dirs.from), read(dirs.to)]);
  return [...new Set([...wanted.keys(), ...found.keys()])]
    .filter((name) => wanted.get(name) !== found.get(name))
    .map((name) => ({ from: `${dirs.from}/${name}`, to: `${dirs.to}/${name}`, text: wanted.get(name) }));
}

interface Stale {
  from: string;
  to: string;
  text: string | undefined;
}

async function read(dir: string): Promise<Map<string, string>> {
  const names = (await readdir(root + dir)).filter((name) => name.endsWith('.yaml'));
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(`${root}${dir}/${name}`, 'utf8')] as const)),
  );
}
