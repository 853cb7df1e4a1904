import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { commandsOf, linkedFiles, manifestsOf, pages, root } from './pages.ts';

test('every link between the pages leads to a file', async () => {
  const links = (await pages()).flatMap((page) => linkedFiles(page).map((file) => [page.path, file] as const));
  expect(links).toContainEqual(['README.md', 'docs/how-it-works.md']);
  expect(links.filter(([, file]) => !existsSync(join(root, file)))).toEqual([]);
});

test('every page below docs/ can be reached from the index', async () => {
  const all = await pages();
  const index = all.find(({ path }) => path === 'docs/index.md') ?? { path: '', text: '' };
  const reached = new Set([index.path, ...linkedFiles(index)]);
  expect(all.map(({ path }) => path).filter((path) => path.startsWith('docs/') && !reached.has(path))).toEqual([]);
});

test('links are found with and without an anchor, and those to other sites are left out', () => {
  const text = '[a](b.md) [c](../d.md#e) [f](https://example.com) [g](#h)';
  expect(linkedFiles({ path: 'docs/x.md', text })).toEqual(['docs/b.md', 'd.md']);
});

test('manifests of other kinds are left out', () => {
  const ours = 'apiVersion: rolevend.dev/v1alpha1\nkind: RoleGrant\n';
  const text = `\`\`\`yaml\n${ours}\`\`\`\n\n\`\`\`yaml\napiVersion: v1\nkind: Secret\n\`\`\`\n`;
  expect(manifestsOf({ path: 'x.md', text })).toEqual([ours]);
});

test('the commands of a section are joined over their lines, and those of other sections are left out', () => {
  const text = '\n## A\n\n```sh\nno\n```\n\n## B\n1. x\n   ```sh\n   a \\\n     --b\n   # note\n   c\n   ```\n## C\n';
  expect(commandsOf({ path: 'x.md', text }, 'B')).toEqual(['a --b', 'c']);
});
