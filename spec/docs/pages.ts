import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the repository. */
export const root = fileURLToPath(new URL('../../', import.meta.url));

/** A page of Markdown for people. */
export interface Page {
  /** Relative to the root of the repository. */
  path: string;
  text: string;
}

/** README and its siblings, and everything below docs/. */
export async function pages(): Promise<Page[]> {
  const top = (await readdir(root)).filter((name) => name.endsWith('.md'));
  const docs = (await readdir(join(root, 'docs'), { recursive: true })).filter((name) => name.endsWith('.md'));
  const paths = [...top, ...docs.map((name) => join('docs', name))].sort();
  return Promise.all(paths.map(async (path) => ({ path, text: await readFile(join(root, path), 'utf8') })));
}

/** The files that a page links to, relative to the root of the repository. */
export function linkedFiles({ path, text }: Page): string[] {
  const targets = [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map(([, target = '']) => target);
  return targets.filter((target) => !/^[a-z]+:/.test(target)).map((target) => join(dirname(path), target));
}

/** The manifests of our own kinds that a page shows. */
export function manifestsOf({ text }: Page): string[] {
  const blocks = [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, block = '']) => block);
  return blocks.filter((block) => /^apiVersion: (pincette\.net|rolevend\.dev)\//m.test(block));
}

/** The commands in the blocks of `sh` below a heading of a page, each on one line, in their order. */
export function commandsOf({ text }: Page, heading: string): string[] {
  const [, section = ''] = text.split(`\n## ${heading}\n`);
  const [own = ''] = section.split('\n## ');
  const blocks = [...own.matchAll(/^( *)```sh\n(.*?)^ *```$/gms)].map(([, , block = '']) => block);
  const lines = blocks.flatMap((block) => block.replaceAll(/\\\n\s*/g, '').split('\n'));
  return lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
}
