import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

const script = fileURLToPath(new URL('prerequisites.sh', import.meta.url));
const controlPlane = ['etcd', 'kube-apiserver', 'kube-controller-manager'];

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rolevend-prerequisites-'));
  await programs('base', { node: 'echo 20.10.0', npm: 'echo 10.0.0' });
  await programs('python', { python3: ':' });
  await programs('old-python', {
    python3: 'case "$*" in *version_info*) exit 1 ;; --version) echo Python 3.9.2 ;; esac',
  });
  await programs('bare-python', { python3: 'case "$*" in *ensurepip*) exit 1 ;; esac' });
  await programs('go', { go: 'echo go1.25.1' });
  await programs('old-go', { go: 'echo go1.24.9' });
  await programs('assets', Object.fromEntries(controlPlane.map((name) => [name, ':'])));
  await programs('part', { etcd: ':' });
  await programs('cache/rolevend/lab/0123456789abcdef0123', { controlplane: ':' });
});

afterAll(() => rm(directory, { recursive: true }));

/** Writes one small shell script for each name. */
async function programs(place: string, scripts: Record<string, string>): Promise<void> {
  for (const [name, body] of Object.entries(scripts)) {
    const file = join(directory, place, name);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  }
}

/** Looks with only these directories on the PATH; the second is what it says, with the directory as DIR. */
function look(places: string[], env: Record<string, string> = {}, args = ['lab']): Promise<[number, string]> {
  const path = places.map((place) => join(directory, place)).join(':');
  const options = { env: { PATH: path, HOME: join(directory, 'home'), ...env } };
  return new Promise((resolve) => {
    const child = execFile('/bin/sh', [script, ...args], options, (_, out, err) => {
      resolve([child.exitCode ?? -1, (out + err).replaceAll(directory, 'DIR')]);
    });
  });
}

const missing = (what: string) => expect.stringMatching(new RegExp(`^missing: ${what}\n {4}fix: .+\n$`));

test('is silent where everything is there', async () => {
  expect(await look(['base', 'python', 'go'])).toEqual([0, '']);
  expect(await look(['base'], {}, [])).toEqual([0, '']);
});

test('asks for a Python that is new enough and has venv', async () => {
  expect(await look(['base', 'go'])).toEqual([1, missing('python3')]);
  const old = 'python3 3\\.10 or newer \\(found Python 3\\.9\\.2\\)';
  expect(await look(['base', 'go', 'old-python'])).toEqual([1, missing(old)]);
  expect(await look(['base', 'go', 'bare-python'])).toEqual([1, missing('the venv module of python3')]);
});

test('asks for Go only where the control plane is neither given nor built', async () => {
  const here = ['base', 'python'];
  expect(await look(here)).toEqual([1, missing('go')]);
  expect(await look([...here, 'old-go'])).toEqual([1, missing('go 1\\.25 or newer \\(found go1\\.24\\.9\\)')]);
  expect(await look([...here, 'part'])).toEqual([1, missing('go')]);
  expect(await look([...here, 'assets'])).toEqual([0, '']);
  expect(await look(here, { KUBEBUILDER_ASSETS: join(directory, 'assets') })).toEqual([0, '']);
  expect(await look(here, { XDG_CACHE_HOME: join(directory, 'cache') })).toEqual([0, '']);
});

test('says that incomplete KUBEBUILDER_ASSETS are not used, and goes on to the other ways', async () => {
  const env = { KUBEBUILDER_ASSETS: join(directory, 'part') };
  const note =
    'note: KUBEBUILDER_ASSETS=DIR/part is not used, since it lacks kube-apiserver kube-controller-manager\n' +
    '    fix: unset it, or let it name a directory with etcd kube-apiserver kube-controller-manager\n';
  expect(await look(['base', 'python', 'go'], env)).toEqual([0, note]);
  const [code, text] = await look(['base', 'python'], env);
  expect([code, text.slice(note.length)]).toEqual([1, missing('go')]);
});

test('names everything that is missing at once', async () => {
  const [code, text] = await look(['nowhere']);
  expect([code, text.match(/(?<=missing: ).*/g)]).toEqual([1, ['node', 'npm', 'go', 'python3']]);
});
