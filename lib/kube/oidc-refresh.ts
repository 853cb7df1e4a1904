import {
  ClientSecretBasic,
  ClientSecretPost,
  Configuration,
  customFetch,
  discovery,
  None,
  ResponseBodyError,
  refreshTokenGrant,
} from 'openid-client';
import { Agent, type Dispatcher, EnvHttpProxyAgent } from 'undici';
import { withDeadline } from '../clock.ts';
import { exchange, TooLarge } from '../exchange.ts';
import { lastLine } from './exec-process.ts';
import type { OidcConfig } from './kubeconfig.ts';
import { readMaterial } from './material.ts';
import type { OidcOptions } from './oidc.ts';
import { oidcFailed } from './oidc-error.ts';

/** For both requests together. */
const timeoutMs = 20_000;
const connectTimeoutMs = 5_000;
/** Most bytes of an answer: a provider's description of itself and a token have some thousand. */
const mostAnswerBytes = 262_144;

/**
 * Gets an id-token for a refresh token (OpenID Connect Core 1.0, section 12), and a new refresh token where the provider
 * gives one. This module is loaded only by those who need it. Throws `OidcLoginFailed`.
 */
export async function refresh({
  config,
  refreshToken,
  clock,
  environment,
  lookup,
}: OidcOptions & { refreshToken: string }): Promise<{ idToken: string; refreshToken: string | undefined }> {
  const dispatcher = dispatcherFor(config, environment, lookup);
  try {
    const tokens = await withDeadline(clock, timeoutMs, undefined, async (signal) => {
      return await refreshTokenGrant(await configure(config, fetchOver(dispatcher, signal)), refreshToken);
    });
    if (tokens.id_token === undefined) throw new Withheld();
    return { idToken: tokens.id_token, refreshToken: tokens.refresh_token };
  } catch (error) {
    throw oidcFailed(config.issuer, problemOf(error));
  } finally {
    await dispatcher.destroy();
  }
}

/** The provider answered without an id-token. */
class Withheld extends Error {}

type Fetch = NonNullable<NonNullable<Parameters<typeof discovery>[4]>[typeof customFetch]>;

/** Secrets go as the provider wants them, by default in a header (OpenID Connect Core 1.0, section 9). */
async function configure({ issuer, clientId, clientSecret }: OidcConfig, fetch: Fetch): Promise<Configuration> {
  const options = { [customFetch]: fetch };
  const found = await discovery(new URL(issuer), clientId, undefined, None(), options);
  if (clientSecret === undefined) return found;
  const server = found.serverMetadata();
  const isBasic = (server.token_endpoint_auth_methods_supported ?? ['client_secret_basic']).includes(
    'client_secret_basic',
  );
  const way = isBasic ? ClientSecretBasic(clientSecret) : ClientSecretPost(clientSecret);
  return Object.assign(new Configuration(server, clientId, clientSecret, way), options);
}

function dispatcherFor(
  { ca }: OidcConfig,
  environment: OidcOptions['environment'],
  lookup: OidcOptions['lookup'],
): Dispatcher {
  const way = { timeout: connectTimeoutMs, allowH2: false, ...(lookup && { lookup }) };
  const connect = { ...way, ...(ca && { ca: readMaterial(ca) }) };
  const of = (name: string) => environment[name] || environment[name.toUpperCase()] || '';
  const [httpsProxy, noProxy] = [of('https_proxy'), of('no_proxy')];
  if (httpsProxy === '') return new Agent({ allowH2: false, connect });
  return new EnvHttpProxyAgent({
    ...{ httpProxy: '', httpsProxy, noProxy, allowH2: false, connect, requestTls: connect },
    proxyTls: way,
  });
}

function fetchOver(dispatcher: Dispatcher, signal: AbortSignal): Fetch {
  return async (url, { method, headers, body }) => {
    const { origin, pathname, search } = new URL(url);
    const request = {
      origin,
      path: pathname + search,
      method: method as Dispatcher.HttpMethod,
      headers,
      body: body === undefined || body === null ? null : String(body),
    };
    const answer = await exchange(dispatcher, request, signal, { mostBytes: () => mostAnswerBytes });
    const given = Object.entries(answer.headers).map(([name, value]) => [name, String(value)] as [string, string]);
    return new Response(answer.text(), { status: answer.statusCode, headers: given });
  };
}

/** What errors look like that others wrap. */
interface Caused {
  name?: string;
  code?: unknown;
  cause?: Caused;
}

/** Descriptions come from the provider, which has just been sent a secret. */
function problemOf(error: unknown): string {
  if (error instanceof Withheld) return 'the provider gave none for the refresh-token';
  if (error instanceof ResponseBodyError) {
    const description = lastLine(error.error_description ?? '').replace(/\.$/, '');
    const why = [`HTTP ${error.status}`, lastLine(error.error), description].filter((text) => text !== '');
    return `the provider refused the refresh-token (${why.join(', ')})`;
  }
  for (let at = error as Caused | undefined; typeof at === 'object' && at !== null; at = at.cause) {
    if (at instanceof TooLarge) return 'the provider answered more than any does';
    if (at instanceof Response) return `the provider answered with HTTP ${at.status}`;
    if (at.name === 'TimeoutError') return `the provider gave no answer within ${timeoutMs} ms`;
    if (typeof at.code === 'string' && !at.code.startsWith('OAUTH_'))
      return `the provider cannot be reached (${at.code})`;
  }
  return `the provider's answer cannot be used (${(error as { code?: string }).code ?? (error as Error).name})`;
}
