import { readdir } from 'node:fs/promises';

/**
 * The test files below `root`/spec in the order of their names, as paths relative to `root`.
 * @param selected parts of paths; empty means all, else a file is taken when its path holds at least one of them.
 */
export async function findTests(root: string, selected: readonly string[]): Promise<string[]> {
  const entries = await readdir(`${root}/spec`, { recursive: true });
  return entries
    .filter((path) => path.endsWith('.spec.ts') && !path.includes('node_modules'))
    .map((path) => `spec/${path}`)
    .filter((path) => selected.length === 0 || selected.some((part) => path.includes(part)))
    .sort();
}
