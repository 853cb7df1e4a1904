import { hash } from 'node:crypto';
import type { ResolvedSpec } from '../api/aws-assume-role.ts';
import type { Issued } from '../api/credentials.ts';
import type { SecretType } from '../api/secret-type.ts';
import { RolevendError } from '../errors.ts';
import { dockerConfigData } from './docker-config.ts';
import { envData } from './env.ts';
import { extraData } from './extras.ts';
import { fileData } from './file.ts';
import { mapData } from './map.ts';
import { processData } from './process.ts';
import { templateData } from './template.ts';

/** The only Secret types that are ever written. */
export type KubernetesSecretType = 'Opaque' | 'kubernetes.io/dockerconfigjson';

/** Most bytes that Kubernetes lets the values of a Secret have together. */
const MAX_BYTES = 1_048_576;

/** What a Secret holds. The values are plain text, not base64, and secret: for the Secret and `digest` only. */
export interface SecretContent {
  type: KubernetesSecretType;
  data: Record<string, string>;
}

/** The part of a spec, defaults filled in, that says how a Secret is written. */
export type Form = Pick<ResolvedSpec, 'secretType' | 'output' | 'template' | 'tokens'>;

/**
 * Issued credentials in the form that the object asks for.
 * @throws RolevendError (stop) where they cannot be written in that form; its message names a field and no value
 */
export function render(spec: Form, issued: Issued): SecretContent {
  const own = Object.entries(ownData(spec, issued));
  const { keys } = spec.output;
  const templates = templateData(spec.template, issued);
  const data = {
    ...Object.fromEntries(own.map(([key, value]) => [keys[key] ?? key, value])),
    ...extraData(spec.secretType, issued, spec.output),
    ...templates,
  };
  refuseLarge(data, sizeOf(templates));
  return { type: kubernetesType(spec.secretType), data };
}

/** The type of the Secret in Kubernetes. */
export function kubernetesType(secretType: SecretType): KubernetesSecretType {
  return secretType === 'EcrDockerConfigJson' ? 'kubernetes.io/dockerconfigjson' : 'Opaque';
}

/** Nothing but many templates with many names, or many registries with long hosts, comes near the limit. */
function refuseLarge(data: Readonly<Record<string, string>>, ofTemplates: number): void {
  const bytes = sizeOf(data);
  if (bytes <= MAX_BYTES) return;
  const [field, fix] =
    ofTemplates > bytes / 2
      ? ['spec.template.data', 'use fewer names or templates']
      : ['spec.ecr.registries', 'name fewer registries, or fewer hosts in their urls'];
  const message = `${field} makes the Secret ${bytes} bytes large, more than the ${MAX_BYTES} that Kubernetes takes; ${fix}`;
  throw new RolevendError(message, { code: 'InvalidSpec', consequence: 'stop' });
}

function sizeOf(data: Readonly<Record<string, string>>): number {
  return Object.values(data).reduce((sum, text) => sum + Buffer.byteLength(text), 0);
}

/** The data of the type alone, under their default names. */
function ownData({ secretType, output }: Form, issued: Issued): Record<string, string> {
  switch (secretType) {
    case 'Map':
      return mapData(issued.session);
    case 'File':
      return fileData(issued, output);
    case 'Env':
      return envData(issued.session);
    case 'Process':
      return processData(issued, output);
    case 'Template':
      return {};
    case 'EcrDockerConfigJson':
      return dockerConfigData(issued.logins);
  }
}

/** SHA-256 (hex) of a Secret's plain data, whatever the order of its keys. Tells edited data from our own. */
export function digest(data: Readonly<Record<string, string>>): string {
  const entries = Object.entries(data).sort(([a], [b]) => (a < b ? -1 : 1));
  return hash('sha256', JSON.stringify(entries));
}
