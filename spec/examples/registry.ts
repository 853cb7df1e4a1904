import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
const CONFIG_TYPE = 'application/vnd.cncf.helm.config.v1+json';
const CHART_TYPE = 'application/vnd.cncf.helm.chart.content.v1.tar+gzip';

/** A registry with one chart in it, for clients that reach it as their HTTP proxy, whatever the name of the registry. */
export interface Registry {
  /** For HTTP_PROXY. */
  proxyUrl: string;
  /** Hosts that a client asked for, with whether its login was right, oldest first. */
  logins: { host: string; accepted: boolean }[];
  stop(): Promise<void>;
}

/**
 * Serves the archive of a chart as version 1.0.0 of any repository, to those whose password `accepts` takes, the way ECR
 * does: user AWS, Basic authentication.
 */
export async function startRegistry(archive: Buffer, accepts: (password: string) => boolean): Promise<Registry> {
  const pages = pagesOf(archive);
  const logins: Registry['logins'] = [];
  const server = createServer((request, response) => {
    const { host, pathname } = new URL(request.url ?? '/', 'http://unknown');
    const accepted = isAccepted(request, accepts);
    if (request.headers.authorization !== undefined) logins.push({ host, accepted });
    if (!accepted) return void response.writeHead(401, { 'www-authenticate': 'Basic realm="ECR"' }).end();
    answer(request, response, pages.get(pathname.split('/').at(-1) ?? ''));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    proxyUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    logins,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Page {
  type: string;
  content: Buffer;
}

/** What a client may ask for, by tag or digest. */
function pagesOf(archive: Buffer): Map<string, Page> {
  const config = Buffer.from(JSON.stringify({ apiVersion: 'v2', name: 'web', version: '1.0.0' }));
  const described = (mediaType: string, content: Buffer) => ({
    mediaType,
    digest: digestOf(content),
    size: content.length,
  });
  const layers = [described(CHART_TYPE, archive)];
  const text = { schemaVersion: 2, mediaType: MANIFEST_TYPE, config: described(CONFIG_TYPE, config), layers };
  const manifest = Buffer.from(JSON.stringify(text));
  const blobs = [config, archive].map((content): [string, Page] => [
    digestOf(content),
    { type: 'application/octet-stream', content },
  ]);
  const page = { type: MANIFEST_TYPE, content: manifest };
  return new Map([...blobs, [digestOf(manifest), page], ['1.0.0', page]]);
}

function isAccepted({ headers }: IncomingMessage, accepts: (password: string) => boolean): boolean {
  const login = Buffer.from(headers.authorization?.replace('Basic ', '') ?? '', 'base64').toString();
  const [user, ...password] = login.split(':');
  return user === 'AWS' && accepts(password.join(':'));
}

function answer(request: IncomingMessage, response: ServerResponse, page: Page | undefined): void {
  if (page === undefined) return void response.writeHead(404).end();
  const { type, content } = page;
  const headers = {
    'content-type': type,
    'content-length': content.length,
    'docker-content-digest': digestOf(content),
  };
  response.writeHead(200, headers).end(request.method === 'HEAD' ? undefined : content);
}

function digestOf(content: Buffer): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}
