// Bundles lib/main.ts into dist/rolevend.mjs. Arguments (both optional): entry file, output file.
import { chmod, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../..', import.meta.url));
const [entry = 'lib/main.ts', outfile = 'dist/rolevend.mjs'] = process.argv.slice(2);

/**
 * CommonJS dependencies keep their `require` of Node's own modules. It is made by name, because a bundled module may
 * declare a `createRequire` of its own.
 */
const banner = [
  '#!/usr/bin/env node',
  "import { createRequire as __rolevendRequire } from 'node:module';",
  'const require = __rolevendRequire(import.meta.url);',
].join('\n');

await build({
  absWorkingDir: root,
  entryPoints: [entry],
  outfile,
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
}).catch(() => process.exit(1)); // esbuild has printed what is wrong
const bundle = resolve(root, outfile);
await chmod(bundle, 0o755);
const { size } = await stat(bundle);
process.stdout.write(`${outfile} ${(size / 1e6).toFixed(1)} MB\n`);
