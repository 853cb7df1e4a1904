// Bundles lib/main.ts into dist/rolevend.mjs. Arguments (both optional): entry file, output file.
import { chmod, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { bundle, root } from './bundle.ts';

const [entry = 'lib/main.ts', outfile = 'dist/rolevend.mjs'] = process.argv.slice(2);

await bundle({ entry, outfile }).catch(() => process.exit(1)); // esbuild has printed what is wrong
const file = resolve(root, outfile);
await chmod(file, 0o755);
const { size } = await stat(file);
process.stdout.write(`${outfile} ${(size / 1e6).toFixed(1)} MB\n`);
