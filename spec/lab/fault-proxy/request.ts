/** The verbs of Kubernetes authorization that clients of ours use. */
export type KubeVerb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete';

const reading: readonly string[] = ['get', 'list', 'watch'];

/** Whether a verb changes nothing. */
export function isRead(verb: string): boolean {
  return reading.includes(verb);
}

/** A request to an API server, in the terms of Kubernetes authorization. */
export interface KubeRequest {
  verb: KubeVerb;
  /** The plural, with its subresource where there is one: `awsassumeroles/status`. */
  resource: string;
  namespace?: string;
  /** A create names nobody. */
  name?: string;
}

const verbs: Readonly<Record<string, KubeVerb>> = { POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' };

/** Reads `/api/v1/…` and `/apis/<group>/<version>/…` with their query. Anything else is a `get` of its path. */
export function kubeRequest(method: string, url: string): KubeRequest {
  const { pathname, searchParams } = new URL(url, 'http://api');
  const parts = pathname.split('/').filter(Boolean).map(decodeURIComponent);
  const below = parts[0] === 'api' ? parts.slice(2) : parts[0] === 'apis' ? parts.slice(3) : [];
  if (below[0] === undefined) return { verb: 'get', resource: pathname };
  const isNamespaced = below[0] === 'namespaces' && below.length > 2;
  const [plural = '', name, subresource] = isNamespaced ? below.slice(2) : below;
  const isWatch = searchParams.get('watch') === 'true';
  const read = isWatch ? 'watch' : name === undefined ? 'list' : 'get';
  return {
    verb: verbs[method] ?? read,
    resource: subresource === undefined ? plural : `${plural}/${subresource}`,
    ...(isNamespaced && below[1] !== undefined && { namespace: below[1] }),
    ...(name !== undefined && { name }),
  };
}
