import { existsSync } from 'node:fs';
import type { LookupFunction } from 'node:net';
import type { SecureContext } from 'node:tls';
import { isDeepStrictEqual } from 'node:util';
import { Agent, type buildConnector, type Dispatcher } from 'undici';
import { type Clock, orAborted } from '../clock.ts';
import type { Logger } from '../log.ts';
import { Fresh } from './fresh.ts';
import { impersonationHeaders } from './impersonation.ts';
import { type ClusterConfig, invalidConfig, readKubeconfig } from './kubeconfig.ts';
import { type Login, openLogin } from './login.ts';
import { throughProxy } from './proxy.ts';
import { contextOf, type Tls, TlsFiles } from './tls.ts';

/** The way to one API server and the login there. Several may live in one process. */
export interface Connection {
  /** URL of the API server. */
  readonly server: string;
  /** Connections for requests, for watches and for the Lease are kept apart, so that none waits for another. */
  dispatcher(purpose: Purpose): Dispatcher;
  /**
   * What each request carries. Ask for it before each request: it renews the login when that is due. Rejects with the
   * signal's reason when that aborts first.
   */
  headers(signal: AbortSignal): Promise<Record<string, string | string[]>>;
  /**
   * Gets a new login after the server refused the one at hand; once for many requests that were refused at a time. Rejects
   * as `headers`.
   */
  refreshAuth(signal: AbortSignal): Promise<void>;
  /**
   * Tells that a request that was sent at this time (`Clock.monotonic`) got no answer: the next ones use new connections,
   * since those of then may all lead nowhere. Watches notice by themselves.
   */
  reconnect(sentAt: number): void;
  /** Ends every connection and the requests on it. */
  close(): Promise<void>;
}

const purposes = ['request', 'watch', 'lease'] as const;

/** What connections are for. */
export type Purpose = (typeof purposes)[number];

/** Where a Pod finds its API server. */
export interface InCluster {
  host: string;
  port: string;
  /** Default: below `/var/run/secrets/kubernetes.io/serviceaccount`. */
  tokenFile?: string;
  /** Default: below `/var/run/secrets/kubernetes.io/serviceaccount`. */
  caFile?: string;
}

export interface ConnectionOptions {
  /** Path of a kubeconfig file, or several joined as in `KUBECONFIG`. Default: the cluster that this process runs in. */
  kubeconfig?: string | undefined;
  inCluster?: InCluster | undefined;
  clock: Clock;
  log: Logger;
  /** Looks the API server's name up. Default: `getaddrinfo`. */
  lookup?: LookupFunction | undefined;
  /** The environment that credential plugins of the kubeconfig start with, usually the process's. Default: empty. */
  environment?: Readonly<Record<string, string | undefined>>;
}

const connectTimeoutMs = 5_000;
/** Shorter than the 90 s of the API server, so that no request is sent on a connection that it just closes. */
const keepAliveMs = 30_000;
/** More requests than these wait for one of them to end. */
const maxConnections = 64;
/** Most bytes of the head of an answer. */
const mostHeadBytes = 16_384;
const serviceAccountFiles = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Throws `InvalidConfig`, with the path and the fix, when there is no API server to be found in what is given. */
export function loadConnection(options: ConnectionOptions): Connection {
  const { kubeconfig, inCluster } = options;
  if (kubeconfig) return new ClusterConnection(() => readKubeconfig(kubeconfig), options);
  const config = inClusterConfig(inCluster);
  return new ClusterConnection(() => config, options);
}

function inClusterConfig(place: InCluster | undefined): ClusterConfig {
  const tokenFile = place?.tokenFile ?? `${serviceAccountFiles}/token`;
  const caFile = place?.caFile ?? `${serviceAccountFiles}/ca.crt`;
  if (!place?.host || !existsSync(tokenFile)) {
    throw invalidConfig(
      `no API server: there is no kubeconfig, and no service account in ${tokenFile}; ` +
        'give --kubeconfig or KUBECONFIG the path of a kubeconfig file, or run in a Pod with a service account token',
    );
  }
  const host = place.host.includes(':') ? `[${place.host}]` : place.host;
  return { server: `https://${host}:${place.port}`, ca: { file: caFile }, token: { file: tokenFile }, insecure: false };
}

/** A configuration, with what it asks for. */
interface Setup {
  config: ClusterConfig;
  login: Login;
  tls: TlsFiles;
}

class ClusterConnection implements Connection {
  readonly server: string;
  readonly #setup: Fresh<Setup>;
  readonly #options: ConnectionOptions;
  /** Also those that are being replaced and still serve what was sent on them. */
  readonly #agents = new Set<Agent>();
  #current: Record<Purpose, Agent>;
  /** What the connections of now were opened with. */
  #used: Way;
  #context: SecureContext;
  #openedAt: number;

