import { fileURLToPath } from 'node:url';
import { type BuildOptions, type BuildResult, build } from 'esbuild';

/** The folder of the project. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * CommonJS dependencies keep their `require` of Node's own modules. It is made by name, because a bundled module may
 * declare a `createRequire` of its own.
 */
const banner = [
  '#!/usr/bin/env node',
  "import { createRequire as __rolevendRequire } from 'node:module';",
  'const require = __rolevendRequire(import.meta.url);',
].join('\n');

const options = {
  absWorkingDir: root,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  // Libraries that ship both forms are taken in their ESM form, which leaves out what nobody imports.
  mainFields: ['module', 'main'],
  banner: { js: banner },
  minifyWhitespace: true,
  minifySyntax: true,
  // Names stay as they are written, and error classes report theirs. `keepNames` would keep also those of functions that are
  // made with each call, which takes a tenth of the time of a request to AWS.
  minifyIdentifiers: false,
  legalComments: 'none',
  logLevel: 'warning',
} satisfies BuildOptions;

/** Bundles a program into one file. Without `write` it only tells what would be in it. Throws what esbuild throws. */
export function bundle(given: {
  entry: string;
  outfile: string;
  write?: boolean;
}): Promise<BuildResult<{ metafile: true }>> {
  const { entry, outfile, write = true } = given;
  return build({ ...options, entryPoints: [entry], outfile, write, metafile: true });
}

/** The folders of the packages of which code is in a bundle, relative to `root`. What is left out of it entirely does not count. */
export function bundledFolders({ metafile }: BuildResult<{ metafile: true }>): string[] {
  const inputs = Object.values(metafile.outputs).flatMap((output) => Object.entries(output.inputs));
  const folders = inputs.flatMap(([path, { bytesInOutput }]) =>
    bytesInOutput > 0 ? (/^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []) : [],
  );
  return [...new Set(folders)].sort();
}
