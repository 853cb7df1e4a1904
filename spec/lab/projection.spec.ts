import { mkdir, readdir, readFile, readlink, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type TemporaryDirectory, temporaryDirectory } from './guard.ts';
import { type Payload, project } from './projection.ts';

const NOW = Date.parse('2026-03-04T05:06:07Z');

let directory: TemporaryDirectory;
beforeEach(async () => {
  directory = await temporaryDirectory('rolevend-projection-');
});
afterEach(() => directory.remove());

describe('a projected Secret', () => {
  it('lies as a kubelet lays it', async () => {
    await project(payload({ a: '1', b: '2' }), directory.path, NOW);
    const [state = '', ...others] = await readdir(directory.path);
    expect(state).toMatch(/^\.\.2026_03_04_05_06_07\.\w+$/);
    expect(others).toEqual(['..data', 'a', 'b']);
    expect({
      data: await readlink(join(directory.path, '..data')),
      a: await readlink(join(directory.path, 'a')),
      content: await content(directory.path),
      mode: (await stat(join(directory.path, 'a'))).mode & 0o777,
    }).toEqual({ data: state, a: '..data/a', content: { a: '1', b: '2' }, mode: 0o644 });
  });

  it('is not touched when nothing changed', async () => {
    await project(payload({ a: '1' }), directory.path, NOW);
    const before = await readlink(join(directory.path, '..data'));
    expect(await project(payload({ a: '1' }), directory.path, NOW + 1000)).toBe(false);
    expect(await readlink(join(directory.path, '..data'))).toBe(before);
  });

  it('equals the last payload after any sequence of payloads, with one state left', async () => {
    const keys = fc.constantFrom('a', 'b', 'config.json', '.hidden', 'constructor');
    const payloads = fc.array(fc.dictionary(keys, fc.string(), { noNullPrototype: true }), {
      minLength: 1,
      maxLength: 5,
    });
    let run = 0;
    await fc.assert(
      fc.asyncProperty(payloads, async (sequence) => {
        run += 1;
        const target = join(directory.path, String(run));
        for (const state of sequence) await project(payload(state), target, NOW);
        expect(await content(target)).toEqual(sequence.at(-1));
        expect((await readdir(target)).filter((name) => name.startsWith('..'))).toHaveLength(2);
      }),
      { numRuns: 25 },
    );
  });

  it('never shows a mix of two states to a reader that opens ..data once', async () => {
    let done = false;
    const reader = (async () => {
      let reads = 0;
      while (!done) reads += (await oneState(directory.path)) ? 1 : 0;
      return reads;
    })();
    for (let n = 0; n < 60; n += 1) {
      await project(payload({ a: `${n}`, b: `${n}` }), directory.path, NOW);
    }
    done = true;
    expect(await reader).toBeGreaterThan(0);
  });

  it('is taken up again after a crash between link and rename', async () => {
    await mkdir(join(directory.path, '..2026_01_01_00_00_00.half'));
    await writeFile(join(directory.path, '..data_tmp'), '');
    await project(payload({ a: '1' }), directory.path, NOW);
    expect(await content(directory.path)).toEqual({ a: '1' });
  });
});

async function oneState(path: string): Promise<boolean> {
  const state = await readlink(join(path, '..data')).catch(() => undefined);
  if (state === undefined) return false;
  const read = (name: string) => readFile(join(path, state, name), 'utf8').catch(() => undefined);
  const [a, b] = [await read('a'), await read('b')];
  // The state may be removed under the reader; what it read is of one state all the same.
  if (a !== undefined && b !== undefined) expect(b).toBe(a);
  return a !== undefined && b !== undefined;
}

async function content(path: string): Promise<Record<string, string>> {
  const names = (await readdir(path)).filter((name) => !name.startsWith('..'));
  const entries = names.map(async (name) => [name, await readFile(join(path, name), 'utf8')] as const);
  return Object.fromEntries(await Promise.all(entries));
}

function payload(texts: Record<string, string>): Payload {
  return Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, Buffer.from(text)]));
}