  constructor(read: () => ClusterConfig, options: ConnectionOptions) {
    const { clock, log, kubeconfig: name = 'service account' } = options;
    this.#options = options;
    this.#setup = new Fresh({ read: (known) => setUp(read(), known, options), clock, log, name });
    const { config, tls } = this.#setup.get();
    this.server = config.server;
    this.#openedAt = clock.monotonic();
    this.#used = { tls: tls.current, proxyUrl: config.proxyUrl };
    this.#context = contextOf(tls.current);
    this.#current = this.#open(purposes) as Record<Purpose, Agent>;
  }

  dispatcher(purpose: Purpose): Dispatcher {
    return this.#current[purpose];
  }

  async headers(signal: AbortSignal): Promise<Record<string, string | string[]>> {
    const { config, login, tls } = this.#setup.get();
    const { authorization, clientCertificate: pair } = await orAborted(login.current(), signal);
    const used = pair ? { ...tls.current, cert: pair.certificate, key: pair.key } : tls.current;
    this.#use({ tls: used, proxyUrl: config.proxyUrl });
    return { ...(authorization && { authorization }), ...impersonationHeaders(config.impersonate) };
  }

  async refreshAuth(signal: AbortSignal): Promise<void> {
    const before = this.#setup.get().login;
    const { login, tls } = this.#setup.reread();
    tls.look();
    // One that was just opened is new by itself.
    if (login === before) await orAborted(login.renew(), signal);
  }

  /** Many requests that fail at a time open new connections once. */
  reconnect(sentAt: number): void {
    if (sentAt < this.#openedAt) return;
    this.#replace(['request', 'lease']);
  }

  async close(): Promise<void> {
    this.#setup.get().login.close();
    await Promise.all([...this.#agents].map((agent) => agent.destroy()));
  }

  /** Certificates and proxies belong to connections: new ones need new connections. */
  #use(way: Way): void {
    const { tls, proxyUrl } = this.#used;
    if (way.proxyUrl === proxyUrl && (way.tls === tls || isDeepStrictEqual(way.tls, tls))) return;
    this.#context = contextOf(way.tls);
    this.#used = way;
    this.#replace(purposes);
  }

  /** Requests that run end on the old connections, which then close. */
  #replace(replaced: readonly Purpose[]): void {
    const old = replaced.map((purpose) => this.#current[purpose]);
    this.#current = { ...this.#current, ...this.#open(replaced) };
    this.#openedAt = this.#options.clock.monotonic();
    for (const agent of old) {
      const forget = () => this.#agents.delete(agent);
      agent.close().then(forget, forget);
    }
  }

  #open(opened: readonly Purpose[]): Partial<Record<Purpose, Agent>> {
    return Object.fromEntries(opened.map((purpose) => [purpose, this.#agent(purpose)]));
  }

  #agent(purpose: Purpose): Agent {
    const agent = new Agent({
      allowH2: false,
      keepAliveTimeout: keepAliveMs,
      connections: purpose === 'request' ? maxConnections : null,
      maxHeaderSize: mostHeadBytes,
      connect: this.#connect(),
    });
    this.#agents.add(agent);
    return agent;
  }

  #connect(): buildConnector.BuildOptions | buildConnector.connector {
    const { tls, proxyUrl } = this.#used;
    const { clock, lookup } = this.#options;
    const { servername, rejectUnauthorized, ca } = tls;
    const own = {
      secureContext: this.#context,
      rejectUnauthorized,
      timeout: connectTimeoutMs,
      ...(servername && { servername }),
    };
    if (proxyUrl === undefined) return { ...own, ...(lookup && { lookup }) };
    return throughProxy({ url: proxyUrl, tls: own, ca, timeoutMs: connectTimeoutMs, clock, lookup });
  }
}

/** How connections are opened. */
interface Way {
  tls: Tls;
  proxyUrl: string | undefined;
}

/**
 * What was read, with the login that is known where nothing changed. Throws `InvalidConfig` for another server: what this
 * process knows is about the one that it began with.
 */
function setUp(config: ClusterConfig, known: Setup | undefined, options: ConnectionOptions): Setup {
  if (known !== undefined && isDeepStrictEqual(config, known.config)) return known;
  if (known !== undefined && config.server !== known.config.server)
    throw invalidConfig(`kubeconfig ${options.kubeconfig} names another server now; restart to go there`);
  const setup = { config, login: openLogin(config, options), tls: new TlsFiles(config, options) };
  if (known !== undefined) options.log.info({ kubeconfig: options.kubeconfig }, 'kubeconfig has changed');
  return setup;
}
