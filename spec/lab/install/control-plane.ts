import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildOnce, cacheRoot, exists, hashOf, onPath, type Progress } from './cache.ts';
import { run, runWithProgress } from './run.ts';

const SOURCES = fileURLToPath(new URL('../controlplane', import.meta.url));
const VERSION = 'k8s.io/component-base/version';
const PARTS = ['etcd', 'kube-apiserver', 'kube-controller-manager'] as const;

/** Without the -X flags clients cannot parse the server's version. */
const LDFLAGS = `-s -w -X ${VERSION}.gitVersion=v1.35.4 -X ${VERSION}.gitMajor=1 -X ${VERSION}.gitMinor=35`;

/** A part of the control plane. */
export type Part = (typeof PARTS)[number];

/** For each part the program and its first arguments. */
export type Programs = Record<Part, readonly string[]>;

/**
 * The programs of a Kubernetes control plane: of `KUBEBUILDER_ASSETS`, else of the PATH, where all three are there,
 * else the one built from `spec/lab/controlplane` in the cache; undefined when that is not built yet.
 * What the first two offer is taken as it is, whatever its version.
 */
export async function findPrograms(): Promise<Programs | undefined> {
  const given = (await fromAssets()) ?? (await fromPath());
  if (given) return given;
  const binary = await cachedBinary();
  return (await exists(binary)) ? each((part) => [binary, part]) : undefined;
}

/** Builds the control plane into the cache, unless it is there. Takes some minutes. */
export async function buildControlPlane(progress: Progress): Promise<void> {
  const assets = process.env.KUBEBUILDER_ASSETS;
  if (assets) progress(`KUBEBUILDER_ASSETS=${assets} does not hold all of ${PARTS.join(', ')}; it is not used`);
  const binary = await cachedBinary();
  await buildOnce(
    join(binary, '..'),
    () => exists(binary),
    () => compile(binary, progress),
    progress,
  );
}

/** What is missing to build the control plane, with the fix, or undefined when nothing is. */
export async function goProblem(): Promise<string | undefined> {
  const { code, stdout } = await run(['go', 'version']);
  const [, major = 0, minor = 0] = /go(\d+)\.(\d+)/.exec(stdout) ?? [];
  // From 1.21 on, go fetches the toolchain that go.mod asks for by itself.
  if (code === 0 && Number(major) * 1000 + Number(minor) >= 1021) return undefined;
  const found = code === 0 ? `is too old (${stdout.trim()})` : 'is not on the PATH';
  return (
    `Go ${found}. It builds the Kubernetes control plane, once. Fix: install Go 1.25 or newer ` +
    '(https://go.dev/dl, or "brew install go"), or set KUBEBUILDER_ASSETS to a directory that holds ' +
    `${PARTS.join(', ')}.`
  );
}

async function compile(binary: string, progress: Progress): Promise<void> {
  const partial = `${binary}.${process.pid}`;
  const command = ['go', 'build', '-trimpath', '-ldflags', LDFLAGS, '-o', partial, '.'];
  try {
    await runWithProgress('building the Kubernetes control plane, once, about 5 minutes', command, progress, {
      cwd: SOURCES,
      env: { ...process.env, CGO_ENABLED: '0' },
    });
    await rename(partial, binary);
  } finally {
    await rm(partial, { force: true });
  }
}

async function cachedBinary(): Promise<string> {
  const files = ['main.go', 'go.mod', 'go.sum'].map((name) => join(SOURCES, name));
  const hash = await hashOf(files, [LDFLAGS, process.platform, process.arch]);
  return join(cacheRoot(), hash, 'controlplane');
}

async function fromAssets(): Promise<Programs | undefined> {
  const assets = process.env.KUBEBUILDER_ASSETS;
  if (!assets) return undefined;
  for (const part of PARTS) if (!(await exists(join(assets, part)))) return undefined;
  return each((part) => [join(assets, part)]);
}

async function fromPath(): Promise<Programs | undefined> {
  const found: Partial<Record<Part, string>> = {};
  for (const part of PARTS) {
    const file = await onPath(part);
    if (file === undefined) return undefined;
    found[part] = file;
  }
  return each((part) => [found[part] ?? part]);
}

function each(command: (part: Part) => readonly string[]): Programs {
  return {
    etcd: command('etcd'),
    'kube-apiserver': command('kube-apiserver'),
    'kube-controller-manager': command('kube-controller-manager'),
  };
}
