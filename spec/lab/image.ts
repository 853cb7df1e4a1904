import { cp, mkdir, readFile, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** The last stage of the project's Dockerfile, as far as it decides what runs. */
export interface Image {
  base: string;
  /** Path in the repository after a build → path in the image. */
  files: Record<string, string>;
  labels: Record<string, string>;
  env: Record<string, string>;
  /** User and group. */
  user: string;
  entrypoint: string[];
  cmd: string[];
}

/** Reads the last stage of the Dockerfile. Throws at an instruction of it that it does not know. */
export async function readImage(): Promise<Image> {
  const image: Image = { base: '', files: {}, labels: {}, env: {}, user: '', entrypoint: [], cmd: [] };
  for (const [instruction, rest] of (await stages()).at(-1) ?? []) take(image, instruction, rest);
  return image;
}

/**
 * Does in an empty directory what the build stage does, with the files that reach the builder and nothing else. Of the
 * packages, those of the repository are taken. Gives the commands that are left to be run there.
 */
export async function copySources(directory: string): Promise<string[]> {
  const [build = []] = await stages();
  for (const [instruction, rest] of build) {
    const paths = rest.split(' ');
    const to = paths.pop() ?? '';
    if (instruction !== 'COPY') continue;
    for (const from of paths) await cp(join(ROOT, from), targetOf(join(directory, to), from, to), { recursive: true });
  }
  await symlink(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  return build.flatMap(([instruction, rest]) => (instruction === 'RUN' && rest !== 'npm ci' ? [rest] : []));
}

/** A directory that ends in a slash gets the file under its own name. */
function targetOf(target: string, from: string, to: string): string {
  return to.endsWith('/') ? join(target, basename(from)) : target;
}

type Instruction = readonly [name: string, rest: string];

/** The instructions of each stage. */
async function stages(): Promise<Instruction[][]> {
  const text = (await readFile(join(ROOT, 'Dockerfile'), 'utf8')).replaceAll(/\\\n\s*/g, '');
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const all: Instruction[][] = [];
  for (const line of lines) {
    const [, name = '', rest = ''] = /^(\S+)\s+(.*)$/.exec(line) ?? [];
    if (name === 'FROM') all.push([]);
    all.at(-1)?.push([name, rest]);
  }
  return all;
}

function take(image: Image, instruction: string, rest: string): void {
  if (instruction === 'FROM') image.base = rest;
  else if (instruction === 'COPY') Object.assign(image.files, copied(rest));
  else if (instruction === 'LABEL') Object.assign(image.labels, pairsOf(rest));
  else if (instruction === 'ENV') Object.assign(image.env, pairsOf(rest));
  else if (instruction === 'USER') image.user = rest;
  else if (instruction === 'ENTRYPOINT') image.entrypoint = JSON.parse(rest);
  else if (instruction === 'CMD') image.cmd = JSON.parse(rest);
  else if (!['ARG', 'EXPOSE'].includes(instruction)) throw new Error(`Dockerfile: ${instruction} is not known here`);
}

/** The build stage works in /src, which is the repository. */
function copied(rest: string): Record<string, string> {
  const [, from = '', to = ''] = /^--from=build \/src\/(\S+) (\S+)$/.exec(rest) ?? [];
  if (from === '') throw new Error(`Dockerfile: COPY ${rest} takes nothing from the build`);
  return { [from]: to };
}

function pairsOf(rest: string): Record<string, string> {
  const pairs = [...rest.matchAll(/(\S+?)=("[^"]*"|\S+)/g)];
  return Object.fromEntries(pairs.map(([, name = '', value = '']) => [name, value.replaceAll('"', '')]));
}

/** Copies the files of the image from a built repository into a directory, at their places. */
export async function copyImage({ files }: Image, tree: string): Promise<void> {
  for (const [from, to] of Object.entries(files)) {
    await mkdir(dirname(join(tree, to)), { recursive: true });
    await cp(join(ROOT, from), join(tree, to));
  }
}
