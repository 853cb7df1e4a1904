import { Agent, Dispatcher, EnvHttpProxyAgent, Pool } from 'undici';
import type { AwsOptions } from './options.ts';

const CONNECT_TIMEOUT_MS = 3_000;
/** Shorter than the idle time after which AWS closes a connection, so that no request goes out on a dying one. */
const IDLE_MS = 4_000;
/** Most milliseconds without a byte of an answer for what has no deadline: the credential chain of the SDK takes no signal. */
const SILENCE_MS = 15_000;

/** The connections to AWS that all requests of a process share, through the proxies that the options name. */
export function awsDispatcher(options: AwsOptions): Dispatcher {
  const { ca, proxyEnv = {}, connectTimeoutMs = CONNECT_TIMEOUT_MS, callTimeoutMs = SILENCE_MS } = options;
  const silenceMs = Math.min(callTimeoutMs, SILENCE_MS);
  const tls = { allowH2: false, timeout: connectTimeoutMs, ...(ca !== undefined && { ca }) };
  const common = {
    allowH2: false,
    keepAliveTimeout: IDLE_MS,
    keepAliveMaxTimeout: IDLE_MS,
    headersTimeout: silenceMs,
    bodyTimeout: silenceMs,
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

  override async destroy(): Promise<void> {
    await Promise.all([this.#proxied.destroy(), this.#direct.destroy()]);
  }
}
