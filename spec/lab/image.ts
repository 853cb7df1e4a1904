import { cp, mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** The last stage of the project's Dockerfile, as far as it decides what runs. */
export interface Image {
  base: string;
  /** Path in the repository after a build → path in the image. */
  files: Record<string, string>;
  labels: Record<string, string>;
  /** User and group. */
  user: string;
  entrypoint: string[];
  cmd: string[];
}

/** Reads the Dockerfile. Throws at an instruction of the last stage that it does not know. */
export async function readImage(): Promise<Image> {
  const text = (await readFile(join(ROOT, 'Dockerfile'), 'utf8')).replaceAll(/\\\n\s*/g, '');
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const last = lines.slice(lines.findLastIndex((line) => line.startsWith('FROM ')));
  const image: Image = { base: '', files: {}, labels: {}, user: '', entrypoint: [], cmd: [] };
  for (const line of last) {
    const [, instruction = '', rest = ''] = /^(\S+)\s+(.*)$/.exec(line) ?? [];
    take(image, instruction, rest);
  }
  return image;
}

function take(image: Image, instruction: string, rest: string): void {
  if (instruction === 'FROM') image.base = rest;
  else if (instruction === 'COPY') Object.assign(image.files, copied(rest));
  else if (instruction === 'LABEL') Object.assign(image.labels, labelsOf(rest));
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

function labelsOf(rest: string): Record<string, string> {
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
