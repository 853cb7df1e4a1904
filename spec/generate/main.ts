import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type GeneratedFile, generatedFiles } from './files.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

async function current(file: GeneratedFile): Promise<string | undefined> {
  return readFile(join(root, file.path), 'utf8').catch(() => undefined);
}

/** Writes every generated file that differs, or with `--check` only names them and ends with exit code 1. */
async function main(check: boolean): Promise<void> {
  for (const file of generatedFiles) {
    const content = await file.render();
    if ((await current(file)) === content) continue;
    if (check) {
      console.error(`${file.path} is out of date; run "make generate" and commit the result`);
      process.exitCode = 1;
      continue;
    }
    await mkdir(dirname(join(root, file.path)), { recursive: true });
    await writeFile(join(root, file.path), content);
    console.log(`wrote ${file.path}`);
  }
}

await main(process.argv.includes('--check'));
