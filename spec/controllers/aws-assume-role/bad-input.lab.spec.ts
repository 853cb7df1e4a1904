import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { awsAssumeRoleKind, customResourceDefinition } from '../../../lib/api/crd.ts';
import { applyCrds, type ControlPlane, expectSuccess, startControlPlane, trustPrincipals } from '../../lab/index.ts';
import { eventually } from '../../support/eventually.ts';
import { patch } from './observe.ts';
import {
  conditionsOf,
  figure,
  idle,
  messageOf,
  openTimeScene,
  openTimeStage,
  settled,
  type TimeStage,
} from './probes.ts';
import { objectOf, type Scene } from './support.ts';

const invalid = { Ready: 'False/InvalidSpec', Stalled: 'True/InvalidSpec', Refreshed: 'False/InvalidSpec' };
const issued = { Ready: 'True/Issued', Refreshed: 'True/Issued', Granted: 'True/Granted' };
const good = (name: string) => ({ roleName: 'app', secretName: name, secretType: 'Map' });
const pulling = (secretName: string, ecrRepositoryUrl: string) =>
  ({ roleName: 'puller', secretName, secretType: 'EcrDockerConfigJson', ecrRepositoryUrl }) as const;

/** Specs that an operator of before let in, and what is said about them: the field and the way out. */
const stored: Record<string, { spec: unknown; says: string[] }> = {
  'role-name': { spec: { ...good('role-name'), roleName: 'team//app' }, says: ['spec.roleName: '] },
  'role-arn': {
    spec: { ...good('role-arn'), roleName: undefined, roleArn: 'arn:aws:iam::1:role/app' },
    says: ['spec.roleArn: '],
  },
  'both-roles': {
    spec: { ...good('both-roles'), roleArn: 'arn:aws:iam::111122223333:role/app' },
    says: ['set exactly one of roleName'],
  },
  'no-role': { spec: { ...good('no-role'), roleName: undefined }, says: ['set exactly one of roleName'] },
  'no-url': {
    spec: { ...good('no-url'), secretType: 'EcrDockerConfigJson' },
    says: ['spec.ecrRepositoryUrl: ', 'set it to the registry'],
  },
  'secret-name': { spec: { ...good('secret-name'), secretName: 'Not_A_Name' }, says: ['spec.secretName: '] },
  'secret-path': {
    spec: { ...good('secret-path'), secretName: '../configmaps/kube-root-ca.crt' },
    says: ['spec.secretName: '],
  },
  'secret-dots': { spec: { ...good('secret-dots'), secretName: '..' }, says: ['spec.secretName: '] },
  'no-secret': { spec: { roleName: 'app', secretType: 'Map' }, says: ['spec.secretName: Required value'] },
  'too-short': {
    spec: { ...good('too-short'), durationSeconds: 60 },
    says: ['spec.durationSeconds: ', 'greater than or equal to 900'],
  },
  'too-long': {
    spec: { ...good('too-long'), durationSeconds: 50_000 },
    says: ['spec.durationSeconds: ', 'less than or equal to 43200'],
  },
  'secret-type': {
    spec: { ...good('secret-type'), secretType: 'Yaml' },
    says: ['spec.secretType: ', '"Map", "File", "EcrDockerConfigJson"'],
  },
  several: {
    spec: { roleName: '/', secretName: '_', durationSeconds: 1 },
    says: ['spec.roleName', 'spec.secretName', 'spec.durationSeconds'],
  },
  'no-spec': { spec: undefined, says: ['spec.secretName: Required value'] },
  empty: { spec: {}, says: ['spec.secretName: Required value'] },
};
/** Registries that an operator of before let in, and that are served as before. */
const kept = [
  'oci://111122223333.dkr.ecr.eu-central-1.amazonaws.com',
  '111122223333.dkr.ecr.eu-central-1.amazonaws.com/team/app:1.0',
  '111122223333.dkr.ecr.eu-central-1.amazonaws.com:443',
];
/** What not even a status can be written for, or only by luck. It must not disturb the others. */
const hopeless: Record<string, unknown> = {
  'text-spec': 'app',
  'list-spec': ['app'],
  'secret-number': { ...good('secret-number'), secretName: 7 },
  'refresh-text': { ...good('refresh-text'), refresh: 'often' },
};

