// How clients look for the login of an image in the `auths` of a Secret, written from what they document and do: kubelet by
// Kubernetes' page "Pull an Image from a Private Registry", helm as other programs that read Docker's configuration file.

/** Host and path of a key or an image, as a URL without scheme; undefined where it is none. */
function parse(text: string): { host: string; port: string; path: string } | undefined {
  const [, authority = '', path = ''] = /^([^/?#]*)([^?#]*)/.exec(text) ?? [];
  // A user that stands before the host is none of it.
  const [, host = '', port = ''] = /^(?:.*@)?([^:]*)(?::(.*))?$/.exec(authority) ?? [];
  return /^[0-9]*$/.test(port) ? { host, port, path } : undefined;
}

/** A name with `*` for any run of characters, within one part of a host. */
function isLike(glob: string, text: string): boolean {
  const pattern = glob.split('*').map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'));
  return new RegExp(`^${pattern.join('.*')}$`).test(text);
}

/** What kubelet stores a key under: without http(s)://, and without /v1 or /v2 at the beginning of the path. */
function stored(key: string): string | undefined {
  const found = parse(key.replace(/^https?:\/\//, ''));
  if (found === undefined) return undefined;
  const path = /^\/v[12]\//.test(found.path) ? found.path.slice(3) : found.path;
  return `${found.host}${found.port && `:${found.port}`}${path === '/' ? '' : path}`;
}

/** Whether kubelet logs in with the entry of this key to pull an image. */
export function kubeletFinds(key: string, image: string): boolean {
  const name = image.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
  const [entry, wanted] = [parse(stored(key) ?? '::'), parse(name)];
  if (entry === undefined || wanted === undefined || entry.port !== wanted.port) return false;
  const [globs, parts] = [entry.host.split('.'), wanted.host.split('.')];
  if (globs.length !== parts.length || !wanted.path.startsWith(entry.path)) return false;
  return globs.every((glob, index) => isLike(glob, parts[index] ?? ''));
}

/** Whether helm finds the entry of this key for a chart: by host, where the key is not exactly that. */
export function helmFinds(key: string, chart: string): boolean {
  const [host = ''] = chart.split('/');
  const [named = ''] = key.replace(/^https?:\/\//, '').split('/');
  return key === host || named === host;
}
