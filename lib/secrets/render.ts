import { createHash } from 'node:crypto';
import type { AWSAssumeRoleSpec } from '../api/aws-assume-role.ts';
import type { Issued } from '../api/credentials.ts';
import { dockerConfigData } from './docker-config.ts';
import { fileData } from './file.ts';
import { mapData } from './map.ts';

/** The only Secret types that are ever written. */
export type KubernetesSecretType = 'Opaque' | 'kubernetes.io/dockerconfigjson';

/** What a Secret holds. The values are plain text, not base64, and secret: for the Secret and `digest` only. */
export interface SecretContent {
  type: KubernetesSecretType;
  data: Record<string, string>;
}

/**
 * Issued credentials in the form that the object asks for.
 * @throws RolevendError (stop) where they cannot be written in that form; its message names a field and no value
 */
export function render(
  spec: Pick<AWSAssumeRoleSpec, 'secretType' | 'ecrRepositoryUrl'>,
  issued: Issued,
): SecretContent {
  switch (spec.secretType) {
    case 'Map':
      return { type: 'Opaque', data: mapData(issued.session) };
    case 'File':
      return { type: 'Opaque', data: fileData(issued.session) };
    case 'EcrDockerConfigJson':
      return { type: 'kubernetes.io/dockerconfigjson', data: dockerConfigData(spec.ecrRepositoryUrl, issued.ecr) };
  }
}

/** SHA-256 (hex) of a Secret's plain data, whatever the order of its keys. Tells edited data from our own. */
export function digest(data: Readonly<Record<string, string>>): string {
  const entries = Object.entries(data).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(entries)).digest('hex');
}
