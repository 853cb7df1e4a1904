import { digest, type KubernetesSecretType } from './render.ts';

/** What a Secret of this type holds after its credential ended: nothing, in the form that the type asks for. */
export function scrubbedData(type: string | undefined): Record<string, string> {
  const registry: KubernetesSecretType = 'kubernetes.io/dockerconfigjson';
  return type === registry ? { '.dockerconfigjson': '{"auths":{}}' } : {};
}

const digests = [scrubbedData('Opaque'), scrubbedData('kubernetes.io/dockerconfigjson')].map(digest);

/** Whether a digest of `digest` is that of a Secret without a credential. */
export function isScrubbedDigest(sha256: string | undefined): boolean {
  return sha256 !== undefined && digests.includes(sha256);
}
