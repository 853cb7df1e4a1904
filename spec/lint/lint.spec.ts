import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { allowed, type Case, forbidden } from './cases.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Finding {
  category: string;
  message: string;
  location: { path: string; start: { line: number } };
}

let tree: string;
let messages: Map<string, string[]>;

beforeAll(async () => {
  tree = await mkdtemp(join(tmpdir(), 'rolevend-lint-'));
  await cp(join(root, '.biome.json'), join(tree, '.biome.json'));
  await cp(join(root, 'spec/lint/only.grit'), join(tree, 'spec/lint/only.grit'));
  for (const [file, lines] of linesByFile) {
    await mkdir(dirname(join(tree, file)), { recursive: true });
    await writeFile(join(tree, file), `${lines.join('\n')}\n`);
  }
  messages = byPlace(await lint());
});

afterAll(() => rm(tree, { recursive: true }));

/** Every case is one line, so that one run of the linter over a dozen files answers for all of them. */
const linesByFile = [...Map.groupBy([...forbidden, ...allowed], ({ file }) => file)].map(
  ([file, cases]) => [file, [...new Set(cases.map(({ code }) => code))]] as const,
);

test.each(forbidden)('$file must not: $code', (one) => {
  const found = messages.get(placeOf(one)) ?? [];
  expect(found).not.toEqual([]);
  expect(found.filter((message) => !message.startsWith(one.message))).toEqual([]);
});

test.each(allowed)('$file may: $code', (one) => {
  expect(messages.get(placeOf(one)) ?? []).toEqual([]);
});

function placeOf({ file, code }: Case): string {
  const lines = linesByFile.find(([name]) => name === file)?.[1] ?? [];
  return `${file}:${lines.indexOf(code) + 1}`;
}

function lint(): Promise<Finding[]> {
  const args = ['lint', '--reporter=json', '--max-diagnostics=none', '.'];
  return new Promise((resolve, reject) => {
    execFile(join(root, 'node_modules/.bin/biome'), args, { cwd: tree, maxBuffer: 1e8 }, (_, out, err) => {
      if (out === '') reject(new Error(err));
      else resolve((JSON.parse(out) as { diagnostics: Finding[] }).diagnostics);
    });
  });
}

/** What the import table and the "only" rules say of each line; other rules are Biome's own business. */
function byPlace(findings: readonly Finding[]): Map<string, string[]> {
  const ours = findings.filter(({ category }) => ['plugin', 'lint/style/noRestrictedImports'].includes(category));
  const places = Map.groupBy(ours, ({ location }) => `${location.path}:${location.start.line}`);
  return new Map([...places].map(([place, found]) => [place, found.map(({ message }) => message)]));
}
