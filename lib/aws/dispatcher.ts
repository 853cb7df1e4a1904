import { createSecureContext } from 'node:tls';
import { Agent, Dispatcher, EnvHttpProxyAgent, Pool } from 'undici';
import type { AwsOptions } from './options.ts';

const CONNECT_TIMEOUT_MS = 3_000;
/** Shorter than the idle time after which AWS closes a connection, so that no request goes out on a dying one. */
const IDLE_MS = 4_000;
/** Most milliseconds without a byte of an answer for what has no deadline: the credential chain of the SDK takes no signal. */
const SILENCE_MS = 15_000;
/** Most bytes of an answer's head and body. Those of STS and ECR have some thousand. */
const MOST_HEAD_BYTES = 16_384;
const MOST_BODY_BYTES = 1_048_576;

/**
 * The connections to AWS that all requests of a process share, through the proxies that the options name. When the trusted
 * certificates change, new requests go out on new connections, and the old ones end with what runs on them.
 */
export function awsDispatcher(options: AwsOptions): Dispatcher {
  const { ca } = options;
  return typeof ca === 'function' ? new Renewed(ca, (text) => connections(options, text)) : connections(options, ca);
}

function connections(options: AwsOptions, ca: string | undefined): Dispatcher {
  const { lookup, proxyEnv = {} } = options;
  const { connectTimeoutMs = CONNECT_TIMEOUT_MS, callTimeoutMs = SILENCE_MS, idleMs = IDLE_MS } = options;
  const silenceMs = Math.min(callTimeoutMs, SILENCE_MS);
  const tls = {
    allowH2: false,
    timeout: connectTimeoutMs,
    ...(lookup !== undefined && { lookup }),
    // To read a bundle of all public authorities for each connection takes longer than all else of it.
    ...(ca !== undefined && { secureContext: createSecureContext({ ca }) }),
  };
  const common = {
    allowH2: false,
    keepAliveTimeout: idleMs,
    keepAliveMaxTimeout: idleMs,
    headersTimeout: silenceMs,
    bodyTimeout: silenceMs,
    maxHeaderSize: MOST_HEAD_BYTES,
    maxResponseSize: MOST_BODY_BYTES,
    connect: tls,
  };
  const direct = new Agent(common);
  const proxyOf = (scheme: string) => proxyEnv[`${scheme}_proxy`] || proxyEnv[`${scheme.toUpperCase()}_PROXY`] || '';
  const [httpProxy, httpsProxy, noProxy] = [proxyOf('http'), proxyOf('https'), proxyOf('no')];
  if (httpProxy === '' && httpsProxy === '') return direct;
  const proxied = new EnvHttpProxyAgent({
    ...common,
    ...{ httpProxy, httpsProxy, noProxy, requestTls: tls, proxyTls: tls },
    // undici gives these connections no settings of its own.
    factory: (origin, given) => new Pool(origin, { ...common, ...given }),
    // A proxy may take long to say whether it opens the way, or never say it.
    clientFactory: (origin, given) => new Pool(origin, { ...common, ...given, headersTimeout: connectTimeoutMs }),
  });
  return httpsProxy === '' ? new OnlyPlain(proxied, direct) : proxied;
}

/** Opens new connections when the text that they are opened with changes. */
class Renewed extends Dispatcher {
  readonly #text: () => string;
  readonly #open: (text: string) => Dispatcher;
  /** Also those that still serve what was sent on them. */
  readonly #all = new Set<Dispatcher>();
  #current: { text: string; dispatcher: Dispatcher };

  constructor(text: () => string, open: (text: string) => Dispatcher) {
    super();
    this.#text = text;
    this.#open = open;
    this.#current = this.#opened(text());
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const text = this.#text();
    if (text !== this.#current.text) this.#renew(text);
    return this.#current.dispatcher.dispatch(options, handler);
  }

  override async destroy(): Promise<void> {
    await Promise.all([...this.#all].map((dispatcher) => dispatcher.destroy()));
  }

  #renew(text: string): void {
    const { dispatcher } = this.#current;
    this.#current = this.#opened(text);
    const forget = () => this.#all.delete(dispatcher);
    dispatcher.close().then(forget, forget);
  }

  #opened(text: string): { text: string; dispatcher: Dispatcher } {
    const dispatcher = this.#open(text);
    this.#all.add(dispatcher);
    return { text, dispatcher };
  }
}

/** A proxy for `http:` alone: undici takes it for `https:`, too, which neither curl nor the AWS CLI does. */
class OnlyPlain extends Dispatcher {
  readonly #proxied: Dispatcher;
  readonly #direct: Dispatcher;

  constructor(proxied: Dispatcher, direct: Dispatcher) {
    super();
    this.#proxied = proxied;
    this.#direct = direct;
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const isPlain = new URL(options.origin ?? '').protocol === 'http:';
    return (isPlain ? this.#proxied : this.#direct).dispatch(options, handler);
  }

  override async close(): Promise<void> {
    await Promise.all([this.#proxied.close(), this.#direct.close()]);
  }

  override async destroy(): Promise<void> {
    await Promise.all([this.#proxied.destroy(), this.#direct.destroy()]);
  }
}