describe('objects that were stored before the rules came', () => {
  let plane: ControlPlane | undefined;
  let stage: TimeStage;
  let scene: Scene;

  beforeAll(async () => {
    plane = await startControlPlane({ name: 'legacy' });
    stage = await openTimeStage(plane);
    const trust = trustPrincipals(stage.keys.arn);
    await stage.aws.createRole('app', { trust });
    await stage.aws.createRole('puller', { trust, policies: ['ecr:GetAuthorizationToken'] });
    scene = await openTimeScene(stage);
    await scene.operator.stop();
    await storeAll(plane);
    await scene.restart();
  });

  afterAll(async () => {
    await scene?.close();
    await stage?.stop();
    await plane?.stop();
  });

  /** Stores the objects while the definition has no rules, as one of an older operator, and brings ours back. */
  async function storeAll({ request }: ControlPlane): Promise<void> {
    const path = `/apis/pincette.net/v1/namespaces/${scene.ns.name}/awsassumeroles`;
    const named = (name: string, spec: unknown) => ({ ...objectOf(name, {}), spec });
    const judges = async () => (await request('POST', `${path}?dryRun=All`, named('new', {}))).status === 422;
    const crd = customResourceDefinition(awsAssumeRoleKind) as { metadata: { name: string }; spec: Versions };
    const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
    const versions = crd.spec.versions.map((version) => ({ ...version, schema }));
    const url = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${crd.metadata.name}`;
    expectSuccess(await request('PATCH', url, { spec: { versions } }), url);
    await eventually('the old definition', async () => !(await judges()));
    for (const [name, spec] of [
      ...Object.entries(stored).map(([name, { spec }]) => [name, spec] as const),
      ...Object.entries(hopeless),
      ...kept.map((ecrRepositoryUrl, at) => [`kept-${at}`, pulling(`kept-${at}`, ecrRepositoryUrl)] as const),
    ]) {
      expectSuccess(await request('POST', path, named(name, spec)), name);
    }
    await applyCrds(request);
    await eventually('our definition', judges);
  }

  test('say what is wrong and how to mend it, and nothing is asked of AWS for them', async () => {
    const seen: Record<string, unknown> = {};
    for (const [name, { says }] of Object.entries(stored)) {
      const object = await settled(scene, name, invalid);
      const message = messageOf(object, 'Stalled');
      seen[name] = says.filter((words) => !message.includes(words));
    }
    expect(seen).toEqual(Object.fromEntries(Object.keys(stored).map((name) => [name, []])));
    expect(stage.aws.gateway.calls({ action: 'AssumeRole', role: 'app' })).toEqual([]);
  });

  test('keep the Secret of a registry that hardly anybody finds, and say how to write it', async () => {
    for (const [at, url] of kept.entries()) {
      const object = await settled(scene, `kept-${at}`, { ...issued, RegistryUnusable: 'True/InvalidSpec' });
      expect(messageOf(object, 'RegistryUnusable')).toMatch(
        /^spec\.ecrRepositoryUrl: .*neither kubelet nor helm finds it/,
      );
      const { text } = (await scene.secret(`kept-${at}`)) ?? { text: {} as Record<string, string> };
      expect(Object.keys(JSON.parse(text['.dockerconfigjson'] ?? '{}').auths)).toEqual([url]);
    }
    const [, right = ''] = kept[0]?.split('//') ?? [];
    await scene.apply('kept-0', pulling('kept-0', right));
    await settled(scene, 'kept-0', issued);
  });

  test('leave the others alone and keep nobody busy', async () => {
    await scene.apply('app', {});
    await settled(scene, 'app', issued);
    await idle(scene);
    const before = await figure(scene, 'workqueue_adds_total');
    stage.clock.skip(60_000);
    await idle(scene);
    const again = (await figure(scene, 'workqueue_adds_total')) - before;
    expect({ again: again <= Object.keys(hopeless).length, healthy: scene.operator.operator.healthy() }).toEqual({
      again: true,
      healthy: true,
    });
  });

  test('are used as soon as they are mended', async () => {
    await scene.apply('several', { secretName: 'several', durationSeconds: 900 });
    await settled(scene, 'several', issued);
    for (const name of Object.keys(hopeless)) {
      const { spec } = objectOf(name, { refresh: {} }) as { spec: object };
      await patch(scene, `aar/${name}`, { spec });
      await settled(scene, name, issued);
    }
  });

  test('can be deleted', async () => {
    const names = [...Object.keys(stored), ...Object.keys(hopeless)];
    const { code } = await scene.ns.kubectl('delete', 'awsassumeroles.pincette.net', ...names);
    expect({ code, app: conditionsOf(await scene.get('app')) }).toEqual({ code: 0, app: issued });
  });
});

interface Versions {
  versions: object[];
}
