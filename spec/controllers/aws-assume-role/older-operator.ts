import type { AWSAssumeRoleSpec } from '../../../lib/api/aws-assume-role.ts';
import { rfc3339, systemClock } from '../../../lib/clock.ts';
import type { OwnerReference } from '../../../lib/kube/objects.ts';
import { objectOf, type Scene } from './support.ts';

/** What the Secrets of the older operator hold. */
export const olderData = { awsAccessKeyId: 'ASIALEGACY', awsSecretAccessKey: 'legacy', awsSessionToken: 'legacy' };

/** What an older operator wrote, and the spec for which it did. */
export type OlderForm = { spec: Partial<AWSAssumeRoleSpec>; type: string; data: Record<string, string> };

/** The forms that the older operators knew. */
export const olderForms = {
  Map: { spec: {}, type: 'Opaque', data: olderData },
  File: {
    spec: { secretType: 'File' },
    type: 'Opaque',
    data: {
      credentials: '[default]\naws_access_key_id=ASIALEGACY\naws_secret_access_key=legacy\naws_session_token=legacy',
    },
  },
  EcrDockerConfigJson: {
    spec: {
      secretType: 'EcrDockerConfigJson',
      ecrRepositoryUrl: '111122223333.dkr.ecr.eu-central-1.amazonaws.com',
    },
    type: 'kubernetes.io/dockerconfigjson',
    data: {
      '.dockerconfigjson':
        '{"auths":{"111122223333.dkr.ecr.eu-central-1.amazonaws.com":{"username":"AWS","password":"legacy"}}}',
    },
  },
} as const satisfies Record<string, OlderForm>;

/** What its objects ask for. */
export const OLDER_DURATION_SECONDS = 900;

/** The time so many seconds before now. */
export function ago(seconds: number): string {
  return rfc3339(systemClock.now() - seconds * 1000);
}

/**
 * Makes an object, its status and its Secret as an older operator left them. `labelled` is the style of the one that sets
 * label and controller reference, `plain` that of the other. No operator of ours may run in the meantime.
 */
export async function leaveBehind(
  scene: Pick<Scene, 'ns' | 'get'>,
  name: string,
  style: 'labelled' | 'plain',
  issuedSecondsAgo: number,
  form: keyof typeof olderForms | OlderForm = 'Map',
): Promise<void> {
  const { ns } = scene;
  const { spec, type, data } = typeof form === 'string' ? olderForms[form] : form;
  await ns.apply(objectOf(name, { durationSeconds: OLDER_DURATION_SECONDS, ...spec }));
  const status = { conditions: history(issuedSecondsAgo), health: { status: 'Healthy' }, phase: 'Ready' };
  const change = ['--type', 'merge', '--patch', JSON.stringify({ status })];
  const { code, stderr } = await ns.kubectl('patch', 'aar', name, '--subresource=status', ...change);
  if (code !== 0) throw new Error(`kubectl patch of the status of ${name}: ${stderr}`);
  const uid = (await scene.get(name))?.metadata.uid ?? '';
  const owner = { apiVersion: 'pincette.net/v1', kind: 'AWSAssumeRole', name, uid };
  const metadata = { name, ...(style === 'labelled' ? labelled(owner) : { ownerReferences: [owner] }) };
  await ns.apply({ apiVersion: 'v1', kind: 'Secret', type, metadata, stringData: data });
}

function labelled(owner: OwnerReference): object {
  const reference = { ...owner, controller: true, blockOwnerDeletion: true };
  return { labels: { 'aws-assume-role': 'true' }, ownerReferences: [reference] };
}

/** One entry of `Ready` for every change, with the five keys that the older operators knew. */
function history(issuedSecondsAgo: number): object[] {
  const entry = (status: string, seconds: number) => ({
    type: 'Ready',
    status,
    reason: status === 'True' ? 'Ready' : 'Error',
    message: 'older operator',
    lastTransitionTime: ago(seconds),
  });
  return [
    entry('True', issuedSecondsAgo + 7200),
    entry('False', issuedSecondsAgo + 5400),
    entry('True', issuedSecondsAgo),
  ];
}
