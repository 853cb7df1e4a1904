import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { only, render, set } from '../chart/support.ts';
import { openSite, openWorkshop, type Site, type Workshop } from '../commands/support.ts';
import { containerCommand, containerProblem } from '../lab/container.ts';
import { copySources, readImage } from '../lab/image.ts';
import { freePort, type GuardedProcess, startGuarded, temporaryDirectory } from '../lab/index.ts';
import { run } from '../lab/install/run.ts';
import { prepareContainer, type ReadyContainer } from '../lab/kubelet.ts';
import { eventually } from '../support/eventually.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const problem = await containerProblem();
if (problem !== undefined) process.stderr.write(`the image's file tree is NOT run: ${problem}\n`);
const onlyWithContainers = problem === undefined ? describe : describe.skip;

test('the Dockerfile puts Node, one bundled file and its bill of materials into the image, for a user without rights', async () => {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  const { labels, ...image } = await readImage();
  expect(image).toEqual({
    base: 'gcr.io/distroless/nodejs24-debian12:nonroot',
    files: { 'dist/rolevend.mjs': '/rolevend.mjs', 'dist/sbom.cdx.json': '/sbom.cdx.json' },
    env: { UV_THREADPOOL_SIZE: '16' },
    user: '65532:65532',
    entrypoint: [
      '/nodejs/bin/node',
      "--import=data:text/javascript,['SIGTERM','SIGINT'].forEach(s=>process.once(s,()=>process.exit(0)))",
      '--min-semi-space-size=8',
      '--max-semi-space-size=8',
      '--initial-old-space-size=48',
      '/rolevend.mjs',
    ],
    cmd: ['controller'],
  });
  const names = ['title', 'description', 'licenses', 'version', 'revision', 'base.name'];
  expect(Object.keys(labels)).toEqual(names.map((name) => `org.opencontainers.image.${name}`));
  expect(await readFile(join(root, 'Dockerfile'), 'utf8')).toContain(`\nARG VERSION=${version}\n`);
});

test('the build stage needs no file but those that it copies, and each of those reaches the builder', async () => {
  const directory = await temporaryDirectory('rolevend-build-');
  for (const command of await copySources(directory.path)) {
    expect(await run(['sh', '-c', command], { cwd: directory.path })).toMatchObject({ code: 0, stderr: '' });
  }
  const made = await readdir(join(directory.path, 'dist'));
  const copied = await readdir(directory.path);
  await directory.remove();
  expect(made.map((name) => `dist/${name}`).sort()).toEqual(Object.keys((await readImage()).files).sort());
  const ignored = (await readFile(join(root, '.dockerignore'), 'utf8')).trim().split('\n');
  const allowed = ignored.slice(1).map((line) => line.replace('!', '').split('/')[0]);
  expect(ignored[0]).toBe('*');
  expect(copied.filter((name) => !['node_modules', 'dist'].includes(name) && !allowed.includes(name))).toEqual([]);
});

onlyWithContainers("the image's file tree on a read-only file system, as the Pod of the chart", () => {
  let shop: Workshop;
  let site: Site;
  let container: ReadyContainer;
  let operator: GuardedProcess | undefined;

  beforeAll(async () => {
    shop = await openWorkshop();
    site = await openSite(shop);
    await applyChart(site.ns.name);
  });
  afterAll(async () => {
    await operator?.stop();
    await container?.remove();
    await shop?.plane.kubectl('delete', 'clusterrole,clusterrolebinding', `rolevend-${site?.ns.name}`);
    await site?.close();
    await shop?.stop();
  });

  /** ServiceAccount and rights into the namespace of the test, under names of its own; then the Pod of the Deployment. */
  async function applyChart(namespace: string): Promise<void> {
    const values = {
      'rbac.namespaces': [namespace],
      'crds.install': false,
      'aws.region': shop.aws.region,
      'aws.endpointUrl': shop.aws.endpoint,
      extraEnv: environment(),
      extraArgs: await addresses(),
    };
    const place = { release: `rolevend-${namespace}`, namespace };
    const objects = await render('Helm 4', [...set(values), '--no-hooks'], place);
    const account = objects.filter(({ kind }) => kind === 'ServiceAccount' || /^(Cluster)?Role(Binding)?$/.test(kind));
    await site.ns.apply(...account);
    const deployment = only(objects, 'Deployment', place.release);
    container = await prepareContainer(shop.plane, namespace, deployment.spec.template.spec);
  }

  let health: number;
  async function addresses(): Promise<string[]> {
    health = await freePort();
    return [`--health-probe-bind-address=127.0.0.1:${health}`, '--metrics-bind-address=0'];
  }

  function environment() {
    const { accessKeyId, secretAccessKey } = shop.keys;
    const variables = {
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_EC2_METADATA_DISABLED: 'true',
    };
    return Object.entries(variables).map(([name, value]) => ({ name, value }));
  }

  test('nothing can be written, and the user has no rights at all', async () => {
    const script = `
      const fs = require('node:fs');
      const attempt = (path) => { try { fs.writeFileSync(path, ''); return 'written'; } catch ({ code }) { return code; } };
      const status = fs.readFileSync('/proc/self/status', 'utf8');
      const [, effective] = /CapEff:\\s*(\\w+)/.exec(status), [, noNew] = /NoNewPrivs:\\s*(\\d)/.exec(status);
      console.log(JSON.stringify({
        user: [process.getuid(), process.getgid(), ...process.getgroups()], effective, noNew,
        files: fs.readdirSync('/').filter((name) => name.includes('.')),
        writes: ['/x', '/rolevend.mjs', '/nodejs/bin/node', '/var/x'].map(attempt),
        shell: fs.existsSync('/bin/sh'),
      }));`;
    const command = ['/nodejs/bin/node', '--eval', script];
    const { code, stdout, stderr } = await run(containerCommand({ ...container, command }));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({
      user: [65532, 65532, 65532],
      effective: '0000000000000000',
      noNew: '1',
      files: ['rolevend.mjs', 'sbom.cdx.json'],
      writes: ['EROFS', 'EROFS', 'EROFS', 'EROFS'],
      shell: false,
    });
  });

  test('the operator works: ready, a Secret, and an end in order', async () => {
    const env = { PATH: process.env['PATH'], ...container.env };
    const logFile = join(shop.program.directory, 'container.log');
    operator = startGuarded({ name: 'container', command: containerCommand(container), logFile, env });
    const ready = async () => {
      const answer = await fetch(`http://127.0.0.1:${health}/readyz`);
      if (!answer.ok) throw new Error(await answer.text());
      return true;
    };
    await eventually('the container to be ready', ready).catch(async (error: Error) => {
      throw new Error(`${error.message}\n${await operator?.tail()}`);
    });
    await site.apply('app');
    await site.ready('app').catch(async (error: Error) => {
      throw new Error(`${error.message}\n${await operator?.tail()}`);
    });
    expect(site.sessions()).toHaveLength(1);
    const log = await operator.tail(100);
    expect(log.split('\n').filter((line) => /"level":"(warn|error)"/.test(line))).toEqual([]);
  });
});
