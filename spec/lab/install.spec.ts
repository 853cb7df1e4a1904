import { mkdir, readdir, symlink, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type TemporaryDirectory, temporaryDirectory } from './guard.ts';
import { buildOnce, exists, hashOf } from './install/cache.ts';
import { run } from './install/run.ts';

const BUILD = `
  const { buildControlPlane } = await import('${new URL('./install/control-plane.ts', import.meta.url)}');
  await buildControlPlane(console.log);
`;
const INSTALL = fileURLToPath(new URL('./install.ts', import.meta.url));

let directory: TemporaryDirectory;
beforeEach(async () => {
  directory = await temporaryDirectory('rolevend-install-');
});
afterEach(() => directory.remove());

describe('install', () => {
  it('names everything that the machine lacks, with the fix, at once', async () => {
    const env = { PATH: await emptyPath(), XDG_CACHE_HOME: directory.path, HOME: directory.path };
    const { code, stderr } = await run([process.execPath, INSTALL], { env });
    expect({ code, lines: stderr.trim().split('\n') }).toEqual({
      code: 1,
      lines: [
        expect.stringMatching(/python3 is not on the PATH.*Fix: install Python 3.10 or newer/),
        expect.stringMatching(/Go is not on the PATH.*Fix: install Go 1.25 or newer.*or set KUBEBUILDER_ASSETS/),
      ],
    });
  });

  it('finds everything without a word when it is there', async () => {
    const { code, stdout, stderr } = await run([process.execPath, INSTALL]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({
      programs: {
        etcd: expect.any(Array),
        'kube-apiserver': expect.any(Array),
        'kube-controller-manager': expect.any(Array),
      },
      python: expect.stringMatching(/^\/.*python3$/),
      kubectl: expect.stringMatching(/^\/.*kubectl$/),
      helm: expect.stringMatching(/^\/.*helm$/),
      helm3: expect.stringMatching(/^\/.*v32.*helm$/),
    });
  });

  it('takes the programs of KUBEBUILDER_ASSETS before all others', async () => {
    const assets = await programsIn('assets');
    const { stdout } = await run([process.execPath, INSTALL], { env: { ...process.env, KUBEBUILDER_ASSETS: assets } });
    expect(JSON.parse(stdout).programs).toEqual({
      etcd: [join(assets, 'etcd')],
      'kube-apiserver': [join(assets, 'kube-apiserver')],
      'kube-controller-manager': [join(assets, 'kube-controller-manager')],
    });
  });

  it('takes the programs of the PATH before its own', async () => {
    const place = await programsIn('path');
    const env = { ...process.env, PATH: `${place}:${process.env.PATH}` };
    const { stdout } = await run([process.execPath, INSTALL], { env });
    expect(JSON.parse(stdout).programs.etcd).toEqual([join(place, 'etcd')]);
  });
});

describe('building the control plane', () => {
  const build = async (go: string) => {
    const bin = await emptyPath();
    for (const tool of ['sh', 'cat']) await symlink(`/bin/${tool}`, join(bin, tool));
    await writeFile(join(bin, 'go'), `#!/bin/sh\n${go}\n`, { mode: 0o755 });
    const env = { PATH: bin, XDG_CACHE_HOME: directory.path };
    const outcome = await run([process.execPath, '--input-type=module', '--eval', BUILD], { env });
    const files = await readdir(directory.path, { recursive: true });
    return { ...outcome, files: files.map((file) => basename(file)).filter((file) => /controlplane|lock/.test(file)) };
  };

  it('says what it does, and leaves the binary alone', async () => {
    const { stdout, code, files } = await build('[ "$CGO_ENABLED" = 0 ] && echo binary > "$6"');
    expect({ code, files, lines: stdout.trim().split('\n') }).toEqual({
      code: 0,
      files: ['controlplane'],
      lines: [
        'building the Kubernetes control plane, once, about 5 minutes',
        expect.stringMatching(/^building the Kubernetes control plane, .*: done in \d+ s$/),
      ],
    });
  });

  it('says why the compiler failed, and leaves nothing', async () => {
    const { stderr, code, files } = await build('echo half > "$6"; echo "no space left on device" >&2; exit 1');
    expect({ code, files }).toEqual({ code: 1, files: [] });
    expect(stderr).toMatch(/building the Kubernetes control plane, .* failed \(go\):\s+no space left on device/);
  });
});

describe('building into the cache', () => {
  it('happens once when several want it at the same time', async () => {
    const target = join(directory.path, 'thing');
    const file = join(target, 'built');
    let builds = 0;
    const build = async () => {
      builds += 1;
      await new Promise((resolve) => setImmediate(resolve));
      await writeFile(file, '');
    };
    const progress = () => {};
    await Promise.all([1, 2, 3].map(() => buildOnce(target, () => exists(file), build, progress)));
    expect({ builds, locked: await exists(`${target}.lock`) }).toEqual({ builds: 1, locked: false });
  });

  it('takes over the lock of a builder that died', async () => {
    const target = join(directory.path, 'thing');
    await writeFile(`${target}.lock`, '');
    await utimes(`${target}.lock`, new Date(0), new Date(0));
    let built = false;
    const build = async () => {
      built = true;
    };
    await buildOnce(
      target,
      async () => built,
      build,
      () => {},
    );
    expect(built).toBe(true);
  });

  it('leaves no lock after a build that failed', async () => {
    const target = join(directory.path, 'thing');
    const build = () => Promise.reject(new Error('no space left'));
    await expect(
      buildOnce(
        target,
        async () => false,
        build,
        () => {},
      ),
    ).rejects.toThrow('no space left');
    expect(await exists(`${target}.lock`)).toBe(false);
  });

  it('has another place when an input changes', async () => {
    const file = join(directory.path, 'input');
    await writeFile(file, 'one');
    const before = await hashOf([file], ['flags']);
    await writeFile(file, 'two');
    const after = await hashOf([file], ['flags']);
    const others = await hashOf([file], ['other flags']);
    expect(new Set([before, after, others]).size).toBe(3);
  });
});

async function emptyPath(): Promise<string> {
  const path = join(directory.path, 'bin');
  await mkdir(path);
  await symlink(process.execPath, join(path, 'node'));
  return path;
}

async function programsIn(name: string): Promise<string> {
  const place = join(directory.path, name);
  await mkdir(place);
  for (const part of ['etcd', 'kube-apiserver', 'kube-controller-manager']) await writeFile(join(place, part), '');
  return place;
}
