import { existsSync } from 'node:fs';
import type { LookupFunction } from 'node:net';
import type { SecureContext } from 'node:tls';
import { isDeepStrictEqual } from 'node:util';
import { Agent, type Dispatcher } from 'undici';
import { type Clock, orAborted } from '../clock.ts';
import { describeError, framesOf } from '../errors.ts';
import type { Logger } from '../log.ts';
import { type ExecCredential, ExecCredentials } from './exec-credentials.ts';
import { type ClusterConfig, invalidConfig, readKubeconfig, readMaterial } from './kubeconfig.ts';
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
  headers(signal: AbortSignal): Promise<Record<string, string>>;
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

/** A file with a token is replaced at any time; it is read anew after so long, as in client-go. */
const rereadMs = 60_000;
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
  const config = options.kubeconfig ? readKubeconfig(options.kubeconfig) : inClusterConfig(options.inCluster);
  return new ClusterConnection(config, options);
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

class ClusterConnection implements Connection {
  readonly server: string;
  readonly #config: ClusterConfig;
  readonly #options: ConnectionOptions;
  readonly #plugin: ExecCredentials | undefined;
  /** Also those that are being replaced and still serve what was sent on them. */
  readonly #agents = new Set<Agent>();
  #current: Record<Purpose, Agent>;
  readonly #tls: TlsFiles;
  /** What the connections of now were opened with. */
  #used: Tls;
  #context: SecureContext;
  #token: string | undefined;
  #readAt: number;
  #openedAt: number;

  constructor(config: ClusterConfig, options: ConnectionOptions) {
    const { clock, log, environment = {} } = options;
    this.server = config.server;
    this.#config = config;
    this.#options = options;
    this.#plugin = config.exec && new ExecCredentials({ exec: config.exec, clock, log, environment });
    this.#tls = new TlsFiles(config, options);
    this.#token = readToken(config);
    this.#readAt = clock.monotonic();
    this.#openedAt = this.#readAt;
    this.#used = this.#tls.current;
    this.#context = contextOf(this.#used);
    this.#current = this.#open(purposes) as Record<Purpose, Agent>;
  }

  dispatcher(purpose: Purpose): Dispatcher {
    return this.#current[purpose];
  }

  async headers(signal: AbortSignal): Promise<Record<string, string>> {
    if (this.#options.clock.monotonic() - this.#readAt >= rereadMs) this.#reread();
    const given = this.#plugin && (await orAborted(this.#plugin.current(), signal));
    this.#use(withClientCertificate(this.#tls.current, given));
    const authorization = authorizationOf(this.#config, given?.token ?? this.#token);
    const { impersonate } = this.#config;
    return { ...(authorization && { authorization }), ...(impersonate && { 'impersonate-user': impersonate }) };
  }

  async refreshAuth(signal: AbortSignal): Promise<void> {
    this.#reread();
    this.#tls.look();
    if (this.#plugin) await orAborted(this.#plugin.renew(), signal);
  }

  /** Many requests that fail at a time open new connections once. */
  reconnect(sentAt: number): void {
    if (sentAt < this.#openedAt) return;
    this.#replace(['request', 'lease']);
  }

  async close(): Promise<void> {
    this.#plugin?.close();
    await Promise.all([...this.#agents].map((agent) => agent.destroy()));
  }

  /** A file that is missing for the moment leaves what was read before. */
  #reread(): void {
    this.#readAt = this.#options.clock.monotonic();
    try {
      this.#token = readToken(this.#config);
    } catch (error) {
      this.#options.log.warn(
        { server: this.server, problem: describeError(error), frames: framesOf(error) },
        'login files not read, going on with the old ones',
      );
    }
  }

  /** Certificates belong to connections: new ones need new connections. */
  #use(tls: Tls): void {
    if (tls === this.#used || isDeepStrictEqual(tls, this.#used)) return;
    this.#context = contextOf(tls);
    this.#used = tls;
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
    const { servername, rejectUnauthorized } = this.#used;
    const { lookup } = this.#options;
    const agent = new Agent({
      allowH2: false,
      keepAliveTimeout: keepAliveMs,
      connections: purpose === 'request' ? maxConnections : null,
      maxHeaderSize: mostHeadBytes,
      connect: {
        secureContext: this.#context,
        rejectUnauthorized,
        timeout: connectTimeoutMs,
        ...(servername && { servername }),
        ...(lookup && { lookup }),
      },
    });
    this.#agents.add(agent);
    return agent;
  }
}

function readToken({ token }: ClusterConfig): string | undefined {
  return token && readMaterial(token).trim();
}

function withClientCertificate(tls: Tls, given: ExecCredential | undefined): Tls {
  const pair = given?.clientCertificate;
  return pair ? { ...tls, cert: pair.certificate, key: pair.key } : tls;
}

function authorizationOf({ basic }: ClusterConfig, token: string | undefined): string | undefined {
  if (token) return `Bearer ${token}`;
  return basic && `Basic ${Buffer.from(`${basic.username}:${basic.password}`).toString('base64')}`;
}
