import { randomBytes } from 'node:crypto';
import { createServer } from 'node:https';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { systemClock } from '../../lib/clock.ts';
import type { Issued } from './certificates.ts';

/** A small OpenID Connect provider, for those who have logged in there already. */
export interface OidcProvider {
  issuer: string;
  /** An id-token of this life in seconds, from now. */
  idToken(lifeSeconds: number): Promise<string>;
  /** The only refresh token that it takes. */
  refreshToken: string;
  /** Answers to those who come with a refresh token from now on. */
  behave(how: Partial<Behaviour>): void;
  /** What it was asked at its token endpoint: how the client showed itself, and with which refresh token. */
  readonly asked: { client: string; refreshToken: string }[];
  stop(): Promise<void>;
}

interface Behaviour {
  /** Life of what it issues. */
  lifeSeconds: number;
  /** Gives a new refresh token each time, and takes the last one only. */
  rotates: boolean;
  /** A status and body in place of an id-token. */
  refusal: { status: number; body: string } | undefined;
  /** Answers without an id-token. */
  withholds: boolean;
}

export interface OidcProviderOptions {
  /** Of the server at `localhost`. */
  tls: Issued;
  clientId: string;
  /** Sent in the header, or in the body where `methods` says so. Default: the client has none. */
  clientSecret?: string;
  /** Default: it does not tell. */
  methods?: string[];
}

/** Starts one on a free port. */
export async function startOidcProvider(options: OidcProviderOptions): Promise<OidcProvider> {
  const { publicKey, privateKey } = await generateKeyPair('RS256');
  const jwk = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'RS256', use: 'sig' };
  const behaviour: Behaviour = { lifeSeconds: 3600, rotates: false, refusal: undefined, withholds: false };
  const asked: OidcProvider['asked'] = [];
  let issuer = '';
  const idToken = (lifeSeconds: number) => {
    const now = Math.floor(systemClock.now() / 1000);
    return new SignJWT({ email: 'somebody@example.test', groups: ['team-a'], jti: randomBytes(8).toString('hex') })
      .setProtectedHeader({ alg: 'RS256', kid: 'one' })
      .setIssuer(issuer)
      .setSubject('somebody')
      .setAudience(options.clientId)
      .setIssuedAt(now)
      .setExpirationTime(now + lifeSeconds)
      .sign(privateKey);
  };
  const provider: OidcProvider = {
    issuer,
    idToken,
    refreshToken: randomBytes(16).toString('hex'),
    behave: (how) => void Object.assign(behaviour, how),
    asked,
    stop: async () => undefined,
  };

  async function token(body: URLSearchParams, authorization: string | undefined) {
    const [id, secret] = clientOf(body, authorization);
    const refreshToken = body.get('refresh_token') ?? '';
    asked.push({ client: `${authorization ? 'header' : 'body'} ${id}`, refreshToken });
    if (behaviour.refusal) return { status: behaviour.refusal.status, text: behaviour.refusal.body };
    if (id !== options.clientId || secret !== options.clientSecret) return refusal(401, 'invalid_client');
    if (refreshToken !== provider.refreshToken) return refusal(400, 'invalid_grant');
    if (behaviour.rotates) provider.refreshToken = randomBytes(16).toString('hex');
    const issued = {
      access_token: 'unused',
      token_type: 'Bearer',
      ...(behaviour.withholds ? {} : { id_token: await idToken(behaviour.lifeSeconds) }),
      ...(behaviour.rotates && { refresh_token: provider.refreshToken }),
    };
    return { status: 200, text: JSON.stringify(issued) };
  }

  async function answer(path: string, body: string, authorization: string | undefined) {
    if (path === '/token') return await token(new URLSearchParams(body), authorization);
    if (path === '/keys') return { status: 200, text: JSON.stringify({ keys: [jwk] }) };
    const found = {
      issuer,
      jwks_uri: `${issuer}/keys`,
      token_endpoint: `${issuer}/token`,
      authorization_endpoint: `${issuer}/authorize`,
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
      ...(options.methods && { token_endpoint_auth_methods_supported: options.methods }),
    };
    if (path === '/.well-known/openid-configuration') return { status: 200, text: JSON.stringify(found) };
    return refusal(404, 'not_found');
  }

  const server = createServer(options.tls, (request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text) => {
      body += text;
    });
    request.on('end', async () => {
      const { status, text } = await answer(request.url ?? '', body, request.headers.authorization);
      response.writeHead(status, { 'content-type': 'application/json' }).end(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  issuer = `https://localhost:${typeof address === 'object' && address !== null ? address.port : 0}`;
  provider.issuer = issuer;
  provider.stop = () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return provider;
}

function refusal(status: number, error: string) {
  return { status, text: JSON.stringify({ error, error_description: `it is ${error}` }) };
}

function clientOf(body: URLSearchParams, authorization: string | undefined): [string | undefined, string | undefined] {
  if (authorization === undefined) return [body.get('client_id') ?? undefined, body.get('client_secret') ?? undefined];
  const [id, secret] = Buffer.from(authorization.replace('Basic ', ''), 'base64').toString().split(':');
  const plain = (text = '') => decodeURIComponent(text.replaceAll('+', ' '));
  return [plain(id), plain(secret)];
}
