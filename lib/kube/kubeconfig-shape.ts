/** What a value of a kubeconfig must be. Unknown fields may be anything, and what is null counts as left out. */
type Shape = 'text' | 'base64' | 'boolean' | { listOf: Shape } | { mapOf: Shape } | { fields: Record<string, Shape> };

const exec: Shape = {
  fields: {
    apiVersion: 'text',
    command: 'text',
    args: { listOf: 'text' },
    env: { listOf: { fields: { name: 'text', value: 'text' } } },
    installHint: 'text',
    provideClusterInfo: 'boolean',
    interactiveMode: 'text',
  },
};

const cluster: Shape = {
  fields: {
    server: 'text',
    'tls-server-name': 'text',
    'insecure-skip-tls-verify': 'boolean',
    'certificate-authority': 'text',
    'certificate-authority-data': 'base64',
    'proxy-url': 'text',
    extensions: { listOf: { fields: { name: 'text' } } },
  },
};

const user: Shape = {
  fields: {
    'client-certificate': 'text',
    'client-certificate-data': 'base64',
    'client-key': 'text',
    'client-key-data': 'base64',
    token: 'text',
    tokenFile: 'text',
    as: 'text',
    'as-uid': 'text',
    'as-groups': { listOf: 'text' },
    'as-user-extra': { mapOf: { listOf: 'text' } },
    username: 'text',
    password: 'text',
    'auth-provider': { fields: { name: 'text', config: { mapOf: 'text' } } },
    exec,
  },
};

const context: Shape = { fields: { cluster: 'text', user: 'text', namespace: 'text' } };

const kubeconfig: Shape = {
  fields: {
    apiVersion: 'text',
    kind: 'text',
    'current-context': 'text',
    clusters: { listOf: { fields: { name: 'text', cluster } } },
    users: { listOf: { fields: { name: 'text', user } } },
    contexts: { listOf: { fields: { name: 'text', context } } },
  },
};

/**
 * Why a document cannot be a kubeconfig, with the path of the value and the fix, and without the value itself; undefined
 * where it can. It is as strict as kubectl: a number where text is wanted has lost its zeros already.
 */
export function misfit(document: unknown): string | undefined {
  return misfitOf(document, kubeconfig, '');
}

function misfitOf(value: unknown, shape: Shape, path: string): string | undefined {
  if (value === null || value === undefined) return undefined;
  if (typeof shape === 'string') return misfitOfScalar(value, shape, path);
  if ('listOf' in shape) {
    if (!Array.isArray(value)) return `${path} is ${nameOf(value)}, and must be a list`;
    return first(value.map((item, index) => [item, shape.listOf, `${path}[${index}]`]));
  }
  if (typeof value !== 'object' || Array.isArray(value)) return `${path} is ${nameOf(value)}, and must be a mapping`;
  if ('mapOf' in shape) return first(Object.entries(value).map(([key, item]) => [item, shape.mapOf, join(path, key)]));
  const { fields } = shape;
  return first(Object.keys(fields).map((key) => [(value as Fields)[key], fields[key] as Shape, join(path, key)]));
}

type Fields = Record<string, unknown>;

function misfitOfScalar(value: unknown, shape: 'text' | 'base64' | 'boolean', path: string): string | undefined {
  if (shape === 'boolean')
    return typeof value === 'boolean' ? undefined : `${path} is ${nameOf(value)}, and must be true or false`;
  if (typeof value === 'number' || typeof value === 'boolean')
    return `${path} is ${nameOf(value)}, and must be text; put it in quotes`;
  if (typeof value !== 'string') return `${path} is ${nameOf(value)}, and must be text`;
  if (shape === 'text' || isBase64(value)) return undefined;
  return `${path} is no base64; take it anew from where it was issued`;
}

function first(checks: [unknown, Shape, string][]): string | undefined {
  for (const [value, shape, path] of checks) {
    // In a list a place cannot be left out.
    const found = value === null && path.endsWith(']') ? `${path} is empty` : misfitOf(value, shape, path);
    if (found !== undefined) return found;
  }
  return undefined;
}

function join(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}

function nameOf(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'a mapping' : `a ${typeof value === 'string' ? 'text' : typeof value}`;
}

/** Line breaks within are allowed, as in Go. */
function isBase64(text: string): boolean {
  const plain = text.replace(/[\r\n]/g, '');
  return plain.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(plain);
}
